//! The signals of histories, as the daemon computes them: the trainer's own arithmetic is held against this. JSON Lines
//! come in on standard input, each a [`Consumed`] as the journal has it or a question `{"ask": "<channel>", "at":
//! "<time>"}`; for each question one object `{signal: value}` of the signals that have a value goes out.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use vigie::channel::Channel;
use vigie::event::{ChannelId, Consumed, Signal, Timestamp};

/// `[limits] late` as it stands in the default config, in milliseconds.
const LATE_MS: i64 = 600_000;

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line {
    Ask { ask: ChannelId, at: Timestamp },
    Consumed(Box<Consumed>),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut channels: BTreeMap<ChannelId, Channel> = BTreeMap::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (place, line) in std::io::stdin().lock().lines().enumerate() {
        let line: Line =
            serde_json::from_str(&line?).map_err(|e| format!("line {}: {e}", place + 1))?;
        match line {
            Line::Consumed(entry) => {
                channels.entry(entry.channel.clone()).or_default().consume(&entry, LATE_MS);
            }
            Line::Ask { ask, at } => {
                let signals = channels.entry(ask).or_default().signals(at);
                let told: BTreeMap<&str, f32> =
                    Signal::all().filter_map(|s| Some((s.name(), signals.get(s)?))).collect();
                serde_json::to_writer(&mut out, &told)?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(out.flush()?)
}
