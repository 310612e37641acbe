//! Edits.
use super::*;
#[test]
fn smoke() {
    let out =
        edit("image:\n  tag: 1.2.3 # c\n", &[Change::set(KeyPath::root(0).keys(["image", "tag"]), "1.10")])
            .unwrap();
    assert_eq!(out, "image:\n  tag: \"1.10\" # c\n");
}
