//! Tells the binary which commit it is built from, and the linker how to make it small.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    println!("cargo::rerun-if-env-changed=BUILD_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // An image is built without the repository and is told.
    let commit =
        std::env::var("BUILD_COMMIT").ok().or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let time =
        std::env::var("SOURCE_DATE_EPOCH").ok().or_else(|| output("git", &["log", "-1", "--format=%ct"]));
    println!("cargo::rustc-env=BUILD_COMMIT={}", commit.unwrap_or_else(|| "unknown".into()));
    println!("cargo::rustc-env=BUILD_TIME={}", time.unwrap_or_else(|| "0".into()));
    let of_build = |name: &str| std::env::var(name).unwrap_or_default();
    // On this target rustc links with its own LLD, which folds functions that came out equal: generic code has many.
    if of_build("TARGET") == "x86_64-unknown-linux-gnu" && of_build("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        // 1.8 MB of relocations become 30 KB; the loader must know the packed form, as it does where the program is built.
        if c_library().is_some_and(|version| version >= PACKED_RELOCATIONS) {
            println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
}

/// The first glibc whose loader reads `DT_RELR`, by its release notes.
const PACKED_RELOCATIONS: (u32, u32) = (2, 36);

/// Version of this machine's glibc, if it has one.
fn c_library() -> Option<(u32, u32)> {
    let answer = output("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = answer.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What a program printed, if it ended well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
