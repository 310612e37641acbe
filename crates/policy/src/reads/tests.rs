//! Policies in every shape that reads the input.

use crate::config::RegoVersion;
use crate::modules;
use crate::rego::engine_of;

use super::*;

fn unsupported_in(files: &[&str], version: RegoVersion, query: &str) -> Option<String> {
    let files: Vec<modules::Module> = files
        .iter()
        .enumerate()
        .map(|(number, text)| modules::Module { file: format!("{number}.rego"), text: (*text).to_owned() })
        .collect();
    let mut engine = engine_of(&files, version).unwrap_or_else(|error| panic!("{error}: {files:?}"));
    unsupported_read(engine.get_modules(), &Query::parse(query).unwrap())
}

/// The unsupported read in the body of a rule.
fn unsupported(body: &str) -> Option<String> {
    unsupported_in(&[&format!("package p\n\nv if {{\n{body}\n}}\n")], RegoVersion::V1, "data.p.v")
}

#[test]
fn reads_of_what_is_kept_are_supported() {
    for body in [
        r#"input.MetadataOptions.HttpTokens == "optional""#,
        r#"input["MetadataOptions"]["HttpTokens"] == "optional""#,
        r#"input[`MetadataOptions`].HttpTokens == "optional""#,
        "input.MetadataOptions",
        "input",
        "count(input) > 0",
        "some tag in input.Tags; tag.Key == tag.Value",
        "input.Tags[_].Key == input.Tags[0].Value",
        "input.Tags[i].Key; i > 0",
        "every tag in input.Tags { tag.Key != \"x\" }",
        "some i, tag in input.Tags; i > 0; tag.Value",
        "some field; input.MetadataOptions[field] == 1",
        r#"input[name]; name == "SecurityGroups""#,
        r#"object.get(input, ["MetadataOptions", "HttpTokens"], "optional") == "optional""#,
        r#"object.get(input, "Tags", []) == []"#,
        r#"{"HttpTokens": tokens} = input.MetadataOptions; tokens == "optional""#,
        r#"x := {"SecurityGroups": 1}; x.SecurityGroups"#,
        r#"input.InstanceId == "input.SecurityGroups""#,
        "input.InstanceId == `input.SecurityGroups` # input.SecurityGroups",
        "data.config.SecurityGroups",
        "input.now; input.OwnerId; input.Region",
        r#"input.State.Name == "x" with input as {"SecurityGroups": []}"#,
        r#"input.SecurityGroups with input as {"SecurityGroups": []}"#,
        "object := {}; object.get; startswith(input.ImageId, \"ami\")",
    ] {
        assert_eq!(unsupported(body), None, "{body}");
    }
}

#[test]
fn every_spelling_of_another_read_is_found() {
    for (body, path) in [
        ("input.SecurityGroups", "input.SecurityGroups"),
        (r#"input["SecurityGroups"]"#, "input.SecurityGroups"),
        ("input[`SecurityGroups`]", "input.SecurityGroups"),
        (r#"input["a b"].c"#, r#"input["a b"]"#),
        ("input.SecurityGroups[_].GroupId == 1", "input.SecurityGroups"),
        ("input.MetadataOptions.Httptokens", "input.MetadataOptions.Httptokens"),
        (r#"input.MetadataOptions["Nope"]"#, "input.MetadataOptions.Nope"),
        ("input.InstanceId.Nope", "input.InstanceId.Nope"),
        ("input.Tags.team", "input.Tags.team"),
        ("input.Tags[_].Nope", "input.Tags[_].Nope"),
        ("input.Tags[0].Nope", "input.Tags[_].Nope"),
        ("input.MetadataOptions[0]", "input.MetadataOptions[_]"),
        ("not input.PublicIpAddress", "input.PublicIpAddress"),
        ("x := input.SubnetId; x", "input.SubnetId"),
        ("x := input.MetadataOptions; x.Nope", "input.MetadataOptions.Nope"),
        ("x.Nope; x := input.MetadataOptions", "input.MetadataOptions.Nope"),
        ("x = input.MetadataOptions; x.Nope", "input.MetadataOptions.Nope"),
        ("input.MetadataOptions = x; x.Nope", "input.MetadataOptions.Nope"),
        ("some tag in input.Tags; tag.Nope", "input.Tags[_].Nope"),
        ("some x in input.Volumes; x", "input.Volumes"),
        ("every tag in input.Tags { tag.Nope }", "input.Tags[_].Nope"),
        ("every x in input.Volumes { x.Size > 1 }", "input.Volumes"),
        ("count([x | x := input.Volumes[_]]) > 0", "input.Volumes"),
        ("count({tag.Nope | some tag in input.Tags}) > 0", "input.Tags[_].Nope"),
        (r#"{tag.Nope: 1 | some tag in input.Tags} == {}"#, "input.Tags[_].Nope"),
        ("input.Tags[input.Position].Key", "input.Position"),
        (r#"object.get(input, "Nope", 1) == 1"#, "input.Nope"),
        (r#"object.get(input, ["MetadataOptions", "Nope"], 1) == 1"#, "input.MetadataOptions.Nope"),
        (r#"object.get(input.MetadataOptions, "Nope", 1) == 1"#, "input.MetadataOptions.Nope"),
        (r#"object.get(object.get(input, "State", {}), "Nope", 1) == 1"#, "input.State.Nope"),
        (r#"object.get(input, "State", {}).Nope == 1"#, "input.State.Nope"),
        (r#"{"Nope": x} = input.MetadataOptions; x == 1"#, "input.MetadataOptions.Nope"),
        (r#"{"MetadataOptions": {"Nope": x}} = input; x == 1"#, "input.MetadataOptions.Nope"),
        (r#"1 in input.Nope"#, "input.Nope"),
        ("-input.Nope < 1", "input.Nope"),
        ("input.Nope + 1 == 2", "input.Nope"),
        (r#"{"a": [input.Nope]} == {}"#, "input.Nope"),
        ("startswith(input.Nope, \"x\")", "input.Nope"),
        (r#"data.x[input.Nope]"#, "input.Nope"),
        (r#"data.x with data.x as input.Nope"#, "input.Nope"),
    ] {
        assert_eq!(unsupported(body).as_deref(), Some(path), "{body}");
    }
}

#[test]
fn imports_rules_and_functions_hand_the_input_on() {
    for text in [
        "package p\n\nimport input.MetadataOptions as options\n\nv if options.Nope\n",
        "package p\n\nimport input.MetadataOptions\n\nv if MetadataOptions.Nope\n",
        "package p\n\noptions := input.MetadataOptions\n\nv if options.Nope\n",
        "package p\n\nv if options.Nope\n\noptions := o if o := input.MetadataOptions\n",
        "package p\n\nv if f(input.MetadataOptions)\n\nf(o) if o.Nope\n",
        "package p\n\nv if f(input)\n\nf(i) if g(i.MetadataOptions)\n\ng(o) if o.Nope\n",
        "package p\n\nv if options(input).Nope\n\noptions(i) := i.MetadataOptions\n",
        "package p\n\nv := x if x := input.MetadataOptions.Nope\n",
        "package p\n\nv contains input.MetadataOptions.Nope\n",
        "package p\n\nv contains x.Nope if x := input.MetadataOptions\n",
        "package p\n\nv[x.Nope] := 1 if x := input.MetadataOptions\n",
        "package p\n\nv := 1 if { input.now } else := input.MetadataOptions.Nope\n",
        "package p\n\nv if f(input.State.Name, input.MetadataOptions)\n\nf(\"running\", {\"Nope\": x}) if x\n",
    ] {
        let found = unsupported_in(&[text], RegoVersion::V1, "data.p.v");
        assert_eq!(found.as_deref(), Some("input.MetadataOptions.Nope"), "{text}");
    }
}

#[test]
fn a_local_name_hides_what_it_means_outside() {
    for text in [
        "package p\n\noptions := input.MetadataOptions\n\nv if {\n  options := {\"Nope\": 1}\n  options.Nope\n}\n",
        "package p\n\nimport input.MetadataOptions as options\n\nv if f({\"Nope\": 1})\n\nf(options) if options.Nope\n",
        "package p\n\nv if { x := input.MetadataOptions; x }\n\nv if { x := {\"Nope\": 1}; x.Nope }\n",
    ] {
        assert_eq!(unsupported_in(&[text], RegoVersion::V1, "data.p.v"), None, "{text}");
    }
}

#[test]
fn only_packages_that_take_part_count() {
    let asked = "package p\n\nimport data.lib\n\nv if lib.unsafe(input)\n";
    let library = "package lib\n\nunsafe(instance) if instance.Nope\n";
    let unrelated = "package k8s\n\ndeny if input.request.object\n";
    assert_eq!(unsupported_in(&[asked, unrelated], RegoVersion::V1, "data.p.v"), None);
    let found = unsupported_in(&[asked, library, unrelated], RegoVersion::V1, "data.p.v");
    assert_eq!(found.as_deref(), Some("input.Nope"));
    let dynamic = "package p\n\nv if { some name; data[name].deny }\n";
    let found = unsupported_in(&[dynamic, unrelated], RegoVersion::V1, "data.p.v");
    assert_eq!(found.as_deref(), Some("input.request"));
}

#[test]
fn the_older_language_is_read_alike() {
    let text = |field: &str| {
        format!(
            "package ec2\n\ndefault match = false\n\nmatch {{ input.MetadataOptions.{field} == \"optional\" }}\n"
        )
    };
    assert_eq!(unsupported_in(&[&text("HttpTokens")], RegoVersion::V0, "data.ec2.match"), None);
    assert_eq!(
        unsupported_in(&[&text("Nope")], RegoVersion::V0, "data.ec2.match").as_deref(),
        Some("input.MetadataOptions.Nope")
    );
    let public_ip = "package ec2\n\ndefault match = false\n\nmatch { input.public_ip != \"None\" }\n";
    assert_eq!(
        unsupported_in(&[public_ip], RegoVersion::V0, "data.ec2.match").as_deref(),
        Some("input.public_ip")
    );
}
