//! What holds on every host.

use delivery::git::Entry;
use delivery::gitops::host::{HostError, Proposal, RequestSeen};
use futures::future::join_all;

use super::{DEV, PROD, Scene};

/// Each of these once in a repository on disk, and once on GitHub.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        $(mod $case {
            use super::super::Scene;

            #[tokio::test]
            async fn local() {
                super::$case(Scene::local()).await;
            }

            #[tokio::test]
            async fn github() {
                let name = stringify!($case);
                super::$case(Scene::github(name).await).await;
            }
        })*
    };
}

on_both!(
    a_request_is_made_and_merged,
    what_is_not_named_stays_as_it_is,
    a_request_is_planned_anew_when_the_base_moves,
    what_others_put_on_the_branch_is_left_alone,
    a_request_is_closed_once,
    the_same_at_once_is_one_request,
    the_same_planned_anew_at_once_is_one_request,
    others_at_once_are_all_made,
    two_merges_at_once_lose_nothing,
    odd_proposals_are_refused,
);

async fn a_request_is_made_and_merged(scene: Scene) {
    let host = scene.host.as_ref();
    let proposal =
        scene.proposal("01A", &[(PROD, "image: {tag: '1.10'}\n"), ("envs/prod/new/x.yaml", "")]).await;
    let files = host.files(&proposal.base, &[PROD, "none"].map(str::to_owned).into()).await.unwrap();
    assert_eq!(files.len(), 1);
    assert!(matches!(&files[PROD], Entry::File(text) if text.starts_with(b"# of users\r\n")));

    let opened = host.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
    assert_eq!(opened.warnings, [""; 0]);
    let message = scene.git(&["log", "-1", "--format=%B", &opened.head]);
    assert!(message.starts_with("Promote users (01A)\n\nBecause it is **tested**.\n\n"), "{message}");
    let trailers = scene.git(&["log", "-1", "--format=%(trailers:only,unfold)", &opened.head]);
    assert!(trailers.ends_with("Tollgate-Reason: tested\nTollgate-Operation: 01A"), "{trailers}");
    let people =
        scene.git(&["log", "-1", "--format=%an <%ae>, %cn%n%(trailers:key=Co-authored-by)", &opened.head]);
    assert!(people.contains("Ada Lovelace <ada@example.com>"), "{people}");

    let RequestSeen::Open { head, mergeable, .. } = host.look(&opened).await.unwrap() else { panic!() };
    assert_eq!((&head, mergeable), (&opened.head, Some(true)));
    // Again, nothing is done.
    assert_eq!(host.propose(&proposal).await.unwrap(), opened);
    assert_eq!(host.replan(&opened, &proposal).await.unwrap(), opened);
    scene.holds(&opened, &proposal);

    let merged = host.merge(&opened).await.unwrap();
    assert_eq!(merged.commit, scene.git(&["rev-parse", "main"]));
    assert_eq!(scene.files("main", &proposal), proposal.files);
    assert_eq!(scene.branches(), ["main"], "its branch is gone");
    assert!(
        matches!(host.look(&opened).await.unwrap(), RequestSeen::Merged(seen) if seen.commit == merged.commit)
    );
    // And whatever comes after changes nothing.
    assert_eq!(host.merge(&opened).await.unwrap().commit, merged.commit);
    assert_eq!(host.propose(&proposal).await.unwrap().head, opened.head);
    for refused in [host.close(&opened, "late").await, host.replan(&opened, &proposal).await.map(|_| ())] {
        assert!(matches!(&refused, Err(HostError::Refused(why)) if why.contains("merged")), "{refused:?}");
    }
    assert_eq!(
        (scene.branches(), scene.git(&["rev-parse", "main"])),
        (vec!["main".to_owned()], merged.commit)
    );
}

async fn what_is_not_named_stays_as_it_is(scene: Scene) {
    let before = scene.git(&["ls-tree", "-r", "-t", "main"]);
    let proposal =
        scene.proposal("01B", &[("deploy.sh", "#!/bin/sh\ntrue\n"), (DEV, "a: \u{feff}ü\r\n\0")]).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
    let after = scene.git(&["ls-tree", "-r", "-t", &opened.head]);
    // Of each line of both its mode, its kind and its path, and of what was not written its content.
    let named = |line: &str| {
        let path = line.split('\t').nth(1).unwrap();
        proposal.files.keys().any(|file| file == path || file.starts_with(&format!("{path}/")))
    };
    let lines = |text: &str| -> Vec<String> {
        let line = |line: &str| match named(line) {
            true => [&line[..11], line.split('\t').nth(1).unwrap()].concat(),
            false => line.to_owned(),
        };
        text.lines().map(line).collect()
    };
    assert_eq!(lines(&after), lines(&before));
    assert!(after.contains("100755 blob") && after.contains("120000 blob") && before != after);
}

async fn a_request_is_planned_anew_when_the_base_moves(scene: Scene) {
    let host = scene.host.as_ref();
    let proposal = scene.proposal("01C", &[(PROD, "image: {tag: '2'}\n")]).await;
    let opened = host.propose(&proposal).await.unwrap();
    // The same file, so that no host can merge it as it is.
    let moved = scene.push("main", PROD, "image: {tag: '1.11'}\nmore: 1\n");
    assert!(matches!(host.look(&opened).await.unwrap(), RequestSeen::Open { mergeable: Some(false), .. }));
    let error = host.merge(&opened).await.unwrap_err();
    assert!(matches!(&error, HostError::Moved(why) if why.contains("plan anew")), "{error:?}");
    assert_eq!(scene.git(&["rev-parse", "main"]), moved);

    let anew = Proposal { title: "Promote users anew".into(), ..scene.replanned(&proposal).await };
    let again = host.replan(&opened, &anew).await.unwrap();
    scene.holds(&again, &anew);
    assert_eq!((again.number, &again.link), (opened.number, &opened.link));
    assert_ne!(again.head, opened.head);
    // What was opened first is not what would be merged now.
    assert!(matches!(host.merge(&opened).await, Err(HostError::Moved(_))));
    assert_eq!(host.replan(&again, &anew).await.unwrap(), again);
    let merged = host.merge(&again).await.unwrap();
    assert_eq!(merged.commit, scene.git(&["rev-parse", "main"]));
    assert_eq!(scene.files("main", &anew), anew.files);
}

async fn what_others_put_on_the_branch_is_left_alone(scene: Scene) {
    let host = scene.host.as_ref();
    let proposal = scene.proposal("01D", &[(PROD, "image: {tag: '2'}\n")]).await;
    let opened = host.propose(&proposal).await.unwrap();
    let theirs = scene.push(&proposal.branch, DEV, "by: hand\n");
    assert!(matches!(host.look(&opened).await.unwrap(), RequestSeen::Open { head, .. } if head == theirs));
    assert!(matches!(host.merge(&opened).await, Err(HostError::Moved(_))));
    scene.push("main", DEV, "moved: 1\n");
    let anew = scene.replanned(&proposal).await;
    for refused in
        [host.replan(&opened, &anew).await, host.propose(&anew).await, host.propose(&proposal).await]
    {
        assert!(
            matches!(&refused, Err(HostError::Refused(why)) if why.contains("not of this operation")),
            "{refused:?}"
        );
    }
    assert_eq!(scene.git(&["rev-parse", &proposal.branch]), theirs);
}

async fn a_request_is_closed_once(scene: Scene) {
    let host = scene.host.as_ref();
    let proposal = scene.proposal("01E", &[(PROD, "image: {tag: '2'}\n")]).await;
    let opened = host.propose(&proposal).await.unwrap();
    for _ in 0..2 {
        host.close(&opened, "It was taken back.").await.unwrap();
        assert_eq!(host.look(&opened).await.unwrap(), RequestSeen::Closed);
        assert_eq!(scene.branches(), ["main"]);
    }
    for refused in [host.merge(&opened).await.map(|_| ()), host.replan(&opened, &proposal).await.map(|_| ())]
    {
        assert!(matches!(&refused, Err(HostError::Refused(why)) if why.contains("closed")), "{refused:?}");
    }
    if let Some(world) = &scene.world {
        let state = world.control("state", serde_json::json!({"repository": super::NAME})).await;
        assert_eq!(state["comments"].as_array().unwrap().len(), 1, "{state}");
    }
}

async fn the_same_at_once_is_one_request(scene: Scene) {
    let proposal = scene.proposal("01F", &[(PROD, "image: {tag: '2'}\n")]).await;
    let opened = join_all((0..4).map(|_| scene.host.propose(&proposal))).await;
    let opened: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    assert!(
        opened.iter().all(|other| other.head == opened[0].head && other.number == opened[0].number),
        "{opened:?}"
    );
    scene.holds(&opened[0], &proposal);
    assert!(scene.pulls().await.len() <= 1);
}

async fn the_same_planned_anew_at_once_is_one_request(scene: Scene) {
    let proposal = scene.proposal("01N", &[(PROD, "image: {tag: '2'}\n")]).await;
    let first = scene.host.propose(&proposal).await.unwrap();
    scene.push("main", PROD, "image: {tag: '1.11'}\n");
    let anew = scene.replanned(&proposal).await;
    let opened = join_all((0..2).map(|_| scene.host.replan(&first, &anew))).await;
    let opened: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    assert_eq!(opened[0], opened[1]);
    assert_eq!(opened[0].number, first.number);
    scene.holds(&opened[0], &anew);
}

async fn others_at_once_are_all_made(scene: Scene) {
    let mut proposals = Vec::new();
    for operation in ["01G", "01H", "01I", "01J"] {
        proposals.push(scene.proposal(operation, &[(PROD, operation)]).await);
    }
    let opened = join_all(proposals.iter().map(|proposal| scene.host.propose(proposal))).await;
    for (opened, proposal) in opened.into_iter().zip(&proposals) {
        let opened = opened.unwrap();
        assert_eq!(scene.git(&["rev-parse", &proposal.branch]), opened.head);
        scene.is_made(&opened.head, proposal);
    }
    assert_eq!(scene.branches().len(), 5);
}

async fn two_merges_at_once_lose_nothing(scene: Scene) {
    let host = scene.host.as_ref();
    let dev = scene.proposal("01K", &[(DEV, "image: {tag: '2'}\n")]).await;
    let prod = scene.proposal("01L", &[(PROD, "image: {tag: '2'}\n")]).await;
    let (first, second) = (host.propose(&dev).await.unwrap(), host.propose(&prod).await.unwrap());
    let outcomes = futures::join!(host.merge(&first), host.merge(&second));
    let outcomes = [(outcomes.0, &first, &dev), (outcomes.1, &second, &prod)];
    assert!(outcomes.iter().any(|(outcome, ..)| outcome.is_ok()), "{outcomes:?}");
    for (outcome, opened, proposal) in outcomes {
        if let Err(error) = outcome {
            assert!(matches!(error, HostError::Moved(_)), "{error:?}");
            let anew = scene.replanned(proposal).await;
            let opened = host.replan(opened, &anew).await.unwrap();
            host.merge(&opened).await.unwrap();
        }
    }
    for proposal in [&dev, &prod] {
        assert_eq!(scene.files("main", proposal), proposal.files);
    }
}

async fn odd_proposals_are_refused(scene: Scene) {
    let host = scene.host.as_ref();
    for path in ["../x", "/x", ".git/config", ""] {
        let proposal = scene.proposal("01M", &[(path, "x")]).await;
        assert!(matches!(host.propose(&proposal).await, Err(HostError::Refused(_))), "{path}");
    }
    assert_eq!(scene.branches(), ["main"]);
}
