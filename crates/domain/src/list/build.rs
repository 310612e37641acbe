//! Builds the tables of an index from its rows.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::columns::Columns;
use super::dictionary::{Builder, Indexed};
use super::{FleetIndex, FleetRow};
use crate::instance::SourceKey;
use crate::query::{Field, fold, fold_into};

/// How many kinds of text are gathered in one pass over the rows. Each row lies elsewhere in memory, and fetching it costs more
/// than what is done with it; but what is gathered is held beside the index, and all at once would be twice the index.
const TOGETHER: usize = 5;

impl FleetIndex {
    /// Sorts the rows by key and builds the tables.
    pub fn build(rows: Vec<FleetRow>) -> FleetIndex {
        let rows = sorted(rows);
        let mut columns = Columns::with_capacity(rows.len());
        rows.iter().for_each(|row| columns.push(row));
        columns.finish();
        let mut builder = Builder::default();
        for together in Indexed::ALL.chunks(TOGETHER) {
            let mut texts: [Texts<'_>; TOGETHER] = Default::default();
            for texts in &mut texts {
                // Most rows have one of each; growing by doubling would take as much again.
                texts.pairs.reserve_exact(rows.len());
            }
            for (position, row) in (0..).zip(&rows) {
                for (texts, indexed) in texts.iter_mut().zip(together) {
                    texts.add_row(*indexed, row, position);
                }
            }
            for (texts, indexed) in texts.into_iter().zip(together) {
                texts.finish(*indexed, &mut builder);
            }
        }
        FleetIndex { dictionary: builder.finish(), columns, rows }
    }
}

fn sorted(rows: Vec<FleetRow>) -> Vec<FleetRow> {
    let runs = || rows.chunk_by(same_source).filter_map(|run| Some((run, &run.first()?.instance.key.source)));
    let mut sources: BTreeMap<&SourceKey, u32> = runs().map(|(_, source)| (source, 0)).collect();
    sources.values_mut().zip(0..).for_each(|(rank, position)| *rank = position);
    let mut orders = Vec::with_capacity(rows.len());
    for (run, source) in runs() {
        let rank = sources.get(source).copied();
        orders.extend(run.iter().map(|row| (rank, leading(&row.instance.key.instance_id))));
    }
    let mut keyed: Vec<_> = orders.into_iter().zip(rows).collect();
    keyed.sort_unstable_by(|(left_order, left), (right_order, right)| {
        left_order.cmp(right_order).then_with(|| left.instance.key.cmp(&right.instance.key))
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Whether two neighbours certainly are of one source: rows come source by source, and share its texts.
fn same_source(left: &FleetRow, right: &FleetRow) -> bool {
    let (left, right) = (&left.instance.key.source, &right.instance.key.source);
    Arc::ptr_eq(&left.account, &right.account) && Arc::ptr_eq(&left.region, &right.region)
}

/// The texts of one [`Indexed`], as they were written, with the rows that have them.
#[derive(Default)]
struct Texts<'a> {
    /// The last text, as one is often followed by itself.
    last: Option<(Address, u32)>,
    /// By where a text lies: a fleet shares equal texts, so that comparing them would be work for nothing. Equal texts
    /// that are not shared meet in [`Texts::finish`].
    known: HashMap<Address, u32, BuildHasherDefault<AddressHasher>>,
    /// Key and value of a tag; for other texts the key is empty.
    distinct: Vec<(&'a str, &'a str)>,
    /// A position in `distinct` and a row, rows ascending.
    pairs: Vec<(u32, u32)>,
}

impl<'a> Texts<'a> {
    fn add_row(&mut self, indexed: Indexed, row: &'a FleetRow, position: u32) {
        let instance = &*row.instance;
        let text = match indexed {
            Indexed::Alias => Some(&*row.alias),
            Indexed::Tag => {
                for tag in &instance.tags {
                    if &*tag.key == "Name" {
                        self.add_distinct(position, &tag.key, &tag.value);
                    } else {
                        self.add(position, &tag.key, &tag.value);
                    }
                }
                return;
            }
            Indexed::Field(field) => match field {
                Field::Id => return self.add_distinct(position, "", &instance.key.instance_id),
                Field::Name => {
                    instance.name().into_iter().for_each(|name| self.add_distinct(position, "", name));
                    return;
                }
                Field::Account => Some(&*instance.key.source.account),
                Field::Region => Some(&*instance.key.source.region),
                Field::AvailabilityZone => instance.availability_zone.as_deref(),
                Field::InstanceType => Some(&*instance.instance_type),
                Field::Vpc => instance.vpc_id.as_deref(),
                Field::Image => instance.image_id.as_deref(),
                Field::AutoScalingGroup => instance.auto_scaling_group(),
                Field::Profile => instance.iam_instance_profile.as_deref(),
                Field::Rule => {
                    row.policy
                        .violations()
                        .iter()
                        .for_each(|violation| self.add(position, "", &violation.rule));
                    return;
                }
            },
        };
        if let Some(text) = text {
            self.add(position, "", text);
        }
    }

    fn add(&mut self, row: u32, key: &'a str, value: &'a str) {
        let address = Address::of(key, value);
        if let Some((last, number)) = self.last
            && last == address
        {
            return self.pairs.push((number, row));
        }
        let distinct = &mut self.distinct;
        let number = *self.known.entry(address).or_insert_with(|| {
            distinct.push((key, value));
            distinct.len() as u32 - 1
        });
        self.last = Some((address, number));
        self.pairs.push((number, row));
    }

    /// Adds a text that most rows have one of their own of, so that looking for it would cost more than it saves.
    fn add_distinct(&mut self, row: u32, key: &'a str, value: &'a str) {
        self.pairs.push((self.distinct.len() as u32, row));
        self.distinct.push((key, value));
    }

    /// Hands the texts over, sorted and in lower case, with their rows.
    fn finish(self, indexed: Indexed, builder: &mut Builder) {
        let mut groups: HashMap<&str, Vec<u32>> = HashMap::new();
        for (number, (key, _)) in self.distinct.iter().enumerate() {
            groups.entry(key).or_default().push(number as u32);
        }
        let mut by_key: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (key, numbers) in groups {
            by_key.entry(fold(key)).or_default().extend(numbers);
        }
        // The entry of each distinct text; texts that are equal in lower case share one.
        let mut entries = vec![0; self.distinct.len()];
        builder.start(indexed);
        for (key, numbers) in by_key {
            if indexed == Indexed::Tag {
                builder.start_tag(&key);
            }
            let mut folded = String::new();
            let spans: Vec<(usize, usize)> = numbers
                .iter()
                .map(|number| {
                    let start = folded.len();
                    fold_into(self.distinct[*number as usize].1, &mut folded);
                    (start, folded.len())
                })
                .collect();
            let text = |position: usize| &folded[spans[position].0..spans[position].1];
            let mut sorted: Vec<(u128, usize)> =
                (0..numbers.len()).map(|position| (leading(text(position)), position)).collect();
            sorted.sort_unstable_by(|(left_leading, left), (right_leading, right)| {
                left_leading.cmp(right_leading).then_with(|| text(*left).cmp(text(*right)))
            });
            let mut previous = None;
            for (_, position) in sorted {
                let value = text(position);
                if previous.replace(value) != Some(value) {
                    builder.entry(value);
                }
                entries[numbers[position] as usize] = builder.last_entry();
            }
        }
        builder.rows(&entries, &self.pairs);
    }
}

/// The first bytes as a number that orders as they do, so that most comparisons of a sort read no text.
fn leading(text: &str) -> u128 {
    const BYTES: usize = size_of::<u128>();
    let mut bytes = [0; BYTES];
    let length = text.len().min(BYTES);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(bytes)
}

/// Where a tag's key and value, or a text, lie in memory. All of them are borrowed while an index is built, so that no
/// address is used twice.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Address {
    key: usize,
    value: usize,
}

impl Address {
    fn of(key: &str, value: &str) -> Address {
        Address { key: key.as_ptr().addr(), value: value.as_ptr().addr() }
    }
}

impl std::hash::Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.key);
        state.write_usize(self.value);
    }
}

/// Mixes two addresses: nobody chooses them, so that a hash that withstands an attacker would be time for nothing.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.0.rotate_left(26) ^ number as u64).wrapping_mul(ODD);
        self.0 = mixed ^ (mixed >> 32);
    }
}
