//! What a server tells of itself, as something to wait on. It has no events: it is asked again and again.

use super::processes::runs;
use super::world::World;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longest wait. Far above what any test needs on a loaded machine: reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks, so that looking does not take the machine from what is being looked at.
const POLL: Duration = Duration::from_millis(10);

impl World {
    /// Blocks until `look` gives something; panics with the last thing it gave instead.
    #[track_caller]
    pub fn wait_until<T, E: std::fmt::Debug>(&self, look: impl Fn() -> Result<T, E>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match look() {
                Ok(found) => return found,
                Err(instead) => assert!(Instant::now() < deadline, "still {instead:?} after {PATIENCE:?}"),
            }
            std::thread::sleep(POLL);
        }
    }

    /// Blocks until `/health` has these values: `workers` by their names, and `queue`.
    #[track_caller]
    pub fn wait_for_health(&self, wanted: &[(&str, u64)]) {
        self.wait_until(|| {
            let health = self.get("/health").json();
            let holds = |(name, value): &(&str, u64)| {
                let found = if *name == "queue" { &health["queue"] } else { &health["workers"][*name] };
                found.as_u64() == Some(*value)
            };
            if wanted.iter().all(holds) { Ok(()) } else { Err(health) }
        });
    }

    /// Blocks until a path is answered with that status.
    #[track_caller]
    pub fn wait_for_status(&self, path: &str, status: u16) {
        self.wait_until(|| {
            let answer = self.get(path);
            if answer.status == status { Ok(()) } else { Err(answer.text()) }
        });
    }

    /// The value of a line of `/metrics`; 0 where there is none.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Blocks until so many requests have joined an extraction that was under way.
    #[track_caller]
    pub fn wait_for_joined(&self, count: u64) {
        self.wait_until(|| match self.metric("sluice_cache_lookups_total{result=\"joined\"}") {
            found if found == count => Ok(()),
            found => Err(found),
        });
    }

    /// Blocks until a process is no more.
    #[track_caller]
    pub fn wait_gone(&self, pid: u32) {
        self.wait_until(|| if runs(pid) { Err(pid) } else { Ok(()) });
    }

    /// Whether an extraction was had without asking the site.
    pub fn is_cached(&self, page: &str) -> bool {
        match &self.extract(page)["cached"] {
            Value::Bool(cached) => *cached,
            other => panic!("cached: {other}"),
        }
    }
}
