//! A repository on disk: what keeps it from being written, and what is left by whoever is killed.

use std::path::Path;

use delivery::gitops::host::{Host, HostError, LocalHost, Opened, RequestSeen};

use super::{DEV, PROD, Scene, git};
use crate::git::BEGINNING;

/// The same repository by another path.
fn host(path: &Path) -> LocalHost {
    LocalHost::new(path.to_owned(), "main".into())
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, HostError>) -> String {
    match outcome {
        Err(HostError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_branch_that_is_checked_out_is_not_merged_into() {
    let scene = Scene::local();
    let work = scene.directory.path().join("work");
    git(scene.directory.path(), BEGINNING, &["clone", "--quiet", "bare.git", "work"]);
    let host = host(&work);
    let proposal = scene.proposal("02A", &[(PROD, "x: 1\n")]).await;
    let opened = host.propose(&proposal).await.unwrap();
    let run = |arguments: &[&str]| git(&work, BEGINNING, arguments);
    assert_eq!(run(&["status", "--porcelain"]), "");
    let why = refusal(host.merge(&opened).await);
    assert!(why.contains("Branch main is checked out in") && why.contains("git clone --bare"), "{why}");
    assert_eq!(run(&["rev-parse", "main"]), proposal.base);

    // In a work tree beside it, too.
    run(&["switch", "--quiet", "--detach"]);
    run(&["worktree", "add", "--quiet", "../aside", "main"]);
    assert!(refusal(host.merge(&opened).await).contains("aside"));
    run(&["worktree", "remove", "../aside"]);
    host.merge(&opened).await.unwrap();
    assert_eq!(run(&["rev-parse", "main"]), opened.head);
    assert_eq!(run(&["status", "--porcelain"]), "");
    assert!(run(&["reflog", "main"]).contains("tollgate: merge"));
}

#[tokio::test]
async fn whose_the_commit_is_does_not_depend_on_the_machine() {
    let scene = Scene::local();
    scene.git(&["config", "user.name", "Somebody"]);
    scene.git(&["config", "user.email", "somebody@example.com"]);
    scene.git(&["config", "core.logAllRefUpdates", "always"]);
    let mut proposal = scene.proposal("02B", &[(PROD, "x: 1\n")]).await;
    proposal.author.name = "Ada <b>\nLovelace".into();
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
    let people = scene.git(&["log", "-1", "--format=%an <%ae> %cn <%ce>", &opened.head]);
    assert_eq!(people, "Ada b Lovelace <ada@example.com> Tollgate <tollgate@localhost>");
    scene.host.merge(&opened).await.unwrap();
    let log = scene.git(&["log", "-g", "-1", "--format=%gn %gs", "main"]);
    assert_eq!(log, "Tollgate tollgate: merge");
}

#[tokio::test]
async fn packed_branches_are_changed_as_others_are() {
    let scene = Scene::local();
    let proposal = scene.proposal("02C", &[(PROD, "x: 1\n")]).await;
    scene.git(&["pack-refs", "--all"]);
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.git(&["pack-refs", "--all"]);
    scene.git(&["gc", "--quiet", "--prune=now"]);
    scene.push("main", DEV, "x: 2\n");
    scene.git(&["pack-refs", "--all"]);
    assert!(matches!(scene.host.merge(&opened).await, Err(HostError::Moved(_))));
    let anew = scene.replanned(&proposal).await;
    let opened = scene.host.replan(&opened, &anew).await.unwrap();
    scene.git(&["pack-refs", "--all"]);
    scene.host.merge(&opened).await.unwrap();
    assert_eq!((scene.branches(), scene.git(&["rev-parse", "main"])), (vec!["main".to_owned()], opened.head));
}

#[tokio::test]
async fn a_lock_that_was_left_is_named() {
    let scene = Scene::local();
    let proposal = scene.proposal("02D", &[(PROD, "x: 1\n")]).await;
    let lock = scene.bare().join("refs/heads/tollgate/promote-02D.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    let error = scene.host.propose(&proposal).await.unwrap_err();
    let HostError::Unreachable { message, .. } = &error else { panic!("{error:?}") };
    assert!(message.contains("promote-02D.lock") && message.contains("delete that file"), "{message}");
    assert_eq!(scene.branches(), ["main"]);
    std::fs::remove_file(&lock).unwrap();
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
}

/// Whatever was written when it was killed, doing it again ends as if it had not been.
#[tokio::test]
async fn what_was_broken_off_is_taken_up() {
    let scene = Scene::local();
    let proposal = scene.proposal("02E", &[(PROD, "x: 1\n")]).await;
    let whole = scene.host.propose(&proposal).await.unwrap();
    // Killed after the objects were written, and before the branch was.
    scene.git(&["update-ref", "-d", "refs/heads/tollgate/promote-02E"]);
    assert_eq!(scene.host.look(&whole).await.unwrap(), RequestSeen::Closed);
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
    // Killed after the base was moved, and before the branch of the request was taken away.
    scene.git(&["update-ref", "refs/heads/main", &opened.head, &opened.base]);
    assert!(matches!(scene.host.look(&opened).await.unwrap(), RequestSeen::Merged(_)));
    assert_eq!(scene.host.propose(&proposal).await.unwrap(), opened);
    assert_eq!(scene.host.merge(&opened).await.unwrap().commit, opened.head);
    assert_eq!(scene.branches(), ["main"]);
    // And before anybody was told that there is a request.
    let proposed = scene.host.propose(&proposal).await.unwrap();
    assert_eq!((proposed.head, scene.branches()), (opened.head, vec!["main".to_owned()]));
}

#[tokio::test]
async fn who_merges_by_hand_is_seen() {
    let scene = Scene::local();
    let proposal = scene.proposal("02F", &[(PROD, "x: 1\n")]).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.push("main", DEV, "x: 2\n");
    let work = scene.directory.path().join("by-hand");
    git(scene.directory.path(), BEGINNING, &["clone", "--quiet", "bare.git", "by-hand"]);
    let run = |arguments: &[&str]| git(&work, BEGINNING, arguments);
    let branch = format!("origin/{}", opened.branch);
    run(&["merge", "--quiet", "--no-ff", "--message", "Merge it", &branch]);
    let merge = run(&["rev-parse", "HEAD"]);
    run(&["commit", "--quiet", "--allow-empty", "--message", "Go on"]);
    run(&["push", "--quiet", "origin", "main"]);
    let RequestSeen::Merged(merged) = scene.host.look(&opened).await.unwrap() else { panic!() };
    assert_eq!((merged.commit, merged.at.as_second()), (merge, BEGINNING));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_told() {
    let scene = Scene::local();
    let refused =
        async |files: &[(&str, &str)]| refusal(scene.host.propose(&scene.proposal("02G", files).await).await);
    assert!(refused(&[("envs", "x")]).await.contains("envs is no file"));
    assert!(refused(&[("envs/latest", "x")]).await.contains("envs/latest is no file"));
    assert!(refused(&[("deploy.sh/x", "x")]).await.contains("deploy.sh is no directory"));
    assert!(refused(&[("envs/latest/x", "x")]).await.contains("envs/latest is no directory"));
    assert!(refused(&[("deploy.sh", "#!/bin/sh\n")]).await.contains("changes nothing"));
    let odd = delivery::gitops::host::Proposal {
        branch: "a..b".into(),
        ..scene.proposal("02G", &[(DEV, "x")]).await
    };
    assert!(refusal(scene.host.propose(&odd).await).contains("no name of a branch"));
    assert_eq!(scene.branches(), ["main"]);

    let none = host(&scene.directory.path().join("none"));
    assert!(
        matches!(none.head().await, Err(HostError::Unreachable { message, .. }) if message.contains("no such directory"))
    );
    let gone = Opened {
        head: "1".repeat(40),
        ..scene.host.propose(&scene.proposal("02H", &[(DEV, "x")]).await).await.unwrap()
    };
    assert!(matches!(scene.host.merge(&gone).await, Err(HostError::Moved(_))));
}

/// As several processes would: none waits for another, but for what is on the disk.
#[tokio::test]
async fn who_merges_at_the_same_time_loses_nothing() {
    const MERGERS: usize = 6;
    let scene = Scene::local();
    let merge = async |number: usize| {
        let host = host(&scene.bare());
        let path = format!("envs/dev/{number}.yaml");
        let mut proposal = scene.proposal(&format!("02I{number}"), &[(&path, "x: 1\n")]).await;
        let mut opened = host.propose(&proposal).await.unwrap();
        loop {
            match host.merge(&opened).await {
                Ok(_) => return,
                Err(HostError::Moved(_)) => {
                    proposal = scene.replanned(&proposal).await;
                    opened = host.replan(&opened, &proposal).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    futures::future::join_all((0..MERGERS).map(merge)).await;
    assert_eq!(scene.git(&["rev-list", "--count", "main"]), (MERGERS + 1).to_string());
    assert_eq!(scene.git(&["ls-tree", "--name-only", "main", "envs/dev/"]).lines().count(), MERGERS + 2);
    assert_eq!(
        (scene.branches(), scene.git(&["fsck", "--strict", "--no-dangling"])),
        (vec!["main".to_owned()], String::new())
    );
}
