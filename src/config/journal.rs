//! Whether the log goes to systemd's journal.

use super::Env;

/// Whether standard error is the stream that systemd has connected to the journal, and no other that was put in its
/// place since (systemd.exec(5), `$JOURNAL_STREAM`: the device and the inode).
pub(super) fn is_journal(env: &dyn Env) -> bool {
    let stream = env.var("JOURNAL_STREAM");
    let stat = rustix::fs::fstat(std::io::stderr());
    stream.zip(stat.ok()).is_some_and(|(stream, stat)| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}
