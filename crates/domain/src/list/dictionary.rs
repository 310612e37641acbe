//! The distinct texts of the fleet, each once in lower case with the rows that have it.
//!
//! All texts lie in one buffer, so that free text is found by one pass over what is distinct instead of over every
//! instance; the texts of a field are sorted, so that the rows behind them are the field's sort order.

use std::ops::Range;

use super::bitset::Bitset;
use crate::query::{Field, Folded};

/// Ends each text in the buffer. No text of AWS holds it (XML 1.0 cannot), and no query can.
pub(super) const SEPARATOR: char = '\0';

/// The texts that the dictionary keeps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indexed {
    Field(Field),
    /// The alias of the account; [`Field::Account`] itself holds the id.
    Alias,
    /// `key=value`.
    Tag,
}

impl Indexed {
    /// What repeats most comes first: a frequent word then matches every row before the many distinct texts are read.
    pub(super) const ALL: [Indexed; 13] = [
        Indexed::Field(Field::Region),
        Indexed::Alias,
        Indexed::Field(Field::Account),
        Indexed::Field(Field::AvailabilityZone),
        Indexed::Field(Field::InstanceType),
        Indexed::Field(Field::Vpc),
        Indexed::Field(Field::Image),
        Indexed::Field(Field::Profile),
        Indexed::Tag,
        Indexed::Field(Field::Id),
        // From here on not searched by free text: these two are tags, and a rule is no text of the instance.
        Indexed::Field(Field::Name),
        Indexed::Field(Field::AutoScalingGroup),
        Indexed::Field(Field::Rule),
    ];

    /// The first entry of [`Indexed::ALL`] that free text does not search.
    const SEARCHED: usize = 10;

    fn position(self) -> usize {
        match self {
            Indexed::Field(Field::Region) => 0,
            Indexed::Alias => 1,
            Indexed::Field(Field::Account) => 2,
            Indexed::Field(Field::AvailabilityZone) => 3,
            Indexed::Field(Field::InstanceType) => 4,
            Indexed::Field(Field::Vpc) => 5,
            Indexed::Field(Field::Image) => 6,
            Indexed::Field(Field::Profile) => 7,
            Indexed::Tag => 8,
            Indexed::Field(Field::Id) => 9,
            Indexed::Field(Field::Name) => 10,
            Indexed::Field(Field::AutoScalingGroup) => 11,
            Indexed::Field(Field::Rule) => 12,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// Every text with its separator.
    text: String,
    /// Where each text starts, and at last where the buffer ends.
    text_starts: Vec<u32>,
    /// Where the rows of each text start, and at last where they end.
    row_starts: Vec<u32>,
    /// The rows of each text, ascending.
    rows: Vec<u32>,
    /// The texts of each [`Indexed`], sorted.
    ranges: Vec<Range<u32>>,
    tag_keys: Vec<TagKey>,
}

/// The tags with one key, whose texts follow each other.
#[derive(Debug)]
pub(super) struct TagKey {
    /// The key in lower case.
    pub(super) key: String,
    pub(super) entries: Range<u32>,
}

impl Dictionary {
    pub(super) fn entries(&self, indexed: Indexed) -> Range<u32> {
        self.ranges[indexed.position()].clone()
    }

    pub(super) fn tag_keys(&self) -> &[TagKey] {
        &self.tag_keys
    }

    pub(super) fn text(&self, entry: u32) -> &str {
        let entry = entry as usize;
        let end = self.text_starts[entry + 1] as usize - SEPARATOR.len_utf8();
        &self.text[self.text_starts[entry] as usize..end]
    }

    pub(super) fn rows(&self, entry: u32) -> &[u32] {
        let entry = entry as usize;
        &self.rows[self.row_starts[entry] as usize..self.row_starts[entry + 1] as usize]
    }

    /// The rows whose `indexed` text is `text`, which is in lower case.
    pub(super) fn equal_to(&self, indexed: Indexed, text: &str) -> &[u32] {
        let range = self.entries(indexed);
        let entry = self.first_not_before(range.clone(), text);
        if entry < range.end && self.text(entry) == text { self.rows(entry) } else { &[] }
    }

    /// Marks the rows whose whole `indexed` text is as the pattern says.
    pub(super) fn mark_matching(&self, indexed: Indexed, pattern: &Folded, marked: &mut Bitset) {
        let range = self.entries(indexed);
        let prefix = pattern.prefix();
        let first = self.first_not_before(range.clone(), prefix);
        for entry in (first..range.end).take_while(|entry| self.text(*entry).starts_with(prefix)) {
            if pattern.matches(self.text(entry)) {
                self.mark(entry, marked);
            } else if pattern.as_literal().is_some() {
                break;
            }
        }
    }

    /// Marks the rows that have the tag with a value that is as the pattern says.
    pub(super) fn mark_tag_values(&self, key: &TagKey, pattern: &Folded, marked: &mut Bitset) {
        let skip = key.key.len() + 1;
        for entry in key.entries.clone() {
            if pattern.matches(&self.text(entry)[skip..]) {
                self.mark(entry, marked);
            }
        }
    }

    /// Marks the rows in one of whose `indexed` texts the pattern occurs.
    pub(super) fn mark_occurrences(&self, indexed: Indexed, pattern: &Folded, marked: &mut Bitset) {
        // The longest piece is the rarest, and the others need looking at only where it is.
        let Some(needle) = pattern.pieces().max_by_key(|piece| piece.len()) else {
            return self.entries(indexed).for_each(|entry| self.mark(entry, marked));
        };
        let single = pattern.pieces().nth(1).is_none();
        let finder = memchr::memmem::Finder::new(needle);
        let range = self.entries(indexed);
        let bytes = self.text.as_bytes();
        let end = self.text_starts[range.end as usize] as usize;
        let mut entry = range.start;
        let mut from = self.text_starts[range.start as usize] as usize;
        while let Some(found) = finder.find(&bytes[from..end]) {
            entry = self.entry_at(entry, range.end, (from + found) as u32);
            if single || pattern.occurs_in(self.text(entry)) {
                self.mark(entry, marked);
            }
            entry += 1;
            from = self.text_starts[entry as usize] as usize;
        }
    }

    /// Marks the rows in one of whose texts the pattern occurs.
    pub(super) fn mark_anywhere(&self, pattern: &Folded, marked: &mut Bitset) {
        for indexed in &Indexed::ALL[..Indexed::SEARCHED] {
            self.mark_occurrences(*indexed, pattern, marked);
            if marked.is_full() {
                return;
            }
        }
    }

    pub(super) fn mark(&self, entry: u32, marked: &mut Bitset) {
        for row in self.rows(entry) {
            marked.insert(*row);
        }
    }

    fn first_not_before(&self, range: Range<u32>, text: &str) -> u32 {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.text(middle) < text {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The entry that holds the byte at `offset`, which is at or behind entry `from`: doubling steps, as it is often near.
    fn entry_at(&self, from: u32, end: u32, offset: u32) -> u32 {
        let starts = &self.text_starts;
        let mut step = 1;
        let mut low = from;
        while low + step < end && starts[(low + step) as usize] <= offset {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(end);
        let within = &starts[low as usize + 1..=high as usize];
        low + within.partition_point(|start| *start <= offset) as u32
    }
}

/// Lays out one [`Indexed`] after another, in the order of [`Indexed::ALL`].
#[derive(Debug, Default)]
pub(super) struct Builder {
    dictionary: Dictionary,
    /// The first entry of the [`Indexed`] that is being laid out.
    first: u32,
    tag: bool,
}

impl Builder {
    pub(super) fn start(&mut self, indexed: Indexed) {
        debug_assert_eq!(indexed.position(), self.dictionary.ranges.len());
        self.first = self.next_entry();
        self.tag = indexed == Indexed::Tag;
    }

    /// Entries from here on are values of the tag `key`.
    pub(super) fn start_tag(&mut self, key: &str) {
        let first = self.next_entry();
        self.dictionary.tag_keys.push(TagKey { key: key.to_owned(), entries: first..first });
    }

    /// Adds a text in lower case; texts come sorted.
    pub(super) fn entry(&mut self, text: &str) {
        let number = self.next_entry();
        let dictionary = &mut self.dictionary;
        dictionary.text_starts.push(dictionary.text.len() as u32);
        if self.tag
            && let Some(tag) = dictionary.tag_keys.last_mut()
        {
            tag.entries.end = number + 1;
            dictionary.text.push_str(&tag.key);
            dictionary.text.push('=');
        }
        dictionary.text.push_str(text);
        dictionary.text.push(SEPARATOR);
    }

    /// The number of the entry added last, counted from the start of its [`Indexed`].
    pub(super) fn last_entry(&self) -> u32 {
        self.next_entry() - 1 - self.first
    }

    /// Ends an [`Indexed`] with the rows of its entries: `pairs` are positions in `entries` with rows, rows ascending.
    pub(super) fn rows(&mut self, entries: &[u32], pairs: &[(u32, u32)]) {
        const NO_ROW: u32 = u32::MAX;
        let count = (self.next_entry() - self.first) as usize;
        let mut places = vec![0u32; count];
        let mut last = vec![NO_ROW; count];
        let mut distinct = Vec::with_capacity(pairs.len());
        for &(number, row) in pairs {
            let entry = entries[number as usize];
            // Rows ascend, so that what an entry has twice from one row comes right behind each other.
            if std::mem::replace(&mut last[entry as usize], row) != row {
                places[entry as usize] += 1;
                distinct.push((entry, row));
            }
        }
        let (first, next) = (self.first, self.next_entry());
        let dictionary = &mut self.dictionary;
        let mut end = dictionary.rows.len() as u32;
        for place in &mut places {
            dictionary.row_starts.push(end);
            end += std::mem::replace(place, end);
        }
        dictionary.rows.resize(end as usize, 0);
        for (entry, row) in distinct {
            let place = &mut places[entry as usize];
            dictionary.rows[*place as usize] = row;
            *place += 1;
        }
        dictionary.ranges.push(first..next);
    }

    pub(super) fn finish(self) -> Dictionary {
        let mut dictionary = self.dictionary;
        dictionary.text_starts.push(dictionary.text.len() as u32);
        dictionary.row_starts.push(dictionary.rows.len() as u32);
        dictionary.text.shrink_to_fit();
        dictionary.text_starts.shrink_to_fit();
        dictionary.row_starts.shrink_to_fit();
        dictionary.rows.shrink_to_fit();
        dictionary
    }

    fn next_entry(&self) -> u32 {
        self.dictionary.text_starts.len() as u32
    }
}
