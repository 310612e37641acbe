//! What Rust's test programs print, read line by line: the sums, and the part that tells of failures.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::summary::Count;
use crate::process;

/// Runs `cargo test` and counts; only failures and the sums of each program reach the terminal.
pub(super) fn run(command: &mut Command) -> Result<Count> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", process::spelled(command)))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut reader = Reader::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read what the tests print")?;
        let line = String::from_utf8_lossy(&line);
        if reader.read(&line) {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() && reader.count.failed == 0 {
        bail!(
            "`{}` ended with {status}, and no test failed: it did not compile, or a program crashed",
            process::spelled(command)
        );
    }
    Ok(reader.count)
}

#[derive(Default)]
struct Reader {
    count: Count,
    telling: bool,
}

impl Reader {
    /// Takes a line in and says whether a person should see it.
    fn read(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.telling = false;
            self.count.passed += number_before(result, " passed");
            self.count.failed += number_before(result, " failed");
            self.count.ignored += number_before(result, " ignored");
            return true;
        }
        if line == "failures:" {
            self.telling = true;
        }
        self.telling || (line.starts_with("test ") && line.ends_with("FAILED"))
    }
}

/// The number that stands right before the word.
fn number_before(text: &str, word: &str) -> u32 {
    let before = text.split(word).next().unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Count, Vec<&str>) {
        let mut reader = Reader::default();
        let shown = text.lines().filter(|line| reader.read(line)).collect();
        (reader.count, shown)
    }

    #[test]
    fn programs_are_summed() {
        let (count, shown) = read(
            "\nrunning 2 tests\ntest a ... ok\ntest b ... ok\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             running 11 tests\n\
             test result: ok. 10 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 1.20s\n",
        );
        assert_eq!(count, Count { passed: 12, failed: 0, ignored: 1 });
        assert_eq!(shown.len(), 2, "only the sums: {shown:?}");
    }

    #[test]
    fn failures_are_shown_with_their_reason() {
        let (count, shown) = read(
            "running 2 tests\ntest good ... ok\ntest bad ... FAILED\n\nfailures:\n\n---- bad stdout ----\n\
             assertion failed: left == right\n\nfailures:\n    bad\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        assert_eq!(count, Count { passed: 1, failed: 1, ignored: 0 });
        assert!(shown.contains(&"assertion failed: left == right"));
        assert!(!shown.contains(&"test good ... ok"));
    }

    #[test]
    fn a_compiler_error_is_no_clean_run() {
        let error = run(Command::new("sh").args(["-c", "exit 101"])).unwrap_err().to_string();
        assert!(error.contains("did not compile"), "{error}");
    }
}
