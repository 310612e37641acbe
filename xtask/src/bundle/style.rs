//! The style sheets, as one: each file of `style/` in the order of the names.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use lightningcss::printer::PrinterOptions;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, StyleSheet};
use lightningcss::targets::{Browsers, Targets};

/// Versions as lightningcss packs them.
const fn version(major: u32, minor: u32) -> Option<u32> {
    Some(major << 16 | minor << 8)
}

/// The first versions that know `light-dark()`: it is kept, because a replacement would not follow `color-scheme` on an element.
const BROWSERS: Browsers = Browsers {
    android: None,
    chrome: version(123, 0),
    edge: version(123, 0),
    firefox: version(120, 0),
    ie: None,
    ios_saf: version(17, 5),
    opera: None,
    safari: version(17, 5),
    samsung: None,
};

pub(super) fn bundle(directory: &Path) -> Result<String> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "css"));
    files.sort();
    let mut whole = String::new();
    for path in files {
        let text = fs::read_to_string(&path)?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        // Each alone first, so that a mistake is reported with its own file and line.
        minify(&name, &text)?;
        if text.contains("@import") {
            bail!(
                "style/{name}: @import is not followed; the files of style/ are joined in the order of their names"
            );
        }
        whole += &text;
        whole.push('\n');
    }
    minify("tollgate.css", &whole)
}

fn minify(name: &str, text: &str) -> Result<String> {
    let options = ParserOptions { filename: name.to_owned(), ..ParserOptions::default() };
    let mut sheet = StyleSheet::parse(text, options).map_err(|error| anyhow!("style/{error}"))?;
    let targets = Targets::from(BROWSERS);
    sheet
        .minify(MinifyOptions { targets, ..MinifyOptions::default() })
        .map_err(|error| anyhow!("style/{error}"))?;
    let printed = sheet
        .to_css(PrinterOptions { minify: true, targets, ..PrinterOptions::default() })
        .map_err(|error| anyhow!("style/{name}: {error}"))?;
    Ok(printed.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_dark_is_kept() {
        let text = minify("a.css", ":root { color-scheme: light dark; --bg: light-dark(#ffffff, #000000) }\np { color: light-dark(red, blue); }")
            .unwrap();
        assert!(text.contains("color:light-dark(red,"), "{text}");
        assert!(text.contains("--bg:light-dark("), "{text}");
    }

    #[test]
    fn files_are_joined_in_order_and_mistakes_name_their_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("20-b.css"), "b { color: red }").unwrap();
        fs::write(directory.path().join("10-a.css"), "a { color: red; }").unwrap();
        assert_eq!(bundle(directory.path()).unwrap(), "a,b{color:red}");
        fs::write(directory.path().join("30-c.css"), "\nc { color: }}").unwrap();
        let error = bundle(directory.path()).unwrap_err().to_string();
        assert!(error.contains("30-c.css"), "{error}");
    }
}
