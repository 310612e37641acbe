//! A day of messages about two services, delivered in any order, at once and more than once: what is shown at its end is what is
//! shown where each came when it was sent.

mod day;

use std::fmt::Debug;
use std::sync::Arc;

use delivery::{Delivery, DeliveryConfig, Everything, GithubConfig, Secret, Service, cdevents};
use domain::delivery::{ChangeSummary, EnvironmentName, EnvironmentOrder, Fact, ServiceName};
use domain::wire::delivery::{DoraView, MatrixView, TimelineView};
use futures::stream::{self, StreamExt};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use store::Store;

use self::day::{Day, Message, Random, SERVICES, Sender, end_of_day};

const SECRET: &str = "0123456789abcdef0123";
const SEEDS: [u64; 4] = [1, 7, 42, 2_026];
/// Messages that are on their way at the same time.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_webhooks_is_the_same_in_any_order() {
    same_in_any_order(Sender::Github).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_cdevents_is_the_same_in_any_order() {
    same_in_any_order(Sender::CdEvents).await;
}

async fn same_in_any_order(sender: Sender) {
    for seed in SEEDS {
        let mut random = Random::new(seed);
        let day = Day::of(sender, &mut random);
        // Each when it was sent.
        let live = Console::open().await;
        live.take_each(&day.messages).await;
        let shown = live.shown(&day).await;
        assert!(shown.says_something(), "{sender:?} {seed}: {shown:#?}");
        // All mixed up, each with the clock of when it was sent.
        let mixed = day.mixed_up(&mut random);
        assert!(mixed.len() > day.messages.len() && mixed[..day.messages.len()] != day.messages[..]);
        let flooded = Console::open().await;
        flooded.take_at_once(&mixed).await;
        assert_same(&shown, &flooded.shown(&day).await, sender, seed);

        // After an outage: all comes when the day is over, in its order, and mixed up.
        let late = |messages: &[Message]| -> Vec<Message> {
            messages.iter().map(|message| Message { at: end_of_day(), ..message.clone() }).collect()
        };
        let (in_order, mixed_up) = (Console::open().await, Console::open().await);
        in_order.take_each(&late(&day.messages)).await;
        mixed_up.take_at_once(&late(&mixed)).await;
        assert_same(&in_order.shown(&day).await, &mixed_up.shown(&day).await, sender, seed);
        // What runs since when, and the metrics, are known by the senders' clocks, so that not even being late shows.
        let told_late = mixed_up.shown(&day).await;
        assert_eq!(told_late.runs(), shown.runs(), "{sender:?}, seed {seed}");
        assert_eq!(told_late.dora, shown.dora, "{sender:?}, seed {seed}");
    }
}

/// What is compared tells days apart that differ in a single message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_lost_shows() {
    for sender in [Sender::Github, Sender::CdEvents] {
        let day = Day::of(sender, &mut Random::new(SEEDS[0]));
        let (whole, lacking) = (Console::open().await, Console::open().await);
        whole.take_each(&day.messages).await;
        let (last, rest) = day.messages.split_last().expect("messages");
        lacking.take_each(rest).await;
        assert_ne!(whole.shown(&day).await, lacking.shown(&day).await, "{last:?}");
    }
}

/// Two processes of a console over a database of its own, either of which takes messages.
struct Console {
    replicas: [Delivery; 2],
    _directory: tempfile::TempDir,
}

/// Everything that is shown.
#[derive(Debug, PartialEq)]
struct Shown {
    matrix: MatrixView,
    timelines: Vec<TimelineView>,
    changes: Vec<ChangeSummary>,
    dora: Vec<DoraView>,
    facts: Vec<Fact>,
}

impl Console {
    async fn open() -> Console {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("tollgate.db").display());
        let open = async || Delivery::new(Store::connect(&url).await.expect("a database"), config());
        Console { replicas: [open().await, open().await], _directory: directory }
    }

    /// One after the other.
    async fn take_each(&self, messages: &[Message]) {
        for message in messages {
            take(&self.replicas[0], message).await;
        }
    }

    /// Many at the same time, each in a task of its own.
    async fn take_at_once(&self, messages: &[Message]) {
        let messages: Arc<[Message]> = messages.into();
        let tasks = (0..messages.len()).map(|position| {
            let (delivery, messages) = (self.replicas[position % 2].clone(), messages.clone());
            async move { tokio::spawn(async move { take(&delivery, &messages[position]).await }).await }
        });
        let mut taken = stream::iter(tasks).buffer_unordered(AT_ONCE);
        while let Some(task) = taken.next().await {
            task.expect("the message is taken");
        }
    }

    async fn shown(&self, day: &Day) -> Shown {
        let (now, delivery) = (end_of_day(), &self.replicas[0]);
        let mut matrix = delivery.matrix_view(&Everything, now).await.expect("a matrix");
        // When a source was last heard of is known from the order in which it was.
        matrix.sources.clear();
        let (mut timelines, mut facts, mut changes, mut dora) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for service in SERVICES {
            for commit in &day.commits {
                let Ok(timeline) = delivery.timeline_view(&Everything, service, commit, now).await else {
                    continue;
                };
                timelines.push(timeline);
                facts.extend(delivery.facts_view(&Everything, service, commit).await.expect("facts"));
            }
            let of_service = delivery.changes_view(&Everything, service, "", 200).await;
            changes.extend(of_service.expect("changes"));
            dora.extend(delivery.dora_view(&Everything, service, 7, now).await.expect("metrics"));
        }
        facts.sort_by(|left, right| (left.source, &left.source_id).cmp(&(right.source, &right.source_id)));
        changes.sort_by(|left, right| (&left.service, &left.commit).cmp(&(&right.service, &right.commit)));
        Shown { matrix, timelines, changes, dora, facts }
    }
}

impl Shown {
    /// What runs in each environment, and since when.
    fn runs(&self) -> Vec<(&str, Option<&str>, Option<Timestamp>)> {
        let cells =
            self.matrix.rows.iter().flat_map(|row| row.cells.iter().flatten().map(move |cell| (row, cell)));
        cells.map(|(row, cell)| (row.service.as_str(), cell.commit.as_deref(), cell.since)).collect()
    }

    /// Whether there is something of each kind, so that a comparison compares something.
    fn says_something(&self) -> bool {
        let cells: Vec<_> = self.matrix.rows.iter().flat_map(|row| row.cells.iter().flatten()).collect();
        cells.len() == 6
            && cells.iter().all(|cell| cell.commit.is_some())
            && self.timelines.len() == self.changes.len()
            && self.timelines.len() > 8
            && self.facts.len() > 100
    }
}

/// A message is taken, whatever came before it.
async fn take(delivery: &Delivery, message: &Message) {
    let body = message.body.to_string();
    let outcome = match message.sender {
        Sender::Github => {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
            mac.update(body.as_bytes());
            let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
            let taken = delivery.github_webhook(message.event, &signature, body.as_bytes(), message.at).await;
            taken.map(drop).map_err(|error| error.to_string())
        }
        Sender::CdEvents => {
            let fact = cdevents::fact(body.as_bytes(), false, message.at).expect("an event");
            delivery
                .record(fact.into_iter().collect(), message.at)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        }
    };
    assert_eq!(outcome, Ok(()), "{message:?}");
}

/// Compares part by part, so that what differs can be found in what is said.
fn assert_same(expected: &Shown, found: &Shown, sender: Sender, seed: u64) {
    fn each<T: PartialEq + Debug>(expected: &[T], found: &[T], what: &str, about: &str) {
        for (expected, found) in expected.iter().zip(found) {
            assert_eq!(expected, found, "{what}: {about}");
        }
        assert_eq!(expected.len(), found.len(), "{what}: {about}");
    }
    let about = format!("{sender:?}, seed {seed}");
    each(&expected.facts, &found.facts, "facts", &about);
    each(&expected.timelines, &found.timelines, "timelines", &about);
    each(&expected.changes, &found.changes, "changes", &about);
    each(&expected.matrix.rows, &found.matrix.rows, "matrix", &about);
    each(&expected.dora, &found.dora, "metrics", &about);
    assert_eq!(expected, found, "{about}");
}

fn config() -> DeliveryConfig {
    let service = |name: &str| Service {
        repository: Some("acme/shop".into()),
        workflows: vec![name.to_owned()],
        ..Service::new(ServiceName::parse(name).expect("a name"))
    };
    let environments = day::ENVIRONMENTS.map(|name| EnvironmentName::parse(name).expect("a name"));
    DeliveryConfig {
        environments: EnvironmentOrder::new(environments.to_vec()).expect("an order"),
        services: SERVICES.map(service).to_vec(),
        github: GithubConfig { webhook_secret: Some(Secret::new(SECRET.into())), ..GithubConfig::default() },
        stale_after: SignedDuration::from_hours(24),
        ..DeliveryConfig::default()
    }
}

/// The clock of tests that need one.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).expect("a time")
}
