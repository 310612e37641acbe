//! Answers a query: each term marks rows in a bit set, and the rows that are left are read off in the wanted order.

use crate::time::Timestamp;

use super::bitset::Bitset;
use super::columns::Columns;
use super::dictionary::Indexed;
use super::{Column, FleetIndex, Sort};
use crate::query::{Expr, Facet, Field, Pattern, Query, Term};

impl FleetIndex {
    /// The positions in [`FleetIndex::rows`] of all instances that match, in order. `now` is what ages are counted from.
    pub fn select(&self, query: &Query, sort: Sort, now: Timestamp) -> Vec<u32> {
        self.ordered(&self.matching(query.expr(), now.as_second()), sort)
    }

    fn matching(&self, expr: &Expr, now: i64) -> Bitset {
        match expr {
            Expr::All(members) => {
                let mut left = Bitset::all(self.rows.len());
                for member in members {
                    left.intersect(&self.matching(member, now));
                    if left.is_empty() {
                        break;
                    }
                }
                left
            }
            Expr::Any(members) => {
                let mut any = Bitset::none(self.rows.len());
                for member in members {
                    any.unite(&self.matching(member, now));
                }
                any
            }
            Expr::Not(inner) => {
                let mut set = self.matching(inner, now);
                set.complement();
                set
            }
            Expr::Term(term) => self.matching_term(term, now),
        }
    }

    fn matching_term(&self, term: &Term, now: i64) -> Bitset {
        match term {
            Term::Facet { facet, values } => {
                let wanted = values.bits();
                Bitset::of(self.columns.facet(*facet), |bits| u16::from(bits) & wanted != 0)
            }
            Term::Hop(tests) => Bitset::of(self.columns.hop_limit(), |hops| {
                hops != 0 && tests.iter().any(|test| test.comparison.holds(hops, test.hop_limit))
            }),
            Term::Age(tests) => Bitset::of(self.columns.launched(), |launched| {
                Columns::age(launched, now).is_some_and(|age| tests.iter().any(|test| test.holds(age)))
            }),
            Term::Text(patterns) => self.marked(patterns, |pattern, marked| {
                self.dictionary.mark_anywhere(&pattern.folded(), marked);
            }),
            Term::Field { field, values } => {
                self.marked(values, |pattern, marked| self.mark_field(*field, pattern, marked))
            }
            Term::TagExists(keys) => self.marked(keys, |pattern, marked| {
                let pattern = pattern.folded();
                for key in self.dictionary.tag_keys().iter().filter(|key| pattern.matches(&key.key)) {
                    key.entries.clone().for_each(|entry| self.dictionary.mark(entry, marked));
                }
            }),
            Term::TagIs { key, values } => {
                let key = key.folded();
                self.marked(values, |pattern, marked| {
                    let pattern = pattern.folded();
                    for key in self.dictionary.tag_keys().iter().filter(|tag_key| key.matches(&tag_key.key)) {
                        self.dictionary.mark_tag_values(key, &pattern, marked);
                    }
                })
            }
        }
    }

    /// The rows that any of the patterns marks.
    fn marked(&self, patterns: &[Pattern], mark: impl Fn(&Pattern, &mut Bitset)) -> Bitset {
        let mut marked = Bitset::none(self.rows.len());
        for pattern in patterns {
            mark(pattern, &mut marked);
        }
        marked
    }

    fn mark_field(&self, field: Field, pattern: &Pattern, marked: &mut Bitset) {
        let pattern = pattern.folded();
        let indexed = Indexed::Field(field);
        match field {
            Field::Name => self.dictionary.mark_occurrences(indexed, &pattern, marked),
            Field::Account => {
                self.dictionary.mark_matching(indexed, &pattern, marked);
                self.dictionary.mark_matching(Indexed::Alias, &pattern, marked);
            }
            Field::Profile => {
                for entry in self.dictionary.entries(indexed) {
                    let arn = self.dictionary.text(entry);
                    let name = arn.rsplit('/').next().unwrap_or(arn);
                    if pattern.matches(arn) || pattern.matches(name) {
                        self.dictionary.mark(entry, marked);
                    }
                }
            }
            Field::Id
            | Field::Region
            | Field::AvailabilityZone
            | Field::InstanceType
            | Field::Vpc
            | Field::Image
            | Field::AutoScalingGroup
            | Field::Rule => self.dictionary.mark_matching(indexed, &pattern, marked),
        }
    }

    fn ordered(&self, matches: &Bitset, sort: Sort) -> Vec<u32> {
        let mut ordered = Ordered { rows: Vec::with_capacity(matches.count()), left: matches.clone() };
        match sort.column {
            Column::Name => self.by_text(Indexed::Field(Field::Name), sort, &mut ordered),
            Column::InstanceId => self.by_text(Indexed::Field(Field::Id), sort, &mut ordered),
            Column::Account => self.by_text(Indexed::Alias, sort, &mut ordered),
            Column::Region => self.by_text(Indexed::Field(Field::Region), sort, &mut ordered),
            Column::InstanceType => self.by_text(Indexed::Field(Field::InstanceType), sort, &mut ordered),
            Column::AvailabilityZone => {
                self.by_text(Indexed::Field(Field::AvailabilityZone), sort, &mut ordered)
            }
            Column::AutoScalingGroup => {
                self.by_text(Indexed::Field(Field::AutoScalingGroup), sort, &mut ordered)
            }
            Column::ImageId => self.by_text(Indexed::Field(Field::Image), sort, &mut ordered),
            Column::VpcId => self.by_text(Indexed::Field(Field::Vpc), sort, &mut ordered),
            Column::State => self.by_facet(Facet::State, sort, &mut ordered),
            Column::Verdict => self.by_facet(Facet::Verdict, sort, &mut ordered),
            Column::Policy => self.by_facet(Facet::Policy, sort, &mut ordered),
            Column::HttpTokens => self.by_facet(Facet::Tokens, sort, &mut ordered),
            Column::HttpEndpoint => self.by_facet(Facet::Endpoint, sort, &mut ordered),
            Column::HopLimit => by_number(self.columns.hop_limit(), sort, &mut ordered),
            Column::LaunchTime => self.by_launch(sort, &mut ordered),
        }
        ordered.finish()
    }

    fn by_text(&self, indexed: Indexed, sort: Sort, ordered: &mut Ordered) {
        let entries = self.dictionary.entries(indexed);
        let mut take = |entry| ordered.take(self.dictionary.rows(entry));
        if sort.descending { entries.rev().for_each(&mut take) } else { entries.for_each(&mut take) }
    }

    fn by_facet(&self, facet: Facet, sort: Sort, ordered: &mut Ordered) {
        let column = self.columns.facet(facet);
        let known = facet.values().iter().filter(|value| **value != "none").count();
        let mut buckets = vec![Vec::new(); known];
        for row in ordered.left.iter() {
            // `none` stays behind and comes last.
            if let Some(bucket) = buckets.get_mut(column[row as usize].trailing_zeros() as usize) {
                bucket.push(row);
            }
        }
        ordered.take_buckets(&buckets, sort);
    }

    fn by_launch(&self, sort: Sort, ordered: &mut Ordered) {
        let launched = self.columns.launched();
        let equal = |left: &u32, right: &u32| launched[*left as usize] == launched[*right as usize];
        let groups = self.columns.by_launch().chunk_by(equal);
        if sort.descending {
            groups.rev().for_each(|group| ordered.take(group));
        } else {
            groups.for_each(|group| ordered.take(group));
        }
    }
}

fn by_number(column: &[u8], sort: Sort, ordered: &mut Ordered) {
    let mut buckets = vec![Vec::new(); usize::from(u8::MAX)];
    for row in ordered.left.iter() {
        // 0 is an unknown number: it stays behind and comes last.
        if let Some(bucket) = usize::from(column[row as usize]).checked_sub(1) {
            buckets[bucket].push(row);
        }
    }
    ordered.take_buckets(&buckets, sort);
}

/// Rows in their order, and those that have no place in it yet.
struct Ordered {
    rows: Vec<u32>,
    left: Bitset,
}

impl Ordered {
    /// Takes those of `rows` that matched.
    fn take(&mut self, rows: &[u32]) {
        for &row in rows {
            if self.left.remove(row) {
                self.rows.push(row);
            }
        }
    }

    fn take_buckets(&mut self, buckets: &[Vec<u32>], sort: Sort) {
        if sort.descending {
            buckets.iter().rev().for_each(|bucket| self.take(bucket));
        } else {
            buckets.iter().for_each(|bucket| self.take(bucket));
        }
    }

    /// The rows, with those that have no value in the sorted column at the end.
    fn finish(mut self) -> Vec<u32> {
        self.rows.extend(self.left.iter());
        self.rows
    }
}
