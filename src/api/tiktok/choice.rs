//! Which of a post's files is which: the best one, the unmarked one, the sound.

use super::shape::{DownloadLink, Links};
use crate::api::tickets::StreamLink;
use crate::extract::{Format, FormatInfo};

/// Smallest picture, by its shorter side, that counts as HD.
const HD: u64 = 720;

/// Sorts the best first: picture with sound before picture alone before sound; what plays before what does
/// not; the unmarked before the marked; the larger before the smaller; h264 before the rest at the same size.
pub(super) fn rank(Format { info, unplayable, .. }: &Format) -> impl Ord + use<> {
    let kind = match (info.has_picture(), info.has_sound()) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    };
    let size = std::cmp::Reverse(size_class(info).unwrap_or(0));
    (kind, *unplayable, is_watermarked(info), size, !is_h264(info))
}

fn is_watermarked(info: &FormatInfo) -> bool {
    info.watermarked == Some(true)
}

fn is_h264(info: &FormatInfo) -> bool {
    info.vcodec.as_deref().is_some_and(|codec| codec.starts_with("h264") || codec.starts_with("avc"))
}

/// The shorter side in pixels, as TikTok names sizes: its 540p has 576.
pub(super) fn size_class(info: &FormatInfo) -> Option<u64> {
    match info.width?.min(info.height?) {
        576 => Some(540),
        side => Some(side),
    }
}

/// The links by purpose, out of sorted formats.
pub(super) fn download_link(streamable: &[(&Format, StreamLink)]) -> DownloadLink {
    let best = |wanted: &dyn Fn(&FormatInfo) -> bool| {
        let mut playable = streamable.iter().filter(|(format, _)| !format.unplayable);
        playable.find(|(format, _)| wanted(&format.info)).map(|(_, link)| link.stream.clone())
    };
    let complete = |info: &FormatInfo| info.has_picture() && info.has_sound();
    let is_hd = |info: &FormatInfo| size_class(info).is_some_and(|class| class >= HD);
    let unmarked = |info: &FormatInfo| complete(info) && !is_watermarked(info);
    let marked = |info: &FormatInfo| complete(info) && is_watermarked(info);
    DownloadLink {
        watermark: best(&marked),
        watermark_hd: best(&|info| marked(info) && is_hd(info)),
        no_watermark: best(&|info| unmarked(info) && is_h264(info))
            .or_else(|| best(&unmarked))
            .map(Links::One),
        no_watermark_hd: best(&|info| unmarked(info) && is_hd(info)),
        mp3: best(&|info| !info.has_picture()),
    }
}

#[cfg(test)]
mod tests {
    use crate::egress::Route;
    use std::collections::BTreeMap;

    use serde_json::Map;

    use super::*;
    use crate::extract::Delivery;
    use crate::ticket::Link;

    fn format(id: &str, vcodec: &str, acodec: &str, side: u64) -> Format {
        let info = FormatInfo {
            format_id: id.into(),
            ext: Some(if vcodec == "none" { "mp3" } else { "mp4" }.into()),
            vcodec: Some(vcodec.into()),
            acodec: Some(acodec.into()),
            width: (side > 0).then_some(side),
            height: (side > 0).then_some(side * 16 / 9),
            watermarked: Some(id.starts_with("download")),
            ..FormatInfo::default()
        };
        let link = Link {
            url: String::new(),
            headers: BTreeMap::new(),
            cookies: Vec::new(),
            chunk: None,
            not_before: None,
            no_resume: false,
            route: Route::default(),
        };
        Format {
            info,
            delivery: Delivery::default(),
            unplayable: vcodec == "bytevc2",
            link,
            rest: Map::new(),
        }
    }

    fn sorted(formats: &[Format]) -> Vec<(&Format, StreamLink)> {
        let link = |id: &String| StreamLink { stream: id.clone(), token: String::new() };
        let mut formats: Vec<_> =
            formats.iter().map(|format| (format, link(&format.info.format_id))).collect();
        formats.sort_by_key(|(format, _)| rank(format));
        formats
    }

    #[test]
    fn the_best_comes_first_and_links_mean_what_they_say() {
        let infos = [
            format("audio", "none", "mp3", 0),
            format("silent_1080", "h265", "none", 1080),
            format("bytevc2_1080", "bytevc2", "aac", 1080),
            format("h265_1080", "h265", "aac", 1080),
            format("h265_720", "h265", "aac", 720),
            format("h264_720", "h264", "aac", 720),
            format("h264_540", "h264", "aac", 576),
            format("download", "h264", "aac", 720),
        ];
        let formats = sorted(&infos);
        let order: Vec<_> = formats.iter().map(|(format, _)| format.info.format_id.as_str()).collect();
        assert_eq!(
            order,
            [
                "h265_1080",
                "h264_720",
                "h265_720",
                "h264_540",
                "download",
                "bytevc2_1080",
                "silent_1080",
                "audio"
            ]
        );
        let links = download_link(&formats);
        assert_eq!(links.watermark.as_deref(), Some("download"));
        assert_eq!(links.watermark_hd.as_deref(), Some("download"));
        assert!(matches!(&links.no_watermark, Some(Links::One(link)) if link == "h264_720"));
        assert_eq!(links.no_watermark_hd.as_deref(), Some("h265_1080"));
        assert_eq!(links.mp3.as_deref(), Some("audio"));
        assert_eq!(size_class(&formats[3].0.info), Some(540));
    }

    #[test]
    fn what_is_not_there_is_absent() {
        let infos = [format("download", "h264", "aac", 360), format("bytevc2", "bytevc2", "aac", 1080)];
        let links = download_link(&sorted(&infos));
        assert_eq!(links.watermark.as_deref(), Some("download"));
        assert!(links.watermark_hd.is_none() && links.no_watermark.is_none() && links.mp3.is_none());
        assert!(links.no_watermark_hd.is_none());
    }
}
