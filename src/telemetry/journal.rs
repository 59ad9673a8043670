//! Lines for systemd's journal, which knows the time itself and takes the level from the line's beginning.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Writes `<N>` before each line (sd-daemon(3)), so that `journalctl -p warning` finds it. A text of several lines has it
/// before each, so that none of them can begin with a level of its own; the journal ends lines at NUL, too.
pub(super) struct Journal(Format<Full, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(Format::default().without_time())
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        text.trim_end_matches('\n')
            .split(['\n', '\0'])
            .try_for_each(|line| writeln!(writer, "<{priority}>{line}"))
    }
}

/// syslog(3)'s number.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn no_text_begins_a_line_of_its_own_level() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(file.reopen().unwrap());
        let builder = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
        let subscriber = builder.event_format(Journal::default()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(text = %"a\n<0>b\0<1>c", "done");
            tracing::warn!("d\n");
        });
        let said = std::fs::read_to_string(file.path()).unwrap();
        let begins: Vec<_> = said.lines().map(|line| &line[..3]).collect();
        assert_eq!(begins, ["<6>", "<6>", "<6>", "<4>"], "{said}");
        assert!(said.contains("\n<6><0>b\n<6><1>c\n<4>"), "{said}");
    }
}
