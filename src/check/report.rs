//! What was found: a line or an object for each thing that was looked at.

use std::fmt;

use serde::Serialize;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Neither good nor bad.
    Info,
    /// A server would serve, but not as well as it could.
    Warn,
    /// A server would not start, or serve nothing.
    Fail,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What; several may have one name, as egresses have.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: one_line(detail), advice: None }
    }

    pub(super) fn info(name: &'static str, detail: impl Into<String>) -> Self {
        Self { state: State::Info, ..Self::ok(name, detail) }
    }

    pub(super) fn warn(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: Some(one_line(advice)), ..Self::ok(name, detail) }
    }

    pub(super) fn fail(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::warn(name, detail, advice) }
    }
}

fn one_line(text: impl Into<String>) -> String {
    text.into().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<4}  {:<13}  {}", self.state, self.name, self.detail)?;
        match &self.advice {
            Some(advice) => write!(formatter, ": {advice}"),
            None => Ok(()),
        }
    }
}

/// All that was looked at, in the order in which it is shown.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether nothing fails.
    pub ok: bool,
    /// Each thing.
    pub checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.state != State::Fail), checks }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checks.iter().try_for_each(|check| writeln!(formatter, "{check}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_and_only_a_failure_is_one() {
        let mut checks = vec![
            Check::ok("clock", "is right"),
            Check::info("ffmpeg", "not found"),
            Check::warn("yt-dlp", "old\n  and more", "rebuild"),
        ];
        let report = Report::new(checks.clone());
        assert!(report.ok);
        assert_eq!(
            report.to_string(),
            "ok    clock          is right\ninfo  ffmpeg         not found\n\
             warn  yt-dlp         old and more: rebuild\n"
        );
        checks.push(Check::fail("port", "taken", "end it"));
        let report = Report::new(checks);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((report.ok, &json["ok"]), (false, &false.into()));
        let failed =
            serde_json::json!({"name": "port", "state": "fail", "detail": "taken", "advice": "end it"});
        assert_eq!(json["checks"][3], failed);
        assert!(json["checks"][0].get("advice").is_none());
    }
}
