//! Who may come in.

use std::path::PathBuf;

use super::values::listed;
use super::{Reader, values};
use crate::admission::{self, Limits};
use crate::api::Door;

const DOORS: [(&str, Door); 3] =
    [("extract", Door::Extract), ("tiktok", Door::Tiktok), ("stream-url", Door::StreamUrl)];

impl Reader<'_> {
    pub(super) fn admission(&mut self) -> admission::Settings {
        admission::Settings {
            keys_file: self.optional("API_KEYS_FILE", keys_file),
            public: self.value("PUBLIC", values::switch),
            limits: Limits {
                rate: self.optional("RATE_LIMIT", str::parse),
                streams: self.optional("CLIENT_STREAMS", |text| {
                    text.parse().map_err(|_| format!("{text:?} is no number of streams"))
                }),
                bytes: self.optional("DAILY_BYTES", admission::bytes),
            },
            sites: self.optional("ALLOWED_SITES", str::parse),
        }
    }
}

fn keys_file(text: &str) -> Result<PathBuf, String> {
    // Its lines are looked at when it is read for use; that it can be is known now.
    std::fs::File::open(text).map_err(|error| format!("{text}: {error}"))?;
    std::path::absolute(text).map_err(|error| format!("{text}: {error}"))
}

/// What of the interface is closed, by what is listed as open.
pub(super) fn closed(text: &str) -> Result<Vec<Door>, String> {
    let known = |name: &str| DOORS.iter().find(|(known, _)| *known == name).map(|(_, door)| *door);
    let open = listed(text).map(|name| match name {
        "none" => Ok(None),
        name => known(name)
            .map(Some)
            .ok_or_else(|| format!("{name:?} is none of extract, tiktok, stream-url, none")),
    });
    let open = open.collect::<Result<Vec<_>, _>>()?;
    Ok(DOORS.iter().map(|(_, door)| *door).filter(|door| !open.contains(&Some(*door))).collect())
}
