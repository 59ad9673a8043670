//! What the kernel says of this process, by the names that Prometheus's own clients use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Default)]
pub(super) struct Process {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    virtual_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    /// 0: unknown.
    start: Seconds,
}

impl Process {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("process_cpu_seconds", "CPU time of user and system", self.cpu.clone());
        registry.register("process_resident_memory_bytes", "Resident memory", self.resident.clone());
        registry.register("process_virtual_memory_bytes", "Virtual memory", self.virtual_memory.clone());
        registry.register("process_open_fds", "Open file descriptors", self.open_fds.clone());
        registry.register("process_max_fds", "Most open file descriptors", self.max_fds.clone());
        registry.register("process_threads", "Threads", self.threads.clone());
        if self.start.get() > 0.0 {
            let start = self.start.clone();
            registry.register("process_start_time_seconds", "Start, from the Unix epoch on", start);
        }
    }

    /// Sets them all; what can't be read stays as it was.
    pub(super) fn set(&self) {
        let set = |gauge: &Gauge, value: Option<u64>| {
            if let Some(value) = value {
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        };
        set(&self.resident, resident_bytes());
        set(&self.open_fds, open_files());
        set(&self.max_fds, getrlimit(Resource::Nofile).current);
        if let Some(stat) = Stat::read() {
            self.cpu.inner().store(stat.cpu_seconds().to_bits(), Ordering::Relaxed);
            set(&self.virtual_memory, Some(stat.virtual_bytes));
            set(&self.threads, Some(stat.threads));
            // Once, for it would come out a little different each time, which looks like another process.
            if self.start.get() == 0.0
                && let Some(start) = stat.start()
            {
                self.start.set(start);
            }
        }
    }
}

/// Of proc(5), `stat`.
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    /// After the machine's start, its sleep included.
    start_ticks: u64,
    virtual_bytes: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name may hold blanks and parentheses. What follows it is field 3.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
        })
    }

    fn cpu_seconds(&self) -> f64 {
        seconds(self.cpu_ticks)
    }

    /// When the process started, in seconds from the Unix epoch on. Not by `/proc/stat`, which systemd's
    /// `ProcSubset=pid` takes away.
    fn start(&self) -> Option<f64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        let boot = clock_gettime(ClockId::Boottime);
        let uptime = boot.tv_sec as f64 + boot.tv_nsec as f64 / 1e9;
        Some(now - (uptime - seconds(self.start_ticks)))
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Resident memory of this process in bytes (proc(5), `status`, `VmRSS`).
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Open file descriptors of this process.
pub fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_process() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(open_files().is_some_and(|files| files > 2));
        let stat = Stat::read().unwrap();
        assert!(stat.threads >= 1 && stat.virtual_bytes > 1 << 20);
        let started = stat.start().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!((0.0..86_400.0).contains(&(now.as_secs_f64() + 1.0 - started)), "{started}");
    }
}
