//! A client-side token bucket per account and region, so that Tollgate stays below EC2's published request limits.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The rates that are kept, below what EC2 allows each account in each region: the buckets are shared with every other tool
/// there (EC2 developer guide, "Request throttling for the Amazon EC2 API").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How many calls may be made at once.
    pub(crate) burst: f64,
    /// Calls per second in the long run.
    pub(crate) per_second: f64,
}

/// Describe* with pages: 100 at once and 20 a second are allowed. The burst is one read of a large source; in the long run a
/// quarter is left to others.
pub(crate) const DESCRIBE: Rate = Rate { burst: 95.0, per_second: 15.0 };
/// ModifyInstanceMetadataOptions: 100 at once and 5 a second are allowed.
pub(crate) const MODIFY: Rate = Rate { burst: 50.0, per_second: 4.0 };

/// A token bucket that callers wait for.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    pub(crate) fn new(rate: Rate) -> TokenBucket {
        TokenBucket { rate, state: Mutex::new(State { tokens: rate.burst, refilled: Instant::now() }) }
    }

    /// Takes one token, waiting for it where none is left. Waiters are served in order, since each holds the lock while it waits.
    pub(crate) async fn take(&self) {
        let mut state = self.state.lock().await;
        let wait = state.take(self.rate, Instant::now());
        tokio::time::sleep(wait).await;
    }
}

impl State {
    /// Takes one token at `now` and answers how long its holder has to wait for it. Tokens may be owed: the next one waits longer.
    fn take(&mut self, rate: Rate, now: Instant) -> Duration {
        self.tokens = refilled(rate, self.tokens, now.duration_since(self.refilled)) - 1.0;
        self.refilled = now;
        Duration::from_secs_f64((-self.tokens / rate.per_second).max(0.0))
    }
}

/// The tokens after `elapsed`, never more than the burst.
fn refilled(rate: Rate, tokens: f64, elapsed: Duration) -> f64 {
    (tokens + elapsed.as_secs_f64() * rate.per_second).min(rate.burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        assert_eq!(refilled(MODIFY, 49.0, Duration::from_secs(60)), MODIFY.burst);
    }

    #[test]
    fn after_the_burst_calls_are_spaced_by_the_rate() {
        let rate = Rate { burst: 2.0, per_second: 4.0 };
        let mut now = Instant::now();
        let mut state = State { tokens: rate.burst, refilled: now };
        let waits: Vec<u128> = (0..5)
            .map(|_| {
                let wait = state.take(rate, now);
                now += wait;
                wait.as_millis()
            })
            .collect();
        assert_eq!(waits, [0, 0, 250, 250, 250]);
    }
}
