//! The page that every address gets: rendered once, at build time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

pub(super) fn render(template: &Path, release: &str) -> Result<String> {
    let text = fs::read_to_string(template).with_context(|| format!("cannot read {}", template.display()))?;
    fill(&text, release).with_context(|| format!("in {}", template.display()))
}

fn fill(template: &str, release: &str) -> Result<String> {
    if !template.contains("{{release}}") {
        bail!("the shell names no {{{{release}}}}: it would load nothing");
    }
    // The content security policy forbids both; without this the page would fail in the browser only.
    for forbidden in ["<style", " style=", " onload=", " onclick=", " onerror="] {
        if template.contains(forbidden) {
            bail!("the shell holds `{}`, which the content security policy forbids", forbidden.trim());
        }
    }
    if let Some(script) = template
        .split("<script")
        .skip(1)
        .find(|script| !script.split('>').next().unwrap_or("").contains("src="))
    {
        bail!(
            "the shell holds an inline script, which the content security policy forbids: <script{}",
            script.split('>').next().unwrap_or("")
        );
    }
    // Comments are for those who edit the template; indentation costs more than it looks once it is in every first view.
    let filled = template.replace("{{release}}", release);
    let mut without = String::new();
    let mut rest = filled.as_str();
    while let Some((before, comment)) = rest.split_once("<!--") {
        without += before;
        rest = comment.split_once("-->").context("a comment is not closed")?.1;
    }
    without += rest;
    let mut text: String =
        without.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_filled_in_and_comments_are_left_out() {
        let text = fill(
            "<!doctype html>\n  <!-- why -->\n  <script src=\"/pkg/{{release}}/boot.js\"></script>",
            "abc",
        )
        .unwrap();
        assert_eq!(text, "<!doctype html>\n<script src=\"/pkg/abc/boot.js\"></script>\n");
    }

    #[test]
    fn what_the_policy_forbids_is_refused() {
        for shell in [
            "{{release}}<script>run()</script>",
            "{{release}}<p style=\"\">",
            "{{release}}<style></style>",
            "<p>",
        ] {
            assert!(fill(shell, "abc").is_err(), "{shell}");
        }
    }
}
