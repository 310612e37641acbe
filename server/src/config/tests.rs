//! The layers' order, and the message of each kind of mistake.

use std::io::Write;

use super::*;

fn load(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, String> {
    let mut written =
        tempfile::Builder::new().prefix("tollgate-").suffix(".toml").tempfile().expect("a temporary file");
    written.write_all(file.as_bytes()).expect("the file is written");
    let path = written.path().to_path_buf();
    let flags = Flags {
        file: Some(path.clone()),
        values: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables = variables.chain([("TOLLGATE_DATABASE_URL".to_owned(), "sqlite::memory:".to_owned())]);
    Config::load(flags, variables)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "tollgate.toml"))
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "page_size = 100\n[server]\nlisten = \"127.0.0.1:1\"\n";
    let from_file = load(file, &[], &[]).expect("a good file");
    assert_eq!((from_file.fleet.page_size, from_file.listen.port()), (100, 1));
    let variables = [("TOLLGATE_PAGE_SIZE", "200"), ("TOLLGATE_LISTEN", "127.0.0.1:2")];
    assert_eq!(load(file, &variables, &[]).expect("good variables").fleet.page_size, 200);
    let flagged = load(file, &variables, &[("page_size", "300")]).expect("a good flag");
    assert_eq!((flagged.fleet.page_size, flagged.listen.port()), (300, 2));
}

#[test]
fn each_mistake_names_its_place_and_key() {
    let message = |file: &str| load(file, &[], &[]).expect_err("a mistake");
    insta::assert_snapshot!(message("\npage_sice = 5\n"), @"tollgate.toml:2: there is no key page_sice; did you mean page_size?");
    insta::assert_snapshot!(message("page_size = 4\n"), @"tollgate.toml:1: page_size is the number 4; it must be a whole number from 5 to 1000");
    insta::assert_snapshot!(message("page_size = true\n"), @"tollgate.toml:1: page_size is true; it must be a whole number from 5 to 1000");
    insta::assert_snapshot!(message("[server]\n\nlisten = \"here\"\n"), @r#"tollgate.toml:3: server.listen is "here"; it must be an address and port such as 127.0.0.1:3000"#);
    insta::assert_snapshot!(message("[[accounts]]\nid = \"1\"\n"), @"tollgate.toml:2: accounts.id is not a 12-digit account id in quotes");
    insta::assert_snapshot!(message("[[accounts]]\nalias = \"prod\"\n"), @"tollgate.toml:1: accounts.id is missing");
    insta::assert_snapshot!(message("[[accounts]]\nid = \"111111111111\"\nrole = \"x\"\n"), @"tollgate.toml:3: there is no key accounts.role");
    insta::assert_snapshot!(message("refresh_interval = \"often\"\n"), @r#"tollgate.toml:1: refresh_interval is "often"; it must be a duration such as 90s, 5m, 2h or 7d, from 5s to 86400s"#);
    insta::assert_snapshot!(message("regions = \"eu-west-1\"\n"), @r#"tollgate.toml:1: regions is "eu-west-1"; it must be a list of texts"#);
    insta::assert_snapshot!(message("stale_after = \"1m\"\n"), @"tollgate.toml:1: stale_after is shorter than refresh_interval, so every copy would be stale");
    assert!(message("page_size = \n").starts_with("tollgate.toml:1: "));
}

#[test]
fn a_bad_variable_or_flag_is_named_as_such() {
    let variable = load("", &[("TOLLGATE_PAGE_SIZE", "many")], &[]).expect_err("a mistake");
    insta::assert_snapshot!(variable, @r#"TOLLGATE_PAGE_SIZE: page_size is "many"; it must be a whole number from 5 to 1000"#);
    let flag = load("", &[], &[("page_size", "0")]).expect_err("a mistake");
    insta::assert_snapshot!(flag, @r#"--page-size: page_size is "0"; it must be a whole number from 5 to 1000"#);
    let unknown = load("", &[("TOLLGATE_PAGESIZE", "5")], &[]).expect_err("a mistake");
    insta::assert_snapshot!(unknown, @"TOLLGATE_PAGESIZE: there is no such variable; did you mean TOLLGATE_PAGE_SIZE?");
}

#[test]
fn each_mistake_about_who_may_sign_in_names_its_place_and_key() {
    const AUTH: &str = "[auth]\npublic_url = \"https://tollgate.example.com\"\n";
    const ISSUER: &str =
        "[[issuers]]\nname = \"Okta\"\nurl = \"https://example.okta.com\"\nclient_id = \"c\"\n";
    const GRANT: &str = "[[grants]]\ngroup = \"platform\"\nrole = \"viewer\"\n";
    let all = [AUTH, ISSUER, GRANT].concat();
    let auth = load(&all, &[], &[]).expect("a good file").auth.expect("an issuer");
    assert_eq!((auth.issuers[0].groups_claim.as_str(), auth.grants.len()), ("groups", 1));
    let message = |file: &str| load(file, &[], &[]).expect_err("a mistake");
    insta::assert_snapshot!(message(&[ISSUER, GRANT].concat()), @"tollgate.toml:2: issuers.name needs auth.public_url, the address under which browsers reach the console: issuers send them back there");
    insta::assert_snapshot!(message(AUTH), @"tollgate.toml:2: auth.public_url is set, but nobody can sign in: add [[issuers]]");
    insta::assert_snapshot!(message(GRANT), @"tollgate.toml:2: grants.group gives a role, but nobody can sign in: add [[issuers]]");
    insta::assert_snapshot!(message(&[AUTH, ISSUER].concat()), @"tollgate.toml:4: issuers.name signs people in, but no group has a role: add [[grants]]");
    insta::assert_snapshot!(message(&all.replace("viewer", "root")), @r#"tollgate.toml:9: grants.role is "root", and there is no such role: viewer, operator, releaser, approver, reporter, administrator"#);
    insta::assert_snapshot!(message(&all.replace("https://tollgate", "http://tollgate")), @"tollgate.toml:2: auth.public_url is not https: sign-in over plain HTTP can be read by everyone in between");
    insta::assert_snapshot!(message(&all.replace("https://example", "http://example")), @"tollgate.toml:5: issuers.url is not https: keys and tokens over plain HTTP prove nothing");
    insta::assert_snapshot!(message(&format!("{all}issuer = \"Dex\"\n")), @r#"tollgate.toml:10: grants.issuer is "Dex", and no issuer has that name"#);
    insta::assert_snapshot!(message(&format!("{all}accounts = []\n")), @"tollgate.toml:10: grants.accounts must be a list of texts in quotes that is not empty");
    let account = "[[accounts]]\nid = \"111111111111\"\nalias = \"prod\"\n";
    let limited = |pattern: &str| format!("{all}accounts = [\"{pattern}\"]\n{account}");
    for known in ["prod", "111111111111", "pr*"] {
        load(&limited(known), &[], &[]).expect("a known account");
    }
    insta::assert_snapshot!(message(&limited("dev")), @r#"tollgate.toml:10: grants.accounts has "dev", which is no account of [[accounts]]"#);
    insta::assert_snapshot!(message(&limited("p*d")), @r#"tollgate.toml:10: grants.accounts has "p*d", and * stands for any rest at the end only"#);
    insta::assert_snapshot!(message("[server]\ntrusted_proxies = [\"ten\"]\n"), @r#"tollgate.toml:2: server.trusted_proxies has "ten", which is no range of addresses such as 10.0.0.0/8"#);
}

#[test]
fn each_mistake_about_which_runs_may_report_names_its_place_and_key() {
    const SIGN_IN: &str = "[auth]\npublic_url = \"https://tollgate.example.com/\"\n\
        [[issuers]]\nname = \"Okta\"\nurl = \"https://example.okta.com\"\nclient_id = \"c\"\n\
        [[grants]]\ngroup = \"platform\"\nrole = \"viewer\"\n";
    let file = |rule: &str| format!("{SIGN_IN}[[workflows]]\n{rule}\n");
    let good = file("repository = \"acme/shop\"\nrefs = [\"refs/heads/main\"]");
    let auth = load(&good, &[], &[]).expect("a good file").auth.expect("an issuer");
    let workflow = &auth.workflows[0];
    assert_eq!(workflow.audience, "https://tollgate.example.com", "as the command line names the server");
    assert_eq!(workflow.issuer, "https://token.actions.githubusercontent.com");
    let message = |rule: &str| load(&file(rule), &[], &[]).expect_err("a mistake");
    insta::assert_snapshot!(message("refs = [\"*\"]"), @"tollgate.toml:10: workflows.repository is missing");
    insta::assert_snapshot!(message("repository = \"acme/shop\""), @"tollgate.toml:10: workflows.refs and environments are both empty, so that every branch could report: name refs/heads/main, or * to mean it");
    insta::assert_snapshot!(message("repository = \"shop\"\nrefs = [\"*\"]"), @"tollgate.toml:11: workflows.repository is not written owner/name, or owner/* for all of an owner");
    insta::assert_snapshot!(message("repository = \"*/shop\"\nrefs = [\"*\"]"), @r#"tollgate.toml:11: workflows.repository has "*/shop", and * stands for any rest at the end only"#);
    insta::assert_snapshot!(message("repository = \"*\"\nrefs = [\"*\"]"), @"tollgate.toml:11: workflows.repository is not written owner/name, or owner/* for all of an owner");
    insta::assert_snapshot!(message("repository = \"acme/shop\"\nref = [\"*\"]"), @"tollgate.toml:12: there is no key workflows.ref; did you mean refs?");
    insta::assert_snapshot!(message("repository = \"acme/shop\"\nrefs = [\"*\"]\nissuer = \"http://example.com\""), @"tollgate.toml:13: workflows.issuer is not https: keys and tokens over plain HTTP prove nothing");
    let alone = load("[[workflows]]\nrepository = \"acme/shop\"\nrefs = [\"*\"]\n", &[], &[]);
    insta::assert_snapshot!(alone.expect_err("a mistake"), @"tollgate.toml:2: workflows.repository may report, but nobody can sign in: add [[issuers]]");
}

#[test]
fn the_example_file_is_read_and_names_every_key() {
    let example = include_str!("../../../tollgate.example.toml");
    for key in KEYS {
        let name = key.path.rsplit('.').next().unwrap_or(key.path);
        assert!(
            example
                .lines()
                .any(|line| line.trim_start_matches('#').trim_start().starts_with(&format!("{name} ="))),
            "tollgate.example.toml does not document {}",
            key.path
        );
    }
    // Uncommented, each example is a valid value. Alternatives, which cannot stand together, have a space after the sign.
    let uncommented: String = example
        .lines()
        .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let secrets = [("TOLLGATE_SECRET_CHAT", "0123456789abcdef"), ("TOLLGATE_SECRET_OKTA", "secret")];
    load(&uncommented, &secrets, &[]).expect("the example is valid");
}

#[test]
fn the_readme_has_a_row_for_every_key() {
    let readme = include_str!("../../../README.md");
    for key in KEYS {
        let flag = key.flag.map_or(String::new(), |flag| format!("`--{flag}`"));
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let row = format!("| `{}` | `{}` | {flag} | {default} | {} |", key.path, key.variable, key.about);
        assert!(readme.contains(&row), "README.md lacks the row\n{row}");
    }
}
