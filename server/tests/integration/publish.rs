//! Publishing: what is served as what, and that a run which ends anywhere leaves a whole page live.

mod cloud;
mod releases;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use self::cloud::{Act, Kind, Meeting, Process, Proxy};
use crate::common::bundle::{Bundle, bundle, bundle_with};
use crate::common::cloud::{BUCKET, Cloud};
use crate::common::{Console, Emulator, at_home_in, until};

/// Makes a test of each case for both clouds.
macro_rules! in_both_clouds {
    ($($case:ident),+ $(,)?) => {
        mod moto {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Kind::Moto).await;
            })+
        }

        mod ministack {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Kind::Ministack).await;
            })+
        }
    };
}

in_both_clouds!(
    a_release_is_pushed_and_the_next_and_back,
    what_is_live_is_whole_wherever_a_push_ends,
    of_two_pushes_at_once_one_wins,
    a_push_that_began_last_comes_last,
    headers_that_drifted_are_mended,
    old_releases_are_deleted_and_no_others,
    a_directory_is_synchronized_by_content,
    a_large_file_goes_up_in_parts,
    a_bad_network_is_survived,
);

/// The command line, against a cloud or a proxy in front of one.
fn tollgate(home: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    at_home_in(&mut command, home);
    command.args(["--endpoint-url", url, "publish"]).args(arguments);
    command.env("AWS_REGION", "us-east-1");
    for variable in ["GITHUB_SHA", "GITHUB_REF_NAME", "GITHUB_ACTOR", "GITHUB_RUN_ID"] {
        command.env_remove(variable);
    }
    command
}

async fn ended(mut command: Command, proxy: Option<&Proxy>) -> (Option<i32>, String) {
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    if let Some(proxy) = proxy {
        proxy.watches(process.id());
    }
    let output = tokio::task::spawn_blocking(move || process.wait_with_output().expect("it ends")).await;
    let output = output.expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// A destination with a machine that publishes to it.
struct Site {
    cloud: Cloud,
    home: tempfile::TempDir,
    /// Unless something else holds it.
    _process: Option<Process>,
}

impl Site {
    async fn start(kind: Kind) -> Site {
        let (cloud, process) = cloud::start(kind).await;
        Site { cloud, home: tempfile::tempdir().expect("a directory"), _process: Some(process) }
    }

    fn push(&self, url: &str, bundle: &Bundle, commit: &str) -> Command {
        let directory = bundle.directory.path().display().to_string();
        let mut arguments = vec!["push", &directory, "--bucket", BUCKET, "--distribution"];
        arguments.extend([
            self.cloud.distribution.as_str(),
            "--commit",
            commit,
            "--branch",
            "main",
            "--author",
            "ada",
        ]);
        tollgate(self.home.path(), url, &arguments)
    }

    async fn pushed(&self, bundle: &Bundle, commit: &str) -> String {
        let (code, said) = ended(self.push(&self.cloud.url, bundle, commit), None).await;
        assert_eq!(code, Some(0), "{said}");
        said
    }

    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut all = arguments.to_vec();
        all.extend(["--bucket", BUCKET, "--distribution", &self.cloud.distribution]);
        ended(tollgate(self.home.path(), &self.cloud.url, &all), None).await
    }

    async fn status(&self) -> Value {
        let (code, said) = self.run(&["status", "-o", "json"]).await;
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str(&said).expect("JSON")
    }

    /// The shell that is live; everything that it names is there.
    async fn live(&self) -> Option<String> {
        let (status, headers, body) = self.cloud.object("index.html").await;
        if !status.is_success() {
            return None;
        }
        assert_eq!(headers["cache-control"], "no-cache");
        let shell = String::from_utf8(body).expect("text");
        for path in shell.split('"').filter_map(|text| text.strip_prefix("/pkg/")) {
            assert!(
                self.cloud.has(&format!("pkg/{path}")).await,
                "the live page names {path}, which is not there"
            );
        }
        Some(shell)
    }
}

async fn a_release_is_pushed_and_the_next_and_back(kind: Kind) {
    let site = Site::start(kind).await;
    let (first, second) = (bundle("one"), bundle("two"));
    let said = site.pushed(&first, "c0ffee1").await;
    assert!(said.contains(&format!("{} is live: 5 files uploaded, invalidation ", first.release)), "{said}");
    assert_eq!(site.live().await.as_deref(), Some(first.shell.as_str()));

    // As what each is served.
    let (_, headers, body) = site.cloud.object(&format!("pkg/{}/app.js", first.release)).await;
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(headers["content-encoding"], "br");
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(body, b"br of one");
    let (_, headers, body) = site.cloud.object(&format!("pkg/{}/app_bg.wasm", first.release)).await;
    assert_eq!(
        (headers["content-type"].as_bytes(), body.as_slice()),
        (&b"application/wasm"[..], &b"\0asm"[..])
    );
    assert!(headers.get("content-encoding").is_none_or(|encoding| encoding.is_empty()));
    let (_, headers, _) = site.cloud.object("release.json").await;
    assert_eq!(
        (headers["content-type"].as_bytes(), headers["cache-control"].as_bytes()),
        (&b"application/json"[..], &b"no-cache"[..])
    );

    // Nothing changed: one request, and nothing is written.
    let proxy = Proxy::start(&site.cloud, |_, _| Act::Pass).await;
    let (code, said) = ended(site.push(&proxy.url, &first, "c0ffee1"), None).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is live already"), "{said}");
    assert_eq!(proxy.seen(), [format!("GET /{BUCKET}/releases/live.json")]);

    site.pushed(&second, "c0ffee2").await;
    assert_eq!(site.live().await.as_deref(), Some(second.shell.as_str()));
    assert!(site.cloud.has(&format!("pkg/{}/app.js", first.release)).await, "open tabs still load it");
    let status = site.status().await;
    let releases: Vec<&str> = status["releases"]
        .as_array()
        .expect("releases")
        .iter()
        .filter_map(|one| one["release"].as_str())
        .collect();
    assert_eq!(releases.len(), 2);
    assert_eq!(status["live"]["history"][1]["commit"], "c0ffee2");
    assert_eq!(status["live"]["history"][1]["by"], "local operator");
    assert_eq!(status["invalidation"][1].as_str().map(str::to_lowercase).as_deref(), Some("completed"));

    let (code, said) = site.run(&["diff", &first.release, &second.release, "-o", "csv"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().count(), 5, "the script, the shell, the icon and release.json: {said}");
    assert!(!said.contains("app_bg.wasm"), "{said}");

    let (code, said) = site.run(&["rollback"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("{} of c0ffee1 is live again", first.release)), "{said}");
    assert_eq!(site.live().await.as_deref(), Some(first.shell.as_str()));
    assert!(
        String::from_utf8(site.cloud.object("release.json").await.2).expect("text").contains(&first.release)
    );
    assert_eq!(site.cloud.object("favicon.svg").await.2, b"<svg>one</svg>");
    assert_eq!(site.status().await["live"]["history"][2]["way"], "rollback");
    assert_eq!(site.cloud.invalidations().await, 3);

    for (arguments, code, expected) in [
        (&["rollback", &first.release][..], 2, "is live already"),
        (&["rollback", "0000000000000000"], 2, "never uploaded"),
        (&["rollback", "../../etc"], 2, "16 hexadecimal digits"),
        (&["diff", &first.release, "0000000000000000"], 2, "no record"),
    ] {
        let (ended, said) = site.run(arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

async fn what_is_live_is_whole_wherever_a_push_ends(kind: Kind) {
    let site = Site::start(kind).await;
    let old = bundle("old");
    site.pushed(&old, "c0ffee0").await;
    // As many requests as a push takes that nothing disturbs.
    let undisturbed = Proxy::start(&site.cloud, |_, _| Act::Pass).await;
    let (code, said) = ended(site.push(&undisturbed.url, &bundle("undisturbed"), "c0ffee1"), None).await;
    assert_eq!(code, Some(0), "{said}");
    let requests = undisturbed.seen().len();
    assert!(requests > 12, "{:?}", undisturbed.seen());
    let mut before = bundle("undisturbed").shell;
    for number in 0..requests {
        for answered in [false, true] {
            let next = bundle(&format!("{number} {answered}"));
            let proxy =
                Proxy::start(
                    &site.cloud,
                    move |at, _| {
                        if at == number { Act::Kill { answered } } else { Act::Pass }
                    },
                )
                .await;
            let (code, said) = ended(site.push(&proxy.url, &next, "c0ffee2"), Some(&proxy)).await;
            let at = format!("ended at {:?}, answered: {answered}", proxy.seen().last());
            assert_eq!(code, None, "{at}: {said}");
            let live = site.live().await.expect("a page is live");
            assert!(live == before || live == next.shell, "{at}: {live}");
            let invalidations = site.cloud.invalidations().await;

            // Running it again finishes it.
            site.pushed(&next, "c0ffee2").await;
            assert_eq!(site.live().await.as_deref(), Some(next.shell.as_str()), "{at}");
            let status = site.status().await;
            assert_eq!(status["live"]["under_way"], Value::Null, "{at}");
            let history = status["live"]["history"].as_array().expect("a history");
            assert_eq!(history.last().expect("an activation")["release"], next.release.as_str(), "{at}");
            let told = String::from_utf8(site.cloud.object("release.json").await.2).expect("text");
            assert!(told.contains(&next.release), "{at}: {told}");
            // CloudFront is not asked twice for one activation. The first cloud does not know the same one again.
            if kind == Kind::Ministack {
                let asked = site.cloud.invalidations().await - invalidations;
                assert!(asked <= 1, "{at}: {asked}");
            }
            before = next.shell;
        }
    }
}

async fn of_two_pushes_at_once_one_wins(kind: Kind) {
    let site = Site::start(kind).await;
    site.pushed(&bundle("old"), "c0ffee0").await;
    let (left, right) = (bundle("left"), bundle("right"));
    // Both have read what is live before either writes it.
    let meeting = Meeting::of(2);
    let proxy = Proxy::start(&site.cloud, move |_, request| {
        let writes =
            request.method() == http::Method::PUT && request.uri().path().ends_with("/releases/live.json");
        if writes { Act::Meet(meeting.clone()) } else { Act::Pass }
    })
    .await;
    let (one, other) = tokio::join!(
        ended(site.push(&proxy.url, &left, "c0ffee1"), None),
        ended(site.push(&proxy.url, &right, "c0ffee2"), None),
    );
    let mut codes = [one.0, other.0];
    codes.sort();
    assert_eq!(codes, [Some(0), Some(4)], "{one:?} {other:?}");
    let (winner, loser) = if one.0 == Some(0) { (&left, other) } else { (&right, one) };
    assert!(loser.1.contains("Another push won"), "{}", loser.1);
    assert_eq!(site.live().await.as_deref(), Some(winner.shell.as_str()));
    assert_eq!(site.status().await["live"]["under_way"], Value::Null);
}

async fn a_push_that_began_last_comes_last(kind: Kind) {
    let site = Site::start(kind).await;
    site.pushed(&bundle("old"), "c0ffee0").await;
    let (first, second) = (bundle("first"), bundle("second"));
    // The first has written down what it is about to do, and is held at the shell until the second is there too.
    let meeting = Meeting::of(2);
    let proxy = Proxy::start(&site.cloud, move |_, request| {
        let writes = request.method() == http::Method::PUT && request.uri().path().ends_with("/index.html");
        let kept = request.uri().path().contains("/releases/");
        if writes && !kept { Act::Meet(meeting.clone()) } else { Act::Pass }
    })
    .await;
    let (one, other) = tokio::join!(ended(site.push(&proxy.url, &first, "c0ffee1"), None), async {
        let shell = format!("PUT /{BUCKET}/index.html");
        until("the first is at the shell", async || proxy.seen().contains(&shell)).await;
        ended(site.push(&proxy.url, &second, "c0ffee2"), None).await
    });
    assert_eq!(other.0, Some(0), "{other:?}");
    assert_eq!(one.0, Some(4), "{one:?}");
    assert_eq!(site.live().await.as_deref(), Some(second.shell.as_str()));
    let told = String::from_utf8(site.cloud.object("release.json").await.2).expect("text");
    assert!(told.contains(&second.release), "{told}");
    let status = site.status().await;
    assert_eq!(status["live"]["under_way"], Value::Null);
    assert_eq!(
        status["live"]["history"].as_array().map(Vec::len),
        Some(2),
        "the first never was live for good"
    );
}

async fn headers_that_drifted_are_mended(kind: Kind) {
    let site = Site::start(kind).await;
    let page = bundle("one");
    site.pushed(&page, "c0ffee1").await;
    let key = format!("pkg/{}/app.js", page.release);
    site.cloud.overwrite(&key, "br of one").await;
    let directory = page.directory.path().display().to_string();
    let (code, said) = site.run(&["push", &directory]).await;
    assert!(code == Some(0) && !said.contains("mended"), "not looked at unasked: {said}");
    let (code, said) = site.run(&["push", &directory, "--verify-headers"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said.lines().filter(|line| line.starts_with("mended")).collect::<Vec<_>>(),
        [format!("mended the headers of {key}")]
    );
    let (_, headers, body) = site.cloud.object(&key).await;
    assert_eq!(headers["content-encoding"], "br");
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(body, b"br of one");
    let (code, said) = site.run(&["push", &directory, "--verify-headers"]).await;
    assert!(code == Some(0) && !said.contains("mended"), "{said}");
    site.cloud.overwrite(&key, "cut").await;
    let (code, said) = site.run(&["push", &directory, "--verify-headers"]).await;
    assert!(code == Some(1) && said.contains("cut off"), "{said}");
}

async fn old_releases_are_deleted_and_no_others(kind: Kind) {
    let site = Site::start(kind).await;
    let pages = ["one", "two", "three", "four"].map(bundle);
    for page in &pages {
        site.pushed(page, "c0ffee1").await;
    }
    site.cloud.overwrite("other/file.txt", "not ours").await;
    let all = site.cloud.keys().await;
    // Everything is younger than a day.
    let (code, said) = site.run(&["prune", "--keep", "0", "--yes", "-o", "csv"]).await;
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
    let (code, said) = site.run(&["prune", "--keep", "0", "--older-than", "0", "-o", "csv"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&pages[0].release) && said.contains(&pages[1].release), "{said}");
    assert!(
        !said.contains(&pages[2].release) && !said.contains(&pages[3].release),
        "live and before: {said}"
    );
    assert_eq!(site.cloud.keys().await, all, "a dry run");
    let (code, said) =
        site.run(&["prune", "--keep", "0", "--older-than", "0", "--max-delete", "11", "--yes"]).await;
    assert!(code == Some(2) && said.contains("12 objects"), "{said}");
    assert_eq!(site.cloud.keys().await, all);
    let (code, said) = site.run(&["prune", "--keep", "3", "--older-than", "0", "--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    let left = site.cloud.keys().await;
    assert_eq!(left.len(), all.len() - 6);
    assert!(left.iter().all(|key| !key.contains(&pages[0].release)), "{left:?}");
    assert!(left.contains(&"other/file.txt".to_owned()));
    let (code, _) = site.run(&["rollback", &pages[1].release]).await;
    assert_eq!(code, Some(0), "what was kept can be live again");
    assert!(site.live().await.is_some());
}

async fn a_large_file_goes_up_in_parts(kind: Kind) {
    let site = Site::start(kind).await;
    let large: Vec<u8> =
        (0..20_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let page = bundle_with("large", &[("large.woff2", large.clone())]);
    let proxy = Proxy::start(&site.cloud, |_, _| Act::Pass).await;
    let (code, said) = ended(site.push(&proxy.url, &page, "c0ffee1"), None).await;
    assert_eq!(code, Some(0), "{said}");
    let key = format!("pkg/{}/large.woff2", page.release);
    let parts = proxy.seen().iter().filter(|asked| **asked == format!("PUT /{BUCKET}/{key}")).count();
    assert_eq!(parts, 3);
    let (_, headers, body) = site.cloud.object(&key).await;
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert!(body == large, "the parts are put together as they were");
}

async fn a_bad_network_is_survived(kind: Kind) {
    let site = Site::start(kind).await;
    let page = bundle("one");
    // Each third connection breaks, and the others take a while.
    let proxy = Proxy::start(&site.cloud, |at, _| {
        if at % 3 == 1 { Act::Break } else { Act::Slow(Duration::from_millis(30)) }
    })
    .await;
    let (code, said) = ended(site.push(&proxy.url, &page, "c0ffee1"), None).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.live().await.as_deref(), Some(page.shell.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_told_with_what_to_do() {
    let site = Site::start(Kind::Ministack).await;
    let page = bundle("one");
    let directory = page.directory.path().display().to_string();
    for (status, code, expected) in [
        (403, "AccessDenied", "Allow s3:GetObject to the role"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "ExpiredToken", "Renew the credentials"),
        (301, "PermanentRedirect", "another region"),
    ] {
        let proxy = Proxy::start(&site.cloud, move |_, _| Act::Refuse { status, code }).await;
        let (ended, said) = ended(site.push(&proxy.url, &page, "c0ffee1"), None).await;
        assert_eq!(ended, Some(1), "{code}: {said}");
        assert!(said.contains(expected) && said.contains("releases/live.json"), "{code}: {said}");
    }
    let denied = Proxy::start(&site.cloud, |_, request| {
        if request.method() == http::Method::PUT {
            Act::Refuse { status: 403, code: "AccessDenied" }
        } else {
            Act::Pass
        }
    })
    .await;
    let (code, said) = ended(site.push(&denied.url, &page, "c0ffee1"), None).await;
    assert!(code == Some(1) && said.contains("Allow s3:PutObject"), "{said}");
    assert_eq!(site.live().await, None, "nothing was made live");

    let run = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ended(tollgate(site.home.path(), &site.cloud.url, &arguments), None)
    };
    let arguments = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (code, said) = run(arguments(&["push", &directory, "--bucket", "no-such-bucket"])).await;
    assert!(code == Some(1) && said.contains("There is no such bucket"), "{said}");
    let (code, said) = run(arguments(&["push", &directory])).await;
    assert!(code == Some(2) && said.contains("--bucket"), "{said}");
    let (code, said) = run(arguments(&["push", "/nowhere", "--bucket", BUCKET])).await;
    assert!(code == Some(1) && said.contains("cargo xtask bundle"), "{said}");
    fs::write(page.directory.path().join(format!("pkg/{}/app.js.br", page.release)), "br of two")
        .expect("written");
    let proxy = Proxy::start(&site.cloud, |_, _| Act::Pass).await;
    let (code, said) = ended(site.push(&proxy.url, &page, "c0ffee1"), None).await;
    assert!(code == Some(1) && said.contains("app.js.br is not what manifest.json says"), "{said}");
    assert!(proxy.seen().is_empty(), "nothing was asked of AWS");
}

#[tokio::test]
async fn a_published_site_is_looked_at_as_a_browser_does() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    let home = tempfile::tempdir().expect("a directory");
    let (code, said) =
        ended(tollgate(home.path(), "http://127.0.0.1:1", &["serve-check", &console.url]), None).await;
    assert_eq!(code, Some(0), "our own server serves as the CDN should: {said}");
    assert!(said.contains("tollgate_bg.wasm") && said.contains("/api/version"), "{said}");

    // The most common mistake: everything that is missing is the page.
    let wrong = wiremock::MockServer::builder().start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(200).set_body_raw(
            "<!doctype html><script src=\"/pkg/0123456789abcdef/app.js\"></script>",
            "text/html",
        ))
        .mount(&wrong)
        .await;
    let (code, said) =
        ended(tollgate(home.path(), "http://127.0.0.1:1", &["serve-check", &wrong.uri()]), None).await;
    assert_eq!(code, Some(1), "{said}");
    for expected in
        ["no-cache", "kept under the file's name for a year", "content-type is", "lacks default-src 'none'"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let (code, said) =
        ended(tollgate(home.path(), "http://127.0.0.1:1", &["serve-check", "http://127.0.0.1:1"]), None)
            .await;
    assert!(code == Some(1) && said.contains("does not answer"), "{said}");
}

async fn a_directory_is_synchronized_by_content(kind: Kind) {
    let site = Site::start(kind).await;
    site.pushed(&bundle("page"), "c0ffee1").await;
    let page = site.cloud.keys().await;
    let directory = tempfile::tempdir().expect("a directory");
    let write = |path: &str, content: &str| {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, content).expect("it is written");
    };
    write("index.html", "<h1>one</h1>");
    write("deep/er/data.json", "{}");
    write("deep/draft.html", "not yet");
    fs::write(
        site.home.path().join("tollgate.toml"),
        "[[headers]]\nfiles = \"**/*.json\"\ncache_control = \"max-age=60\"\n",
    )
    .expect("a configuration");
    let from = directory.path().display().to_string();
    let sync = async |more: &[&str]| {
        let mut arguments =
            vec!["sync", &from, "--prefix", "reports/", "--exclude", "**/draft*", "-o", "csv"];
        arguments.extend(more);
        let (code, said) = site.run(&arguments).await;
        let lines =
            said.lines().filter(|line| line.contains("reports/")).map(str::to_owned).collect::<Vec<_>>();
        (code, lines, said)
    };
    let (code, steps, said) = sync(&["--dry-run"]).await;
    assert_eq!((code, steps.len()), (Some(0), 2), "{said}");
    assert_eq!(site.cloud.keys().await, page, "a dry run");
    let (code, steps, said) = sync(&[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(steps, ["upload,reports/deep/er/data.json,is new,2", "upload,reports/index.html,is new,12"]);
    let (_, headers, _) = site.cloud.object("reports/deep/er/data.json").await;
    assert_eq!(headers["cache-control"], "max-age=60");
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    let (_, steps, said) = sync(&["--verify-headers"]).await;
    assert!(steps.is_empty(), "whenever the files were written: {said}");

    write("index.html", "<h1>two</h1>");
    fs::remove_file(directory.path().join("deep/er/data.json")).expect("it is removed");
    site.cloud.overwrite("reports/draft-of-somebody.html", "not ours to delete").await;
    let (_, steps, said) = sync(&["--delete", "--max-delete", "0"]).await;
    assert!(steps.is_empty() && said.contains("1 objects would be deleted"), "{said}");
    let (code, steps, said) = sync(&["--delete"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        steps,
        [
            "upload,reports/index.html,has another content,12",
            "delete,reports/deep/er/data.json,is not in the directory,2",
        ]
    );
    site.cloud.overwrite("reports/index.html", "<h1>two</h1>").await;
    let (_, steps, said) = sync(&["--verify-headers"]).await;
    assert_eq!(steps, ["mend-headers,reports/index.html,is served with other headers,12"], "{said}");
    assert_eq!(site.cloud.object("reports/index.html").await.1["content-type"], "text/html; charset=utf-8");
    let left = site.cloud.keys().await;
    assert!(page.iter().all(|key| left.contains(key)), "the page is not touched: {left:?}");

    // What could delete more than is meant.
    let empty = tempfile::tempdir().expect("a directory").path().display().to_string();
    for (arguments, expected) in [
        (&["sync", &from, "--delete"][..], "needs a --prefix"),
        (&["sync", &from, "--prefix", "pkg/"], "choose another prefix"),
        (&["sync", &from, "--prefix", "reports"], "not written like reports/"),
        (&["sync", &from, "--prefix", "reports/", "--include", "a["], "is no glob"),
        (
            &["sync", &from, "--prefix", "reports/", "--include", "*.none", "--delete"],
            "has no files that count",
        ),
        (&["sync", &empty, "--prefix", "reports/"], "cannot be read"),
    ] {
        let (_, said) = site.run(arguments).await;
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
