//! An alert in words for a terminal: a CloudEvent comes in, some lines come out. Texts of viewers are stripped of
//! control characters, so that nobody writes to the terminal through a chat.

use std::fmt::Write;
use std::io::IsTerminal;

use serde_json::Value;

/// Columns that a line may fill.
const WIDTH: usize = 96;

/// How to tell.
#[derive(Clone, Debug)]
pub struct Words {
    /// ANSI colours.
    pub colour: bool,
    /// How `vigie` is called here, for the command to copy, e.g. `vigie -c demo.toml`.
    pub vigie: String,
}

impl Default for Words {
    /// Colour if standard output is a terminal and `NO_COLOR` is not set.
    fn default() -> Self {
        let colour = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour, vigie: "vigie".into() }
    }
}

/// [`Words::tell`] with the defaults.
pub fn in_words(event: &Value) -> String {
    Words::default().tell(event)
}

impl Words {
    /// Level, channel, the summary sentence, reasons with their values, what speaks against, the money, and the
    /// command that takes the alert. Fields that are missing are left out; ends with a line feed.
    pub fn tell(&self, event: &Value) -> String {
        let kind = event["type"].as_str().unwrap_or_default();
        let what = kind.trim_start_matches("eu.vigie.").trim_end_matches(".v1");
        let data = &event["data"];
        match what {
            "heartbeat" => format!("{}\n", self.dim("heartbeat: the lookout is awake")),
            "alert.updated" => self.line("updated", data),
            "alert.opened" | "alert.raised" | "alert.reminded" => {
                self.full(what.trim_start_matches("alert."), data)
            }
            other => self.line(other.trim_start_matches("alert."), data),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn level(&self, level: &str) -> String {
        let code = match level {
            "threat_to_life" => "1;97;41",
            "danger" => "1;30;101",
            "concern" => "1;30;43",
            _ => "1;30;46",
        };
        let name = format!(" {} ", spaced(level).to_uppercase());
        if self.colour { self.paint(code, &name) } else { format!("[{}]", name.trim()) }
    }

    /// One line for what needs no reading.
    fn line(&self, what: &str, data: &Value) -> String {
        let now = word(data, "level_now").or(word(data, "level")).unwrap_or_default();
        let channel = word(data, "channel").unwrap_or_default();
        let mut out =
            format!("  {} {channel} {}", spaced(what), self.dim(&format!("now {}", spaced(&now))));
        if let Some(clock) = word(data, "updated_at").as_deref().and_then(clock) {
            let _ = write!(out, " {}", self.dim(&format!("at {clock}")));
        }
        out.push('\n');
        out
    }

    fn full(&self, what: &str, data: &Value) -> String {
        let mut out = String::from("\n");
        // Writing to a String cannot fail.
        let level = word(data, "level").unwrap_or_default();
        let channel = word(data, "channel").unwrap_or_default();
        let _ =
            write!(out, "{} {} {}", self.level(&level), self.paint("1", &channel), spaced(what));
        if let Some(before) = word(data, "previous_level").filter(|before| *before != level) {
            let _ = write!(out, " from {}", spaced(&before));
        }
        if let Some(clock) = word(data, "updated_at").as_deref().and_then(clock) {
            let _ = write!(out, " {}", self.dim(&format!("at {clock}, the stream's time")));
        }
        out.push('\n');
        let about: Vec<String> =
            ["title", "category", "url"].into_iter().filter_map(|name| word(data, name)).collect();
        if !about.is_empty() {
            let _ = writeln!(out, "  {}", self.dim(&about.join(" · ")));
        }
        if let Some(summary) = word(data, "summary") {
            out.push('\n');
            wrap(&mut out, "  ", "  ", &summary);
            out.push('\n');
        }
        self.reasons(&mut out, data);
        self.money(&mut out, data);
        let seen: Vec<String> = list(data, "suspected_offences").map(|s| spaced(&s)).collect();
        if !seen.is_empty() {
            self.labelled(&mut out, "suspected", &seen.join(", "));
        }
        let states: Vec<String> = list(&data["jurisdiction"], "member_states").collect();
        if !states.is_empty() {
            let basis = word(&data["jurisdiction"], "basis").map(|b| format!(" ({b})"));
            self.labelled(&mut out, "concerns", &(states.join(", ") + &basis.unwrap_or_default()));
        }
        let steps: Vec<String> = list(data, "recommended_measures").map(|s| spaced(&s)).collect();
        if !steps.is_empty() {
            self.labelled(&mut out, "advised", &steps.join(", "));
        }
        if let Some(id) = word(data, "id") {
            let command = format!("{} ack {id} --by NAME --why TEXT", self.vigie);
            let _ = writeln!(out, "  {:<10} {}", "take it", self.paint("1;36", &command));
        }
        if let Some(page) = word(data, "console") {
            let _ = writeln!(out, "  {:<10} {}", "look", self.paint("4", &page));
        }
        out.push('\n');
        out
    }

    fn labelled(&self, out: &mut String, label: &str, text: &str) {
        wrap(out, &format!("  {label:<10} "), &" ".repeat(13), text);
    }

    fn reasons(&self, out: &mut String, data: &Value) {
        let mut label = "because";
        for reason in data["reasons"].as_array().into_iter().flatten() {
            let weight = reason["weight"].as_f64().map(|w| format!("{:>3.0} % ", w * 100.0));
            self.reason(out, label, &weight.unwrap_or_default(), reason);
            label = "";
        }
        let mut label = "against";
        for reason in data["against"].as_array().into_iter().flatten() {
            self.reason(out, label, "", reason);
            label = "";
        }
    }

    fn reason(&self, out: &mut String, label: &str, weight: &str, reason: &Value) {
        let signal = word(reason, "signal").unwrap_or_default();
        let mut measured = signal.clone();
        if let Some(value) = reason["value"].as_f64() {
            let _ = write!(measured, " {}", number(value));
        }
        if let Some(threshold) = reason["threshold"].as_f64() {
            let _ = write!(measured, ", threshold {}", number(threshold));
        }
        let first = format!("  {label:<10} {weight}");
        let rest = " ".repeat(first.chars().count());
        match word(reason, "text") {
            Some(text) => {
                wrap(out, &first, &rest, &text);
                let _ = writeln!(out, "{rest}{}", self.dim(&measured));
            }
            None => {
                let _ = writeln!(out, "{first}{measured}");
            }
        }
    }

    fn money(&self, out: &mut String, data: &Value) {
        let money = &data["donations"];
        let Some(count) = money["count"].as_u64().filter(|count| *count > 0) else { return };
        let mut text = format!("{count} gifts");
        if let Some(sum) = word(money, "sum_eur") {
            let _ = write!(text, ", {sum} EUR");
        }
        if let Some(acts) = money["asking_for_acts"].as_f64() {
            let _ = write!(text, ", {} of them ask for acts", number(acts));
        }
        if let Some(coupling) = money["coupling"].as_f64() {
            let _ = write!(text, ", coupling {}", number(coupling));
        }
        self.labelled(out, "money", &text);
    }
}

/// A text field without control characters; `None` if missing or empty.
fn word(data: &Value, name: &str) -> Option<String> {
    Some(clean(data[name].as_str()?)).filter(|text| !text.is_empty())
}

fn list(data: &Value, name: &str) -> impl Iterator<Item = String> {
    data[name].as_array().into_iter().flatten().filter_map(|item| item.as_str().map(clean))
}

/// Without control characters and the marks that turn the direction of writing.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .collect()
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// `22:14:03` of a time in RFC 3339.
fn clock(at: &str) -> Option<String> {
    at.split_once('T')?.1.get(..8).map(str::to_string)
}

/// At most two digits after the point, none that say nothing.
fn number(value: f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Breaks `text` between words at [`WIDTH`] columns; `first` opens the first line, `rest` the others.
fn wrap(out: &mut String, first: &str, rest: &str, text: &str) {
    let mut line = first.to_string();
    let mut empty = true;
    for next in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + next.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = rest.to_string();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(next);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}
