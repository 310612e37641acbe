//! JavaScript, minified: the generated glue and the two scripts of the shell.

use anyhow::{Result, bail};
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc_parser::Parser;
use oxc_span::SourceType;

/// Parses a module and prints it as small as it goes; names that it exports stay.
pub(super) fn minify(name: &str, source: &str) -> Result<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if let Some(problem) = parsed.diagnostics.first() {
        bail!("{name} is not JavaScript: {problem}");
    }
    let mut program = parsed.program;
    let options = MinifierOptions {
        mangle: Some(MangleOptions { top_level: Some(true), ..MangleOptions::default() }),
        mangle_properties: None,
        compress: Some(CompressOptions::smallest()),
    };
    let minified = Minifier::new(options).minify(&allocator, &mut program);
    let printed =
        Codegen::new().with_options(CodegenOptions::minify()).with_scoping(minified.scoping).build(&program);
    Ok(printed.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_survive_and_the_rest_shrinks() {
        let source = "// why\nexport function init(address) { const longName = address + 1; return longName * longName; }";
        let text = minify("a.js", source).unwrap();
        assert!(text.contains("init"), "{text}");
        assert!(!text.contains("longName") && !text.contains("why"), "{text}");
        assert!(text.len() < source.len());
    }

    #[test]
    fn what_does_not_parse_is_named() {
        let error = minify("broken.js", "export const = 1").unwrap_err().to_string();
        assert!(error.starts_with("broken.js is not JavaScript"), "{error}");
    }
}
