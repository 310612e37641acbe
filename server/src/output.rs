//! What the terminal sees: tables that fit a pipe as well as a person, JSON, CSV, and errors.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::command::CommandError;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Table,
    Json,
    Csv,
}

/// Prints `rows` under `header`; JSON prints `json` instead, which carries more than fits a table. Rows are made as they are
/// printed, so that a long list is not held as text.
pub(crate) fn print(
    output: Output,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>> + Clone,
    json: &impl Serialize,
) -> Result<(), CommandError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, json).map_err(io::Error::from).and_then(|()| writeln!(out))
        }
        Output::Csv => write_csv(&mut out, Some(header), rows),
        Output::Table => write_table(&mut out, header, rows),
    };
    finish(written.and_then(|()| out.flush()))
}

/// A list that is made item by item while it is written as JSON.
pub(crate) struct List<I>(pub(crate) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// Prints text as it is.
pub(crate) fn print_text(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    finish(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Prints a note for a person; never part of a result, so that a pipe stays clean.
pub(crate) fn note(text: &str) {
    // Where nobody reads it, nothing is lost.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One line that says what goes on, on a terminal; nothing in a pipe.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    pub(crate) fn new() -> Spinner {
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            spinner.set_style(style);
        }
        Spinner(spinner)
    }

    pub(crate) fn says(&self, text: &str) {
        self.0.set_message(text.to_owned());
        self.0.tick();
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// Prints the error and answers its exit code.
pub(crate) fn fail(error: &CommandError) -> ExitCode {
    note(&format!("tollgate: {}", error.message));
    ExitCode::from(error.code)
}

/// Writes comma-separated values, under `header` where there is one. A value that a spreadsheet would take for a formula is prefixed with an apostrophe.
pub(crate) fn write_csv(
    out: &mut impl Write,
    header: Option<&[&str]>,
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    if let Some(header) = header {
        writer.write_record(header)?;
    }
    for row in rows {
        writer.write_record(row.iter().map(|value| inert(value).into_owned()))?;
    }
    writer.flush()
}

/// Tag values come from others: `=HYPERLINK(…)` must not run in a spreadsheet (OWASP, "CSV Injection").
fn inert(value: &str) -> std::borrow::Cow<'_, str> {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}").into()
    } else {
        value.into()
    }
}

fn write_table(
    out: &mut impl Write,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>> + Clone,
) -> io::Result<()> {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = (*width).max(visible(cell).chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            let padding = width.saturating_sub(cell.chars().count()) + 2;
            text.push_str(&cell);
            text.extend(std::iter::repeat_n(' ', padding));
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut header.iter().map(|name| name.to_uppercase()))?;
    for row in rows {
        line(&mut row.iter().map(|cell| visible(cell)))?;
    }
    Ok(())
}

/// Text from AWS without control characters: a tag must not move the cursor or colour the terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A reader that went away (`| head`) is no failure.
fn finish(result: io::Result<()>) -> Result<(), CommandError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::failed(format!("The output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_and_control_characters_are_inert() {
        assert_eq!(inert("=1+1"), "'=1+1");
        assert_eq!(inert("web-1"), "web-1");
        assert_eq!(visible("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }

    #[test]
    fn a_table_has_aligned_columns() {
        let mut out = Vec::new();
        write_table(
            &mut out,
            &["id", "name"],
            [vec!["i-1".into(), "web".into()], vec!["i-22".into(), "".into()]].into_iter(),
        )
        .expect("a table is written");
        assert_eq!(String::from_utf8_lossy(&out), "ID    NAME\ni-1   web\ni-22\n");
    }
}
