//! Processes over a database, and readers that answer what a test has them answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use delivery::reader::{Checked, ReadError, Reader, Told};
use delivery::{Delivery, DeliveryConfig, Everything, Followed, Service};
use domain::delivery::{
    CommitDetail, CommitSha, Detail, EnvironmentName, EnvironmentOrder, Fact, ImageDetail, Place,
    ServiceName, Sighting, Source, Stage, Status,
};
use domain::wire::delivery::{CellView, EnvironmentView, SourceView};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use store::Store;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const STALE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// A database.
pub(super) struct World {
    directory: TempDir,
}

/// A process over it.
pub(super) struct Process {
    pub(super) delivery: Delivery,
    pub(super) store: Store,
}

/// A process that follows.
pub(super) struct Following {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// What a reader of a test is to do.
enum Act {
    Tell(Told),
    Fail(ReadError),
    Panic,
}

/// A test's hand on a reader.
pub(super) struct Script {
    name: String,
    acts: UnboundedSender<Act>,
    given: AtomicUsize,
    counts: Arc<Counts>,
}

struct Scripted {
    acts: UnboundedReceiver<Act>,
    done: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    reads: AtomicUsize,
    /// How many acts were done when it was last asked: what came of them is kept.
    settled: AtomicUsize,
}

#[async_trait]
impl Reader for Scripted {
    /// Without anything to do it hangs.
    async fn read(&mut self, _: Timestamp) -> Result<Told, ReadError> {
        self.counts.settled.store(self.done, Ordering::SeqCst);
        self.counts.reads.fetch_add(1, Ordering::SeqCst);
        let act = self.acts.recv().await;
        self.done += 1;
        match act {
            Some(Act::Tell(told)) => Ok(told),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Panic) => panic!("a reader's defect"),
            None => std::future::pending().await,
        }
    }

    fn pause(&self) -> Duration {
        Duration::ZERO
    }

    async fn check(&mut self) -> Vec<Checked> {
        Vec::new()
    }
}

pub(super) fn scripted(name: &str, source: Source) -> (Script, Followed) {
    let (send, acts) = unbounded_channel();
    let counts = Arc::new(Counts::default());
    let reader = Box::new(Scripted { acts, done: 0, counts: counts.clone() });
    let script = Script { name: name.into(), acts: send, given: AtomicUsize::new(0), counts };
    (script, Followed { name: name.into(), source, reader })
}

impl Script {
    pub(super) fn reads(&self) -> usize {
        self.counts.reads.load(Ordering::SeqCst)
    }

    pub(super) async fn asked(&self) {
        until(&format!("{} is read", self.name), async || self.reads() > 0).await;
    }

    /// Answers, and waits until that is kept: until it is asked again.
    pub(super) async fn tell(&self, told: Told) {
        self.act(Act::Tell(told));
        let given = self.given.load(Ordering::SeqCst);
        let settled = async || self.counts.settled.load(Ordering::SeqCst) >= given;
        until(&format!("{} is read again", self.name), settled).await;
    }

    pub(super) async fn see(&self, sightings: &[Sighting]) {
        self.tell(Told { sightings: Some(sightings.to_vec()), ..Told::default() }).await;
    }

    /// Answers, and does not wait for what becomes of it.
    pub(super) fn tell_on(&self, told: Told) {
        self.act(Act::Tell(told));
    }

    /// Fails, and waits until that is shown.
    pub(super) async fn fail(&self, process: &Process, message: &str, retry_after: Option<Duration>) {
        self.act(Act::Fail(ReadError { message: message.into(), retry_after }));
        let shown = async || process.source(&self.name).await.problem.as_deref() == Some(message);
        until(&format!("{} is shown to have failed", self.name), shown).await;
    }

    pub(super) fn panic(&self) {
        self.act(Act::Panic);
    }

    fn act(&self, act: Act) {
        self.given.fetch_add(1, Ordering::SeqCst);
        assert!(self.acts.send(act).is_ok(), "{} is not followed any more", self.name);
    }
}

impl World {
    pub(super) fn new() -> World {
        World { directory: TempDir::new().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) async fn process(&self) -> Process {
        self.process_with(config(&["users"])).await
    }

    pub(super) async fn process_with(&self, config: DeliveryConfig) -> Process {
        let url = format!("sqlite://{}", self.path().join("tollgate.db").display());
        let store = Store::connect(&url).await.unwrap();
        Process { delivery: Delivery::new(store.clone(), config), store }
    }
}

impl Process {
    pub(super) fn follow(&self, readers: impl IntoIterator<Item = Followed>) -> Following {
        let (delivery, shutdown) = (self.delivery.clone(), CancellationToken::new());
        let (readers, until) = (readers.into_iter().collect(), shutdown.clone());
        Following { shutdown, task: tokio::spawn(async move { delivery.follow_until(readers, until).await }) }
    }

    pub(super) async fn record(&self, facts: Vec<Fact>) {
        self.delivery.record(facts, Timestamp::now()).await.unwrap();
    }

    pub(super) async fn source(&self, reader: &str) -> SourceView {
        let sources = self.delivery.sources().await.unwrap();
        let named = |source: &&SourceView| source.reader.as_deref() == Some(reader);
        sources.iter().find(named).cloned().unwrap_or_else(|| SourceView {
            source: String::new(),
            reader: None,
            last_told: None,
            problem: None,
        })
    }

    pub(super) async fn cell(&self, service: &str, environment: &str, now: Timestamp) -> Option<CellView> {
        let matrix = self.delivery.matrix_view(&Everything, now).await.unwrap();
        let column = matrix.environments.iter().position(|name| name == environment)?;
        let row = matrix.rows.into_iter().find(|row| row.service == service)?;
        row.cells[column].clone()
    }

    pub(super) async fn way(&self, commit: u32, environment: &str, now: Timestamp) -> EnvironmentView {
        let commit = sha(commit).to_string();
        let timeline = self.delivery.timeline_view(&Everything, "users", &commit, now).await.unwrap();
        timeline.environments.into_iter().find(|one| one.environment == environment).unwrap()
    }

    /// Why a change of the service is not there, in words.
    pub(super) async fn why(&self, commit: u32, environment: &str, now: Timestamp) -> String {
        self.way(commit, environment, now).await.reason.unwrap().sentence
    }

    /// What is told of a change in environments, as far as it has come.
    pub(super) async fn stages(&self, commit: u32) -> Vec<(Stage, Status)> {
        let commit = sha(commit).to_string();
        let facts = self.delivery.facts_view(&Everything, "users", &commit).await.unwrap();
        let mut stages: Vec<_> = facts
            .iter()
            .filter(|fact| fact.environment.is_some())
            .map(|fact| (fact.stage, fact.status))
            .collect();
        stages.sort_unstable();
        stages
    }
}

impl Following {
    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.task.is_finished()
    }
}

/// Lets time go by for whoever sleeps in these processes.
pub(super) async fn skip(time: Duration, processes: &[&Process]) {
    settle(processes).await;
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    settle(processes).await;
}

/// Waits for what processes are about to write, which a clock that is moved would have wait for too long: they write one after the
/// other.
async fn settle(processes: &[&Process]) {
    for process in processes {
        let (now, second) = (Timestamp::now(), SignedDuration::from_secs(1));
        process.store.acquire_lease("a test's own", "a test", now, second).await.unwrap();
    }
}

/// Waits for a condition.
pub(super) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    // By a clock that is not skipped.
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn config(services: &[&str]) -> DeliveryConfig {
    let service =
        |name: &&str| Service { image: Some(format!("r.io/{name}")), ..Service::new(service(name)) };
    DeliveryConfig {
        environments: EnvironmentOrder::new(["dev", "prod"].map(environment).to_vec()).unwrap(),
        services: services.iter().map(service).collect(),
        stale_after: STALE_AFTER,
        ..DeliveryConfig::default()
    }
}

pub(super) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(super) fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::parse(name).unwrap()
}

pub(super) fn place(name: &str, environment_name: &str) -> Place {
    Place { service: service(name), environment: environment(environment_name) }
}

/// Seconds after ten o'clock of the day before.
pub(super) fn at(second: i64) -> Timestamp {
    let yesterday = (Timestamp::now() - SignedDuration::from_hours(24)).to_zoned(TimeZone::UTC).date();
    let ten = yesterday.at(10, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
    ten.timestamp() + SignedDuration::from_secs(second)
}

pub(super) fn sha(number: u32) -> CommitSha {
    CommitSha::parse(&format!("{number:07}{}", "a".repeat(33))).unwrap()
}

/// The commit, made 100 seconds times its number after the beginning.
pub(super) fn commit_fact(number: u32) -> Fact {
    let committed = at(100 * i64::from(number));
    Fact {
        detail: Some(Detail::Commit(CommitDetail {
            title: Some(format!("Commit {number}")),
            branch: Some("main".into()),
            committed: Some(committed),
            ..CommitDetail::default()
        })),
        ..fact(number, Stage::Commit, committed)
    }
}

/// The image of a commit: 1.4.1 of the first, and so on.
pub(super) fn image_fact(number: u32) -> Fact {
    let detail = ImageDetail { tag: Some(format!("1.4.{number}")), ..ImageDetail::default() };
    Fact {
        detail: Some(Detail::Image(detail)),
        ..fact(number, Stage::Image, at(100 * i64::from(number) + 50))
    }
}

fn fact(number: u32, stage: Stage, finished: Timestamp) -> Fact {
    Fact {
        source: Source::Report,
        source_id: format!("{}/{number}", stage.as_str()),
        service: service("users"),
        environment: None,
        commit: sha(number),
        stage,
        job: None,
        attempt: 1,
        status: Status::Succeeded,
        started: None,
        finished: Some(finished),
        observed: finished,
        link: None,
        detail: None,
    }
}
