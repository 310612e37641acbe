//! Which tags the updater takes, case by case.

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap_or_else(|| panic!("{text} is a version"))
}

#[test]
fn tags_are_read_leniently() {
    assert_eq!(version("v1.2"), version("1.2.0"));
    assert_eq!(version("1"), version("1.0.0+build.7"));
    assert_eq!(version("01.002.3"), version("1.2.3"));
    assert_eq!(version("1234567").major, 1_234_567, "a SHA of digits alone");
    for text in [
        "",
        "v",
        "latest",
        "1.2.3.4",
        "1..2",
        "1.2.",
        "a1b2c3d",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2+",
        "+1",
        "-1",
        "1.+2",
        "1_2",
        "99999999999999999999",
    ] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
}

#[test]
fn versions_are_ordered_by_precedence() {
    let ascending = [
        "0.9.9",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.10.0",
        "2",
    ];
    for pair in ascending.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
    }
}

#[test]
fn constraints_allow_what_the_updater_allows() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("", &["0.0.1", "7.1.2"], &["1.0.0-rc.1"]),
        ("*", &["0.0.1", "7.1.2"], &["1.0.0-rc.1"]),
        ("x", &["0.0.1"], &["1.0.0-rc.1"]),
        ("~1.26", &["1.26.0", "1.26.9"], &["1.27.0", "1.25.9", "2.26.0", "1.26.1-rc.1"]),
        ("~1.26.3", &["1.26.3", "1.26.9"], &["1.26.2", "1.27.0"]),
        ("~1", &["1.0.0", "1.99.0"], &["0.9.0", "2.0.0"]),
        ("~>1.2", &["1.2.7"], &["1.3.0"]),
        ("~0", &["0.0.0", "0.9.0"], &["1.0.0"]),
        ("~0.0.0", &["0.0.0", "8.0.0"], &[]),
        ("1.x", &["1.0.0", "1.99.3"], &["2.0.0", "0.9.0", "1.2.0-rc.1"]),
        ("0.x", &["0.0.1", "0.99.0"], &["1.0.0"]),
        ("1.2.x", &["1.2.0", "1.2.9"], &["1.3.0"]),
        ("1", &["1.0.0", "1.5.0"], &["2.0.0"]),
        ("=1.2", &["1.2.5"], &["1.3.0"]),
        ("1.x.3", &["1.0.0", "1.9.9"], &["2.0.0"]),
        ("2.x-0", &["2.0.0-0", "2.1.0-rc.1", "2.1.0"], &["1.9.0", "3.0.0"]),
        ("1.2.3", &["1.2.3", "v1.2.3"], &["1.2.4", "1.2.3-rc.1"]),
        ("1.2.3-rc.1", &["1.2.3-rc.1"], &["1.2.3", "1.2.3-rc.2"]),
        ("^1", &["1.0.0", "1.9.0"], &["2.0.0", "0.9.0"]),
        ("^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0"]),
        ("^0", &["0.0.0", "0.9.9"], &["1.0.0"]),
        ("^0.2", &["0.2.0", "0.2.9"], &["0.3.0", "1.2.0"]),
        ("^0.2.3", &["0.2.3", "0.2.9"], &["0.2.2", "0.3.0"]),
        ("^0.0", &["0.0.0", "0.0.9"], &["0.1.0"]),
        ("^0.0.3", &["0.0.3"], &["0.0.2", "0.0.4"]),
        ("^*", &["0.0.3", "9.9.9"], &[]),
        (">=1.2 <2", &["1.2.0", "1.9.9"], &["1.1.9", "2.0.0", "1.5.0-rc.1"]),
        (">= 1.2, < 2", &["1.2.0", "1.9.9"], &["1.1.9", "2.0.0"]),
        (">=1.2.0-0 <2", &["1.2.0-alpha", "1.5.0-rc.1", "1.9.9"], &["1.1.9", "2.0.0"]),
        (">1", &["2.0.0"], &["1.0.0", "1.9.9", "0.1.0"]),
        (">1.2", &["1.3.0", "2.0.0"], &["1.2.9"]),
        (">1.2.3", &["1.2.4"], &["1.2.3"]),
        ("<=1", &["1.0.0", "1.9.9", "0.1.0"], &["2.0.0"]),
        ("<=1.2", &["1.2.9", "1.0.0"], &["1.3.0", "2.0.0"]),
        ("<=1.2.3", &["1.2.3"], &["1.2.4"]),
        ("<1.2", &["1.1.9"], &["1.2.0"]),
        ("=>1.2", &["1.2.0"], &["1.1.0"]),
        ("=<1.2.0", &["1.2.0"], &["1.2.1"]),
        ("!=1.2.3", &["1.2.4"], &["1.2.3"]),
        ("!=1.2", &["1.3.0", "2.2.0"], &["1.2.0", "1.2.9"]),
        ("!=1.x", &["2.0.0"], &["1.0.0", "1.9.0"]),
        ("1.2 - 1.4", &["1.2.0", "1.4.9"], &["1.1.0", "1.5.0"]),
        ("1.2.3 - 1.4.5", &["1.2.3", "1.4.5"], &["1.2.2", "1.4.6"]),
        ("~1.2 || ^3", &["1.2.1", "3.9.0"], &["1.3.0", "2.0.0", "4.0.0"]),
        (">=1.0.0-beta <2 || >3", &["1.0.0-rc.1", "4.0.0"], &["4.0.0-rc.1", "2.5.0"]),
        ("v1.x", &["1.0.0"], &["2.0.0"]),
        ("1.2.3+build", &["1.2.3"], &["1.2.4"]),
    ];
    for (text, allowed, refused) in cases {
        let constraint = Constraint::parse(text).unwrap_or_else(|error| panic!("{error}"));
        for tag in *allowed {
            assert!(constraint.allows(&version(tag)), "{text:?} allows {tag}");
        }
        for tag in *refused {
            assert!(!constraint.allows(&version(tag)), "{text:?} refuses {tag}");
        }
    }
}

#[test]
fn what_is_no_constraint_is_refused() {
    for text in [
        "latest", "1.2.3.4", "1.y", "~", ">=", "1.2,", ", 1.2", "1.2 -", "~1 ||| 2", "a.b.c", "1.2.3-",
        "^^1", "~=1.2", "1.2.3+",
    ] {
        assert!(Constraint::parse(text).is_err(), "{text:?}");
    }
    let error = Constraint::parse("main").unwrap_err().to_string();
    assert_eq!(
        error,
        "\"main\" is no version constraint: write one such as 1.x, ~1.26, ^2.1 or \">=1.2 <2\""
    );
}

#[test]
fn globs_match_as_those_of_go() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("*", &["", "1.2.3", "latest"], &[]),
        ("latest", &["latest"], &["Latest", "latest-1", ""]),
        ("1.*", &["1.", "1.2.3"], &["2.1."]),
        ("*-rc*", &["1.0-rc1", "-rc"], &["1.0"]),
        ("*a*b*c", &["abc", "xaxbxc", "aabbcc"], &["acb", "abcd"]),
        ("v?.?", &["v1.2"], &["v1.", "v10.2"]),
        ("[a-f]*", &["abc", "f"], &["g1", "", "A"]),
        ("[^0-9]*", &["main"], &["1.2"]),
        ("[abc-]x", &[], &["ax"]),
        ("\\*", &["*"], &["a"]),
        ("[\\]a]", &["]", "a"], &["b"]),
        ("[", &[], &["["]),
        ("[]a]", &[], &["a", "]"]),
        ("a\\", &[], &["a", "a\\"]),
        ("", &[""], &["a"]),
        ("é*", &["été"], &["ete"]),
    ];
    for (glob, matching, others) in cases {
        for tag in *matching {
            assert!(glob_matches(glob, tag), "{glob:?} matches {tag:?}");
        }
        for tag in *others {
            assert!(!glob_matches(glob, tag), "{glob:?} does not match {tag:?}");
        }
    }
}

#[test]
fn tags_are_judged_by_the_strategy() {
    let judge = |tag, strategy, constraint, ignored: &[&str]| {
        let ignored: Vec<String> = ignored.iter().map(|text| (*text).to_owned()).collect();
        judge_tag(tag, strategy, constraint, &ignored)
    };
    let outside = |text: &str| TagVerdict::OutsideConstraint { constraint: text.into() };
    assert_eq!(judge("1.2.3", UpdateStrategy::Semver, Some("1.x"), &["2.*"]), TagVerdict::Eligible);
    assert_eq!(judge("1.2.3", UpdateStrategy::Semver, Some("0.x"), &[]), outside("0.x"));
    assert_eq!(judge("1.2.3", UpdateStrategy::Semver, None, &[]), TagVerdict::Eligible);
    assert_eq!(judge("1.2.3-rc.1", UpdateStrategy::Semver, None, &[]), outside(""));
    assert_eq!(judge("a1b2c3d", UpdateStrategy::Semver, None, &[]), TagVerdict::NotAVersion);
    assert_eq!(judge("a1b2c3d", UpdateStrategy::NewestBuild, Some("0.x"), &[]), TagVerdict::Eligible);
    assert_eq!(
        judge("1.0", UpdateStrategy::Alphabetical, None, &["*"]),
        TagVerdict::Ignored { pattern: "*".into() }
    );
    assert_eq!(judge("main", UpdateStrategy::Digest, Some("main"), &[]), TagVerdict::Eligible);
    assert_eq!(
        judge("1.0", UpdateStrategy::Digest, Some("main"), &[]),
        TagVerdict::NotTheFollowedTag { followed: Some("main".into()) }
    );
    assert_eq!(
        judge("1.0", UpdateStrategy::Digest, None, &[]),
        TagVerdict::NotTheFollowedTag { followed: None }
    );
    let invalid = TagVerdict::InvalidConstraint { constraint: "main".into() };
    assert_eq!(judge("1.0", UpdateStrategy::Semver, Some("main"), &[]), invalid);
    for strategy in [
        UpdateStrategy::Semver,
        UpdateStrategy::NewestBuild,
        UpdateStrategy::Alphabetical,
        UpdateStrategy::Digest,
    ] {
        assert_eq!(UpdateStrategy::parse(strategy.as_str()), Some(strategy));
    }
    assert_eq!(UpdateStrategy::parse("latest"), Some(UpdateStrategy::NewestBuild));
    assert_eq!(UpdateStrategy::parse("calver"), None);
}

/// Globs of literals, `*` and `?`, matched by trying everything.
fn matches_by_trying(glob: &[char], tag: &[char]) -> bool {
    match (glob.split_first(), tag.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => matches_by_trying(rest, tag),
        (Some(('*', rest)), Some((_, further))) => {
            matches_by_trying(rest, tag) || matches_by_trying(glob, further)
        }
        (Some((one, rest)), Some((character, further))) => {
            (*one == '?' || one == character) && matches_by_trying(rest, further)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn globs_find_what_trying_everything_finds(glob in "[ab*?]{0,8}", tag in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<char>>();
        prop_assert_eq!(glob_matches(&glob, &tag), matches_by_trying(&chars(&glob), &chars(&tag)));
    }

    #[test]
    fn no_text_is_too_odd_to_be_read(text in r"[-0-9a.x*v^~<>=!|,+ \[\]\\é]{0,16}", tag in "[-0-9a.v+]{0,10}") {
        let _ = Constraint::parse(&text);
        glob_matches(&text, &tag);
        Version::parse(&text);
        judge_tag(&tag, UpdateStrategy::Semver, Some(&text), std::slice::from_ref(&text));
    }

    #[test]
    fn a_version_is_what_it_is_written_as(numbers in (0..50_u64, 0..50_u64, 0..50_u64), pre in "(-[a-z]{1,3}(\\.[1-9])?)?") {
        let (major, minor, patch) = numbers;
        let text = format!("{major}.{minor}.{patch}{pre}");
        let version = version(&text);
        prop_assert_eq!((version.major, version.minor, version.patch), numbers);
        let allows = |constraint: String| Constraint::parse(&constraint).unwrap().allows(&version);
        let within = [text.clone(), format!("^{text}"), format!("~{major}.{minor}-0"), format!(">={text}")];
        for constraint in within {
            prop_assert!(allows(constraint));
        }
        let below = format!("<{text}");
        prop_assert!(!allows(below));
    }
}
