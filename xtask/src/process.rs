//! Other programs: run to the end, or held for as long as this one lives.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often a condition is looked at while waiting for it.
const GLANCE: Duration = Duration::from_millis(25);
/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// The command as one would type it, for messages.
pub(crate) fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program());
    // Cargo is always the one that runs us; where it lies is of no use to the reader.
    let shown = if program.ends_with("cargo") { Path::new("cargo") } else { program };
    let mut text = shown.to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}

/// Runs a command with our terminal; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", spelled(command)))?;
    succeeded(command, status)
}

/// Runs a command and returns its standard output; on failure the error holds its standard error.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", spelled(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}",
            spelled(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// The standard output as one trimmed text.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&output(command)?).trim().to_owned())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", spelled(command));
    }
    Ok(())
}

/// The first file of that name in the directories of `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| is_executable(candidate))
}

pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// A loopback port that is free now. Only for programs that cannot choose one themselves.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot bind a port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Waits until the condition holds, or `patience` is over.
pub(crate) fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if patience < start.elapsed() {
            return false;
        }
        thread::sleep(GLANCE);
    }
}

/// Raised by SIGINT, SIGTERM and SIGHUP; who asks for it must look at it.
pub(crate) fn interruption() -> Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&raised)).context("cannot handle signals")?;
    }
    Ok(raised)
}

/// A running program that ends with this one, however this one ends.
///
/// The program runs under `xtask hold`, which reads a pipe that only we have the other end of: the kernel closes it when we are
/// gone, even by SIGKILL.
pub(crate) struct Held {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Held {
    /// Starts the command with its output as configured; its standard input is taken.
    pub(crate) fn start(name: &str, command: &Command) -> Result<Self> {
        Self::start_with(name, command, Stdio::inherit())
    }

    pub(crate) fn start_with(name: &str, command: &Command, stdout: Stdio) -> Result<Self> {
        let mut holder = Command::new(env::current_exe().context("cannot find this program's own file")?);
        holder.arg("hold").arg("--").arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => holder.env(key, value),
                None => holder.env_remove(key),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            holder.current_dir(directory);
        }
        // Its own group: a Ctrl-C on the terminal reaches us alone, and we end the others in order.
        holder.stdin(Stdio::piped()).stdout(stdout).process_group(0);
        let mut child =
            holder.spawn().with_context(|| format!("cannot start {name}: `{}`", spelled(command)))?;
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, stdin })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask after {}", self.name))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let ended = wait_until(GRACE + Duration::from_secs(2), || !matches!(self.child.try_wait(), Ok(None)));
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs one command in a process group of its own until it ends or our standard input closes.
#[derive(clap::Args)]
pub(crate) struct Hold {
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Hold {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (program, arguments) = self.command.split_first().context("a command is needed")?;
        let interrupted = interruption()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.to_string_lossy()))?;
        let closed = Arc::new(AtomicBool::new(false));
        let watcher = Arc::clone(&closed);
        thread::spawn(move || {
            // Nothing is ever written: the read returns when the other end is gone.
            let _ = io::stdin().read(&mut [0]);
            watcher.store(true, Ordering::SeqCst);
        });
        let asked = || closed.load(Ordering::SeqCst) || interrupted.load(Ordering::SeqCst);
        loop {
            if let Some(status) = child.try_wait()? {
                // What the program started and left behind belongs to its group.
                signal_group(&child, Signal::TERM);
                let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
                return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
            }
            if asked() {
                break;
            }
            thread::sleep(GLANCE);
        }
        signal_group(&child, Signal::TERM);
        if !wait_until(GRACE, || !matches!(child.try_wait(), Ok(None))) {
            signal_group(&child, Signal::KILL);
            child.wait()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn signal_group(leader: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(leader.id()).ok().and_then(Pid::from_raw) {
        // The only failure is that the group has no members left.
        let _ = kill_process_group(group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_spelled_as_typed() {
        assert_eq!(spelled(Command::new("/opt/rust/bin/cargo").args(["test", "--lib"])), "cargo test --lib");
        assert_eq!(spelled(Command::new("/opt/venv/bin/python").arg("-B")), "/opt/venv/bin/python -B");
    }

    #[test]
    fn failure_carries_standard_error() {
        let error =
            output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_condition_that_never_holds_ends_the_wait() {
        assert!(!wait_until(Duration::from_millis(1), || false));
        assert!(wait_until(Duration::ZERO, || true));
    }
}
