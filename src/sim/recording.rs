//! A scenario as a recording: JSON Lines of the wire format with pictures in base64, `.zst` by the file's name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::script::Scenario;
use super::timeline::{Item, timeline};

impl Scenario {
    /// Writes the whole scenario with a look at each channel every `looks_every` (3 s at least; zero: no pictures).
    /// Fails with the file's own error.
    pub fn write_recording(&self, path: &Path, looks_every: Duration) -> io::Result<()> {
        let file = BufWriter::new(File::create(path)?);
        if path.extension().is_some_and(|end| end == "zst") {
            let mut out = zstd::stream::write::Encoder::new(file, 3)?;
            self.write_lines(&mut out, looks_every)?;
            out.finish()?.flush()
        } else {
            let mut out = file;
            self.write_lines(&mut out, looks_every)?;
            out.flush()
        }
    }

    fn write_lines(&self, out: &mut impl Write, looks_every: Duration) -> io::Result<()> {
        if looks_every.is_zero() {
            return self.events().iter().try_for_each(|event| writeln!(out, "{}", event.json));
        }
        for (_, item) in timeline(self, looks_every.as_millis().max(3000) as i64) {
            match item {
                Item::Said(place) => writeln!(out, "{}", self.events()[place].json)?,
                Item::Picture(shot) => {
                    let Some(jpeg) = shot.jpeg(self) else { continue };
                    let mut frame = shot.header(&self.run());
                    frame["data"] = STANDARD.encode(jpeg).into();
                    writeln!(out, "{frame}")?;
                }
            }
        }
        Ok(())
    }
}
