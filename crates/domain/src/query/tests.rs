//! What holds of the parser as a whole: it never panics, points at mistakes, and reads back what it writes.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn canonical(text: &str) -> String {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).to_string()
}

/// The mistake as `characters that are marked | message | suggestion`.
#[track_caller]
fn mistake(text: &str) -> String {
    let error = Query::parse(text).expect_err(text);
    let marked: String =
        text.chars().skip(error.start as usize).take((error.end - error.start) as usize).collect();
    format!(
        "{}..{} `{marked}` {} [{}]",
        error.start,
        error.end,
        error.message,
        error.suggestion.unwrap_or_default()
    )
}

#[test]
fn each_spelling_has_one_canonical_form() {
    for (text, expected) in [
        ("", ""),
        ("  \t ", ""),
        ("web", "web"),
        ("STATE:Running,stopped", "state:running,stopped"),
        ("state:stopped,running,running", "state:running,stopped"),
        ("verdict:safe", "verdict:enforced,endpoint-disabled"),
        ("a AND b", "a b"),
        ("NOT a", "-a"),
        ("--a", "a"),
        ("((a))", "a"),
        ("(a b) c", "a b c"),
        ("a OR (b OR c)", "a OR b OR c"),
        ("a b OR c d", "a b OR c d"),
        ("(a OR b) c", "(a OR b) c"),
        ("-(a b)", "-(a b)"),
        ("-(a OR b)", "-(a OR b)"),
        ("(a)b", "a b"),
        ("\"two words\"", "\"two words\""),
        ("\"web\"", "web"),
        ("\"OR\" or", "\"OR\" or"),
        ("\"a:b\"", "\"a:b\""),
        ("\"-a\"", "\"-a\""),
        ("a-b", "a-b"),
        ("\"a\"b", "ab"),
        (r#""say \"x\" \\ \n""#, r#""say \"x\" \\ \\n""#),
        ("tag:\"cost center\"=\"a b\"", "tag:\"cost center\"=\"a b\""),
        ("tag:aws:autoscaling:groupName=x=y", "tag:aws:autoscaling:groupName=x=y"),
        ("tag:team,owner", "tag:team,owner"),
        ("tag:team=a,b", "tag:team=a,b"),
        ("tag:team=\"\"", "tag:team=\"\""),
        ("tag:\"a=b\"=c", "tag:\"a=b\"=c"),
        ("tag:team=*pay*", "tag:team=*pay*"),
        ("name:\"a*b\"", "name:\"a*b\""),
        ("name:a**b", "name:a*b"),
        ("hop:=2,>3,<=1", "hop:2,>3,<=1"),
        ("age:>90d,<007h", "age:>90d,<7h"),
        ("id:i-1,i-2", "id:i-1,i-2"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
        assert_eq!(canonical(expected), expected, "{text}");
    }
}

#[test]
fn mistakes_point_at_the_characters() {
    let texts = [
        "web sate:running",
        "arn:aws:iam",
        ":x",
        "zone:a",
        "state:runing",
        "state:",
        "state:running,",
        "state:running,,stopped",
        "state:x,running",
        "é state:x",
        "web \"open",
        "\"open\\",
        "a OR",
        "OR a",
        "a AND",
        "a OR OR b",
        "NOT",
        "(a",
        "a)",
        "()",
        "a - b",
        "web(1)",
        "hop:x",
        "hop:65",
        "hop:>",
        "hop:+1",
        "age:90d",
        "age:<=2h",
        "age:>90",
        "age:>d",
        "age:>99999999999d",
        "tag:",
        "tag:=x",
        "tag:a=",
        "tag:a,b=c",
        "name:\"\"",
        "\"\"",
        "a,",
    ];
    let report: Vec<String> = texts.iter().map(|text| format!("{text:<24} {}", mistake(text))).collect();
    insta::assert_snapshot!(report.join("\n"));
    assert!(mistake("a\u{7}b").starts_with("1..2"));
    assert!(mistake("\"a\nb\"").starts_with("2..3"));
}

#[test]
fn length_depth_and_work_are_bounded() {
    assert!(Query::parse(&"a ".repeat(MAX_TEXTS)).is_ok());
    assert!(mistake(&"a ".repeat(MAX_TEXTS + 1)).contains("free text"));
    assert!(Query::parse(&format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH))).is_ok());
    assert!(mistake(&"(".repeat(MAX_CHARS)).contains("nests"));
    assert!(mistake(&"-".repeat(MAX_CHARS)).contains("nests"));
    assert!(mistake(&"é".repeat(MAX_CHARS + 1)).contains("2000 characters"));
    assert!(Query::parse(&"é".repeat(MAX_CHARS)).is_ok());
}

#[test]
fn the_documentation_has_every_key_value_and_example() {
    const DOCUMENTATION: &str = include_str!("../../../../docs/query.md");
    for info in KEYS {
        assert!(DOCUMENTATION.contains(&format!("| `{}:` |", info.name)), "{}", info.name);
        assert!(Query::parse(info.example).is_ok(), "{}", info.example);
        if let Key::Facet(facet) = info.key {
            let row = DOCUMENTATION.lines().find(|line| line.starts_with(&format!("| `{}:` |", info.name)));
            for word in facet.words() {
                assert!(row.is_some_and(|row| row.contains(&format!("`{word}`"))), "{} {word}", info.name);
            }
        }
    }
    let examples = DOCUMENTATION.split("## Examples").nth(1).and_then(|rest| rest.split("## Grammar").next());
    let queries =
        examples.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut count = 0;
    for query in queries {
        assert!(Query::parse(query).is_ok(), "{query}");
        count += 1;
    }
    assert!(count >= 5, "the examples were found");
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9._/@-]{1,6}",
        1 => "[ -~]{1,6}",
        1 => "[äß東Σ\u{a0} \"\\\\:=,*()-]{1,4}",
        1 => Just("OR".to_owned()),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        3 => part().prop_map(Pattern::literal),
        1 => prop::collection::vec(prop_oneof![part(), Just(String::new())], 2..4).prop_map(Pattern::from_parts),
    ]
}

fn some<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, 1..3)
}

fn facet_term() -> impl Strategy<Value = Term> {
    let facets: Vec<Facet> = KEYS
        .iter()
        .filter_map(|info| match info.key {
            Key::Facet(facet) => Some(facet),
            Key::Field(_) | Key::Tag | Key::Hop | Key::Age => None,
        })
        .collect();
    (prop::sample::select(facets), some(any::<prop::sample::Index>())).prop_map(|(facet, picks)| {
        let values = picks.iter().map(|pick| pick.index(facet.values().len()) as u8);
        Term::Facet { facet, values: values.fold(ValueSet::default(), ValueSet::with) }
    })
}

fn field_term() -> impl Strategy<Value = Term> {
    let fields: Vec<Field> = KEYS
        .iter()
        .filter_map(|info| match info.key {
            Key::Field(field) => Some(field),
            Key::Facet(_) | Key::Tag | Key::Hop | Key::Age => None,
        })
        .collect();
    (prop::sample::select(fields), some(pattern())).prop_map(|(field, values)| Term::Field { field, values })
}

fn term() -> impl Strategy<Value = Term> {
    let comparison = prop::sample::select(vec![
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Equal,
        Comparison::GreaterOrEqual,
        Comparison::Greater,
    ]);
    let hop = (comparison, 0..=64u8).prop_map(|(comparison, hop_limit)| HopTest { comparison, hop_limit });
    let unit = prop::sample::select(vec![AgeUnit::Minutes, AgeUnit::Hours, AgeUnit::Days, AgeUnit::Weeks]);
    let age = (prop::sample::select(vec![Than::Older, Than::Younger]), 0..=99_999u32, unit)
        .prop_map(|(than, amount, unit)| AgeTest { than, amount, unit });
    let value = prop_oneof![9 => pattern(), 1 => Just(Pattern::literal(""))];
    prop_oneof![
        some(pattern()).prop_map(Term::Text),
        facet_term(),
        field_term(),
        some(pattern()).prop_map(Term::TagExists),
        (pattern(), some(value)).prop_map(|(key, values)| Term::TagIs { key, values }),
        some(hop).prop_map(Term::Hop),
        some(age).prop_map(Term::Age),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    term().prop_map(Expr::Term).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_is_written_reads_back_the_same(expr in expr()) {
        let query = Query::new(expr);
        let text = query.to_string();
        // Free text and nesting are bounded by the parser, not by the types.
        match Query::parse(&text) {
            Ok(read) => prop_assert_eq!(read, query, "{}", text),
            Err(error) => prop_assert!(error.message.contains("at most"), "{}: {:?}", text, error),
        }
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn no_text_panics_and_every_mistake_lies_in_it(
        text in prop_oneof![
            any::<String>(),
            "[a-c:,=*()\"\\\\ <>0-9-]{0,24}",
            "((state|tag|hop|age|name|foo)[:=]|[()\"-]| OR | |NOT |>|9d|running|\\*|,){0,12}",
        ],
        cursor in 0..30u32,
    ) {
        let length = text.chars().count() as u32;
        match Query::parse(&text) {
            Ok(query) => {
                let spelled = query.to_string();
                prop_assert_eq!(Query::parse(&spelled), Ok(query), "{}", spelled);
            }
            Err(error) => prop_assert!(error.start <= error.end && error.end <= length, "{:?}", error),
        }
        for completion in complete(&text, cursor, &Vocabulary::default()) {
            prop_assert!(completion.start <= completion.end && completion.end <= length);
        }
        let _ = toggle_term(&text, "state:running");
    }
}
