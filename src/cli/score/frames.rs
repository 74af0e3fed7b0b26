//! `vigie score frames`: looks out of pictures, folders of pictures and videos. A video is never held as a whole:
//! ffmpeg writes its pictures into a pipe, eight of them are judged, then the next eight are read.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use bytes::Bytes;
use serde::Serialize;

use super::super::{CliError, setup};
use super::{Labelled, progress, told, write_line};
use crate::event::{FRAME_LABELS, FrameLabel, Scores};
use crate::model::{Looked, ModelError, ModelKind, Scorer};

/// Pictures of a look.
const LOOK: usize = 8;
/// Largest picture that is read, in bytes.
const LARGEST: usize = 64 << 20;
/// Endings of files that are videos when they lie in a folder; a path that is named is taken as one whatever its name.
const VIDEOS: [&str; 10] = ["mp4", "webm", "mkv", "mov", "avi", "flv", "ts", "mpg", "mpeg", "m4v"];

#[derive(Serialize)]
struct Told<'a> {
    path: &'a Path,
    /// Second at which the look begins.
    at: f64,
    scores: Labelled,
    motion: Option<f32>,
    model: &'a str,
}

/// Of a whole path: label by label the highest look.
#[derive(Serialize)]
struct ToldClip<'a> {
    path: &'a Path,
    /// Second at which the highest look begins: the one with the highest score of any label but `camera`, which says
    /// how a picture was made and not what it shows. The first of equals.
    at: f64,
    scores: Labelled,
    motion: Option<f32>,
    looks: u64,
    model: &'a str,
}

#[derive(Serialize)]
struct Bad<'a> {
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<f64>,
    error: String,
}

/// The highest look so far, label by label.
#[derive(Default)]
pub struct Clip {
    pub scores: Scores,
    /// As [`ToldClip::at`].
    pub at: f64,
    highest: Option<f32>,
    motion: Option<f32>,
    looks: u64,
}

impl Clip {
    /// Of a picture, a video, or a folder of pictures that follow one another; `Err` in it says why it cannot be read.
    pub fn of(
        path: &Path,
        fps: f64,
        scorer: &mut Scorer,
    ) -> Result<Result<Self, String>, ModelError> {
        let mut clip = Self::default();
        let mut looks = match Looks::open(path, fps) {
            Ok(looks) => looks,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let (at, pictures) = match looks.next() {
                Ok(Some(look)) => look,
                Ok(None) => return Ok(Ok(clip)),
                Err(error) => return Ok(Err(error)),
            };
            let looked = scorer.look(&pictures)?;
            scorer.failure().map_or(Ok(()), Err)?;
            if let (false, Some(problem)) = (looked.used.contains(&true), looked.problems.first()) {
                return Ok(Err(problem.to_string()));
            }
            clip.take(&looked, at);
        }
    }

    fn take(&mut self, looked: &Looked, at: f64) {
        let shown = FRAME_LABELS.into_iter().filter(|label| *label != FrameLabel::Camera);
        let highest = shown.filter_map(|label| looked.scores.frame(label)).reduce(f32::max);
        if self.looks == 0 || highest > self.highest {
            (self.at, self.highest) = (at, highest);
        }
        self.scores = self.scores.max(looked.scores);
        self.motion = match (self.motion, looked.motion) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.looks += 1;
    }
}

fn labelled(scores: &Scores) -> Labelled {
    let of = |label: FrameLabel| Some((label.name(), scores.frame(label)?));
    Labelled(FRAME_LABELS.into_iter().filter_map(of).collect())
}

/// Looks in order; what cannot be read is told in its place, and exit is 1 at the end.
pub fn frames(paths: &[PathBuf], fps: f64, clip: bool, config: &Path) -> Result<(), CliError> {
    let config = setup::config(config)?;
    let manifest = setup::models(&config)?;
    let model = told(&manifest, ModelKind::Image, "pictures")?;
    let mut scorer = Scorer::open(&manifest)?;
    let bar = progress("looks");
    let mut out = std::io::stdout().lock();
    let mut bad = 0u64;
    for path in files(paths)? {
        let path = path.as_path();
        let mut whole = Clip::default();
        let mut looks = match Looks::open(path, fps) {
            Ok(looks) => looks,
            Err(error) => {
                bad += 1;
                write_line(&mut out, &Bad { path, at: None, error })?;
                continue;
            }
        };
        loop {
            let (at, pictures) = match looks.next() {
                Ok(Some(look)) => look,
                Ok(None) => break,
                Err(error) => {
                    bad += 1;
                    write_line(&mut out, &Bad { path, at: None, error })?;
                    break;
                }
            };
            let looked = scorer.look(&pictures)?;
            scorer.failure().map_or(Ok(()), Err)?;
            bar.inc(1);
            if let (false, Some(problem)) = (looked.used.contains(&true), looked.problems.first()) {
                bad += 1;
                write_line(&mut out, &Bad { path, at: Some(at), error: problem.to_string() })?;
                continue;
            }
            whole.take(&looked, at);
            if !clip {
                let scores = labelled(&looked.scores);
                write_line(
                    &mut out,
                    &Told { path, at, scores, motion: looked.motion, model: &model },
                )?;
            }
        }
        if clip && whole.looks > 0 {
            let line = ToldClip {
                path,
                at: whole.at,
                scores: labelled(&whole.scores),
                motion: whole.motion,
                looks: whole.looks,
                model: &model,
            };
            write_line(&mut out, &line)?;
        }
        out.flush()?;
    }
    bar.finish_and_clear();
    match bad {
        0 => Ok(()),
        _ => Err(CliError::Runtime(format!("{bad} paths or looks could not be read"))),
    }
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let own = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    endings.iter().any(|ending| own.eq_ignore_ascii_case(ending))
}

/// Whether it is taken for a picture or a video where it lies in a folder.
pub fn is_seen(path: &Path) -> bool {
    is_picture(path) || ends_in(path, &VIDEOS)
}

fn is_picture(path: &Path) -> bool {
    ends_in(path, &["jpg", "jpeg"])
}

/// The paths, folders replaced by the pictures and videos that lie in them, in order of name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut out = Vec::new();
    for path in paths {
        if !path.is_dir() {
            out.push(path.clone());
            continue;
        }
        let told =
            |error: std::io::Error| CliError::Runtime(format!("{}: {error}", path.display()));
        let entries = std::fs::read_dir(path).map_err(told)?;
        let mut within = Vec::new();
        for entry in entries {
            let file = entry.map_err(told)?.path();
            if file.is_file() && is_seen(&file) {
                within.push(file);
            }
        }
        within.sort();
        out.append(&mut within);
    }
    Ok(out)
}

/// The looks of one file.
enum Looks {
    Picture(Option<Bytes>),
    /// A folder of pictures, in order of name, the next last.
    Folder {
        left: Vec<PathBuf>,
        fps: f64,
        read: usize,
    },
    Video {
        pictures: Pictures<BufReader<ChildStdout>>,
        child: Child,
        /// Gives the child's last words once it has ended.
        words: Option<JoinHandle<Vec<u8>>>,
        fps: f64,
        read: usize,
    },
}

impl Looks {
    fn open(path: &Path, fps: f64) -> Result<Self, String> {
        if path.is_dir() {
            let files = std::fs::read_dir(path).map_err(|e| e.to_string())?;
            let files = files.map(|entry| entry.map(|entry| entry.path()));
            let mut left = files.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
            left.retain(|file| is_picture(file));
            left.sort_by(|a, b| b.cmp(a));
            if left.is_empty() {
                return Err("there is no picture in this folder".into());
            }
            return Ok(Looks::Folder { left, fps, read: 0 });
        }
        if !path.is_file() {
            return Err("there is no such file".into());
        }
        if is_picture(path) {
            return Ok(Looks::Picture(Some(picture(path)?)));
        }
        let mut child = decode(path, fps)?;
        // It was asked for just above.
        let stdout = child.stdout.take().ok_or("ffmpeg has no output")?;
        let pictures = Pictures(BufReader::with_capacity(1 << 18, stdout));
        // Its complaints are read beside its pictures: a full pipe would stop it.
        let words = child.stderr.take().map(|stderr| std::thread::spawn(|| tail(stderr)));
        Ok(Looks::Video { pictures, child, words, fps, read: 0 })
    }

    /// The second at which the next look begins, and its pictures.
    fn next(&mut self) -> Result<Option<(f64, Vec<Bytes>)>, String> {
        match self {
            Looks::Picture(bytes) => Ok(bytes.take().map(|bytes| (0.0, vec![bytes]))),
            Looks::Folder { left, fps, read } => {
                let at = *read as f64 / *fps;
                let look = left.drain(left.len().saturating_sub(LOOK)..).rev();
                let look = look.map(|file| picture(&file)).collect::<Result<Vec<_>, _>>()?;
                *read += look.len();
                Ok((!look.is_empty()).then_some((at, look)))
            }
            Looks::Video { pictures, child, words, fps, read } => {
                let mut look = Vec::with_capacity(LOOK);
                while look.len() < LOOK {
                    match pictures.next().map_err(|e| e.to_string())? {
                        Some(picture) => look.push(picture),
                        None => break,
                    }
                }
                let at = *read as f64 / *fps;
                *read += look.len();
                if look.is_empty() {
                    let status = child.wait().map_err(|e| e.to_string())?;
                    if *read == 0 || !status.success() {
                        return Err(said(words.take(), *read));
                    }
                    return Ok(None);
                }
                Ok(Some((at, look)))
            }
        }
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        if let Looks::Video { child, .. } = self {
            // It may have ended already; then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A picture's bytes, as they are.
fn picture(path: &Path) -> Result<Bytes, String> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    if std::fs::metadata(path).map_err(told)?.len() > LARGEST as u64 {
        return Err(format!("{}: larger than {} MiB", path.display(), LARGEST >> 20));
    }
    std::fs::read(path).map(Bytes::from).map_err(told)
}

/// The end of what a stream brings.
fn tail(mut stream: impl Read) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        kept.drain(..kept.len().saturating_sub(4096));
    }
    kept
}

/// Why ffmpeg stopped, in its own last words.
fn said(words: Option<JoinHandle<Vec<u8>>>, read: usize) -> String {
    let words = words.and_then(|words| words.join().ok()).unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let last =
        words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it told no reason");
    match read {
        0 => format!("ffmpeg finds no picture in it: {last}"),
        _ => format!("ffmpeg stopped after {read} pictures: {last}"),
    }
}

/// `$VIGIE_FFMPEG`, else the PATH's, else the wheel's in the checkout's `.cache/venv`.
fn ffmpeg() -> PathBuf {
    if let Some(named) = std::env::var_os("VIGIE_FFMPEG").filter(|named| !named.is_empty()) {
        return named.into();
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|dir| dir.join("ffmpeg")).find(|file| file.is_file())
    });
    on_path.or_else(of_the_wheel).unwrap_or_else(|| "ffmpeg".into())
}

fn of_the_wheel() -> Option<PathBuf> {
    let binary = std::env::current_exe().ok();
    let above = binary.iter().flat_map(|binary| binary.ancestors().skip(1).take(5));
    let checkouts = above.chain([Path::new(".")]).map(|dir| dir.join(".cache/venv/lib"));
    let pythons = checkouts.filter_map(|lib| std::fs::read_dir(lib).ok()).flatten().flatten();
    let wheels = pythons.map(|python| python.path().join("site-packages/imageio_ffmpeg/binaries"));
    let binaries = wheels.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    binaries.map(|file| file.path()).find(|file| {
        file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ffmpeg"))
    })
}

/// Starts ffmpeg on a video: JPEG pictures at `fps`, at most 640 wide, into a pipe. It opens files alone, so that a
/// video that names others elsewhere reaches nothing.
fn decode(path: &Path, fps: f64) -> Result<Child, String> {
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    Command::new(ffmpeg())
        .args(["-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i"])
        .arg(input)
        .args(["-an", "-vf", &format!("fps={fps},scale='min(640,iw)':-2")])
        .args(["-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "3", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "ffmpeg cannot be started ({error}); install it, or set VIGIE_FFMPEG to its path"
            )
        })
}

/// JPEG pictures that follow one another.
struct Pictures<R>(R);

impl<R: BufRead> Pictures<R> {
    /// The next one. Its segments are walked by their lengths: bytes within a table are no end of the picture.
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        if self.0.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(1 << 15);
        if self.two(&mut out)? != [0xff, 0xd8] {
            return Err(bad("this is no JPEG"));
        }
        let mut after_scan = None;
        loop {
            let marker = match after_scan.take() {
                Some(marker) => marker,
                None => match self.two(&mut out)? {
                    [0xff, marker] => marker,
                    _ => return Err(bad("a JPEG segment begins without its marker")),
                },
            };
            if marker == 0xd9 {
                return Ok(Some(out.into()));
            }
            let length = usize::from(u16::from_be_bytes(self.two(&mut out)?)).saturating_sub(2);
            let start = out.len();
            out.resize(start + length, 0);
            self.0.read_exact(&mut out[start..])?;
            if marker == 0xda {
                after_scan = Some(self.scan(&mut out)?);
            }
        }
    }

    fn two(&mut self, out: &mut Vec<u8>) -> std::io::Result<[u8; 2]> {
        let mut bytes = [0; 2];
        self.0.read_exact(&mut bytes)?;
        out.extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// Compressed data up to and with the next marker, which is given: `ff00` is a byte, `ffd0` to `ffd7` go on.
    fn scan(&mut self, out: &mut Vec<u8>) -> std::io::Result<u8> {
        loop {
            self.0.read_until(0xff, out)?;
            if out.last() != Some(&0xff) {
                return Err(bad("a JPEG ends too early"));
            }
            if out.len() > LARGEST {
                return Err(bad("a JPEG is too large"));
            }
            let mut marker = [0xff];
            while marker == [0xff] {
                self.0.read_exact(&mut marker)?;
                out.extend_from_slice(&marker);
            }
            if marker[0] != 0 && !(0xd0..=0xd7).contains(&marker[0]) {
                return Ok(marker[0]);
            }
        }
    }
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_apart_by_their_segments() {
        // The table holds the bytes of an end; the data holds an escaped byte and a restart.
        let one: &[u8] = &[
            0xff, 0xd8, 0xff, 0xdb, 0, 6, 0xff, 0xd9, 0xff, 0xd8, 0xff, 0xda, 0, 3, 9, 1, 0xff, 0,
            2, 0xff, 0xd3, 7, 0xff, 0xd9,
        ];
        let mut pictures = Pictures(std::io::Cursor::new([one, one, &one[..18]].concat()));
        assert_eq!(pictures.next().unwrap().as_deref(), Some(one));
        assert_eq!(pictures.next().unwrap().as_deref(), Some(one));
        assert!(pictures.next().is_err(), "the third is cut off");
        assert!(Pictures(&b"RIFF...."[..]).next().is_err());
        assert_eq!(Pictures(&b""[..]).next().unwrap(), None);
    }
}
