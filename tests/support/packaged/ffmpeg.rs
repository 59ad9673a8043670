//! ffmpeg and openssl, run to their end.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// What every output of ffmpeg is made with, so that two runs make the same bytes.
const EXACT: [&str; 2] = ["-fflags", "+bitexact"];

/// Runs a tool in a folder: what it wrote to its standard output. Panics with what it said when it fails, or says
/// anything at all.
#[track_caller]
pub(super) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "{program} {arguments:?}: {}: {said}",
        output.status
    );
    output.stdout
}

#[track_caller]
fn ffmpeg(folder: &Path, arguments: &[&str]) {
    let mut all = vec!["-v", "error", "-nostdin", "-y"];
    all.extend(arguments);
    run(folder, "ffmpeg", &all);
}

/// What a film shows and sounds like.
pub(super) struct Scene {
    /// A source of pictures in lavfi's terms; `d=` is added.
    pub(super) picture: &'static str,
    /// Pictures per second; a key frame comes each second.
    pub(super) rate: u32,
    /// Hertz.
    pub(super) pitch: u32,
    pub(super) seconds: u32,
}

/// Makes a film of H.264 and AAC as TS. Its sound ends before its picture, so that durations are the picture's.
pub(super) fn shoot(folder: &Path, name: &str, scene: &Scene) {
    let Scene { picture, rate, pitch, seconds } = scene;
    let keys = format!("keyint={rate}:scenecut=0:bframes=0");
    let picture = format!("{picture}:r={rate}:d={seconds}");
    let sound = format!("sine=f={pitch}:r=48000:d={}", f64::from(*seconds) - 0.1);
    let mut arguments = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    arguments.extend(["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", &keys]);
    arguments.extend(["-pix_fmt", "yuv420p", "-c:a", "aac", "-aac_pns", "0", "-b:a", "64k"]);
    arguments.extend(EXACT);
    arguments.push(name);
    ffmpeg(folder, &arguments);
}

/// Packages a film without encoding it again: all that `options` write into a folder of its own.
pub(super) fn package(folder: &Path, film: &str, options: &[&str]) -> BTreeMap<String, Bytes> {
    let out = tempfile::tempdir_in(folder).unwrap();
    let film = format!("../{film}");
    let mut arguments = vec!["-i", &film];
    arguments.extend(["-map", "0", "-c", "copy"]);
    arguments.extend(EXACT);
    arguments.extend(options);
    ffmpeg(out.path(), &arguments);
    let entries = std::fs::read_dir(out.path()).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap().into()))
        .collect()
}

/// AES-128-CBC with PKCS#7, by openssl.
pub fn encrypted(plain: &[u8], key: &[u8; 16], iv: [u8; 16]) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plain"), plain).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (key, iv) = (hex(key), hex(&iv));
    run(folder.path(), "openssl", &["enc", "-aes-128-cbc", "-K", &key, "-iv", &iv, "-in", "plain"]).into()
}
