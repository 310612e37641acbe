//! Hosts of change requests: what they write is looked at with the git program, in a bare repository of each test's own.

mod cases;
mod github;
mod local;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use delivery::github::GithubClient;
use delivery::gitops::host::{GithubHost, Host, LocalHost, Opened, Person, Proposal};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::git::{BEGINNING, git};
use crate::github::stand_in::World;

const NAME: &str = "acme/gitops";
const DEV: &str = "envs/dev/users/values.yaml";
const PROD: &str = "envs/prod/users/values.yaml";

/// A bare repository with a host that makes requests in it.
struct Scene {
    directory: TempDir,
    /// `None` where the host works on the disk.
    world: Option<World>,
    host: Box<dyn Host>,
}

impl Scene {
    fn local() -> Scene {
        let directory = repository();
        let host = Box::new(LocalHost::new(directory.path().join("bare.git"), "main".into()));
        Scene { directory, world: None, host }
    }

    /// `name` is the test's, and no other's.
    async fn github(name: &str) -> Scene {
        let directory = repository();
        let world = World::new(&format!("host-{name}"));
        world.put(NAME, json!({"git": {"path": directory.path().join("bare.git")}})).await;
        let client = GithubClient::new(&world.config()).unwrap();
        let host = Box::new(GithubHost::new(client, NAME.into(), "main".into()));
        Scene { directory, world: Some(world), host }
    }

    fn world(&self) -> &World {
        self.world.as_ref().unwrap()
    }

    fn bare(&self) -> PathBuf {
        self.directory.path().join("bare.git")
    }

    /// Runs git in the bare repository, and answers what it prints.
    fn git(&self, arguments: &[&str]) -> String {
        git(&self.bare(), BEGINNING, arguments)
    }

    /// Somebody commits to a branch, in a clone of their own, and pushes it.
    fn push(&self, branch: &str, path: &str, text: &str) -> String {
        let clone = TempDir::new().unwrap();
        let run = |arguments: &[&str]| git(clone.path(), BEGINNING, arguments);
        run(&["clone", "--quiet", "--branch", branch, self.bare().to_str().unwrap(), "."]);
        std::fs::write(clone.path().join(path), text).unwrap();
        run(&["add", "--all"]);
        run(&["commit", "--quiet", "--message", &format!("Set {path}")]);
        run(&["push", "--quiet", "origin", branch]);
        run(&["rev-parse", "HEAD"])
    }

    async fn proposal(&self, operation: &str, files: &[(&str, &str)]) -> Proposal {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        Proposal {
            operation: operation.to_owned(),
            base: self.host.head().await.unwrap(),
            branch: format!("tollgate/promote-{operation}"),
            title: format!("Promote users ({operation})"),
            body: "Because it is **tested**.\n".to_owned(),
            files: files.collect(),
            labels: vec!["tollgate".to_owned()],
            reviewers: Vec::new(),
            author: Person { name: "Ada Lovelace".to_owned(), email: "ada@example.com".to_owned() },
            trailers: vec![("Tollgate-Reason".to_owned(), "tested".to_owned())],
        }
    }

    async fn replanned(&self, proposal: &Proposal) -> Proposal {
        Proposal { base: self.host.head().await.unwrap(), ..proposal.clone() }
    }

    fn branches(&self) -> Vec<String> {
        let branches = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        branches.lines().map(str::to_owned).collect()
    }

    /// The branch of the request holds the proposal: one commit on its base that changes its files, and nothing is broken.
    fn holds(&self, opened: &Opened, proposal: &Proposal) {
        assert_eq!((&opened.branch, &opened.base), (&proposal.branch, &proposal.base));
        assert_eq!(self.git(&["rev-parse", &proposal.branch]), opened.head);
        self.is_made(&opened.head, proposal);
        assert_eq!(self.branches(), ["main", &proposal.branch]);
    }

    fn is_made(&self, commit: &str, proposal: &Proposal) {
        assert_eq!(self.git(&["rev-parse", &format!("{commit}^@")]), proposal.base);
        let changed = self.git(&["diff", "--name-only", &proposal.base, commit]);
        let changed: Vec<&str> = changed.lines().collect();
        assert_eq!(changed, proposal.files.keys().collect::<Vec<_>>());
        assert_eq!(self.files(commit, proposal), proposal.files);
        assert_eq!(self.git(&["fsck", "--strict", "--full", "--no-dangling"]), "");
    }

    /// The files of a proposal as they are in a commit.
    fn files(&self, commit: &str, proposal: &Proposal) -> BTreeMap<String, Vec<u8>> {
        let content = |path: &String| {
            let output = Command::new("git")
                .args(["cat-file", "blob", &format!("{commit}:{path}")])
                .current_dir(self.bare())
                .output()
                .unwrap();
            (path.clone(), output.stdout)
        };
        proposal.files.keys().map(content).collect()
    }

    /// The pull requests that there are, where there are any on this host.
    async fn pulls(&self) -> Vec<Value> {
        let Some(world) = &self.world else { return Vec::new() };
        let state = world.control("state", json!({"repository": NAME})).await;
        state["pulls"].as_array().unwrap().clone()
    }
}

/// A bare repository with files of several kinds.
fn repository() -> TempDir {
    let directory = TempDir::new().unwrap();
    let values = b"# of users\r\nimage: {tag: \"1.9\"}".as_slice();
    let files = [
        ("100644", DEV, values),
        ("100644", PROD, values),
        ("100644", "envs/dev/odd", &[0, 255, 13, 10]),
        ("100755", "deploy.sh", b"#!/bin/sh\n"),
        ("120000", "envs/latest", b"dev"),
    ];
    let mut stream =
        format!("commit refs/heads/main\ncommitter Ada <ada@example.com> {BEGINNING} +0000\ndata 5\nBegin\n")
            .into_bytes();
    for (mode, path, content) in files {
        stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).into_bytes());
        stream.extend([content, b"\n"].concat());
    }
    git(directory.path(), BEGINNING, &["init", "--quiet", "--bare", "--initial-branch=main", "bare.git"]);
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(directory.path().join("bare.git"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(import.wait().unwrap().success());
    directory
}
