//! The index answers as the naive reference does, and finds what it was given.

use domain::list::{Column, FleetIndex, Sort};
use domain::query::Query;
use proptest::prelude::*;

use super::fleets::{fleet, now, query};
use super::reference;

fn sort() -> impl Strategy<Value = Sort> {
    (prop::sample::select(Column::ALL.to_vec()), any::<bool>())
        .prop_map(|(column, descending)| Sort { column, descending })
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_index_answers_as_the_reference(
        rows in fleet(),
        asked in prop::collection::vec((query(), sort()), 12),
    ) {
        let index = FleetIndex::build(rows.clone());
        for (text, sort) in asked {
            let query = Query::parse(&text).expect("the queries are valid");
            let answered: Vec<String> = index
                .select(&query, sort, now())
                .into_iter()
                .map(|position| index.rows()[position as usize].instance.key.to_string())
                .collect();
            prop_assert_eq!(answered, reference::select(&rows, &query, sort), "{} by {}", text, sort);
        }
    }

    #[test]
    fn every_row_is_found_by_its_key_and_id(rows in fleet()) {
        let index = FleetIndex::build(rows.clone());
        prop_assert_eq!(index.len() as usize, rows.len());
        prop_assert!(index.rows().is_sorted_by_key(|row| &row.instance.key));
        for row in &rows {
            let key = &row.instance.key;
            prop_assert_eq!(index.get(key).map(|found| &found.instance), Some(&row.instance));
            let same_id = rows.iter().filter(|other| other.instance.key.instance_id == key.instance_id).count();
            prop_assert_eq!(index.find_id(&key.instance_id).count(), same_id);
        }
        prop_assert_eq!(index.find_id("i-absent").count(), 0);
    }

    #[test]
    fn every_value_of_the_vocabulary_finds_as_many_as_it_says(rows in fleet()) {
        let index = FleetIndex::build(rows);
        let count = |query: &str| {
            let query = Query::parse(query).expect("the vocabulary can be asked for");
            index.select(&query, Sort::default(), now()).len() as u32
        };
        let vocabulary = index.vocabulary();
        for (key, known) in [
            ("region", &vocabulary.regions),
            ("account", &vocabulary.accounts),
            ("type", &vocabulary.instance_types),
            ("rule", &vocabulary.rules),
        ] {
            prop_assert!(known.is_sorted_by_key(|known| std::cmp::Reverse(known.instances)));
            for known in known {
                prop_assert_eq!(count(&format!("{key}:\"{}\"", known.value)), known.instances, "{}", known.value);
            }
        }
        for tag in vocabulary.tags {
            for known in tag.values {
                prop_assert_eq!(count(&format!("tag:\"{}\"=\"{}\"", tag.key, known.value)), known.instances);
            }
        }
    }
}

#[test]
fn nothing_is_in_an_empty_index() {
    let index = FleetIndex::empty();
    assert!(index.is_empty());
    for text in ["", "web", "-web", "*", "state:running", "tag:a=b", "name:*"] {
        let query = Query::parse(text).expect("a valid query");
        for column in Column::ALL {
            assert!(index.select(&query, Sort { column, descending: true }, now()).is_empty());
        }
    }
    assert_eq!(index.vocabulary(), domain::query::Vocabulary::default());
}
