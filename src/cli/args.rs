//! The command line as `clap` reads it: every command, its flags and its help.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::alert::words::LANGUAGES;

/// A lookout for live streams: sees paid violence build up, raises explained alerts, drafts the DSA Article 18
/// notification.
#[derive(Parser)]
#[command(
    name = "vigie",
    version,
    about,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 fine, 1 it failed while running, 2 wrong usage or config.\n\
                  New here? `vigie demo`, and open the address that it prints."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Verb>,
}

/// The config of a command.
#[derive(Args, Clone, Debug)]
pub struct ConfigArg {
    /// Config file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "VIGIE_CONFIG",
        default_value = "config/vigie.toml"
    )]
    pub config: PathBuf,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Run the daemon until SIGTERM or Ctrl-C.
    #[command(
        after_help = "Logs go to stderr, or to the journal under systemd; VIGIE_LOG=info,vigie::feed=debug filters them.\n\n\
                      Examples:\n  vigie check -c my.toml && vigie run -c my.toml\n  VIGIE_CONFIG=/etc/vigie/vigie.toml vigie run"
    )]
    Run(ConfigArg),
    /// Validate config, rules, models and credentials; exit 0 or 2.
    #[command(after_help = "Every problem is told with its place and how to mend it.\n\n\
                      Examples:\n  vigie check\n  vigie check -v -c my.toml\n  vigie check --json | jq '.problems[].what'")]
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Also name the authorities whose address nobody has verified yet.
        #[arg(short, long)]
        verbose: bool,
    },
    /// A simulated platform, the daemon and its page; nothing else needed.
    Demo(DemoArgs),
    /// Run recordings or a journal through the pipeline on virtual time; store and tell nothing.
    Replay(ReplayArgs),
    /// Score texts, pictures or signals with the models, as the daemon does.
    Score {
        #[command(subcommand)]
        what: ScoreWhat,
    },
    /// The Article 18 dossier of an alert: a draft, marked so.
    Dossier(DossierArgs),
    /// Take an alert: a named person is on it.
    Ack(DecideArgs),
    /// End an alert; what comes after it is a new one.
    Close(DecideArgs),
    /// Benchmarks against named baselines on this machine, as ratios.
    #[command(after_help = "Examples:\n  vigie bench\n  vigie bench decode --json > bench.json")]
    Bench {
        /// Which; all if none is named.
        #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(super::bench::NAMES))]
        names: Vec<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// JSON Schema of the config, events or alerts; the list of signals.
    #[command(after_help = "Examples:\n  vigie schema config > vigie.schema.json\n  \
                      vigie schema signals | jq -r '.[] | select(.kind == \"harm\") | .name'")]
    Schema {
        /// Of what.
        of: SchemaOf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Save a live feed as a recording.
    Record(RecordArgs),
    /// Hold the house against what is known: scenarios that must be seen or stay silent.
    Eval {
        #[command(subcommand)]
        what: EvalWhat,
    },
    /// The chain of decisions and accesses, and the evidence.
    Audit {
        #[command(subcommand)]
        what: AuditWhat,
    },
    /// Feeds: where events come from.
    Feed {
        #[command(subcommand)]
        what: FeedWhat,
    },
    /// Sinks: who is told of alerts.
    Sink {
        #[command(subcommand)]
        what: SinkWhat,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  vigie demo\n  vigie demo --scenario quiet --speed 20\n  vigie demo --port 0 --state ./demo-state"
)]
pub struct DemoArgs {
    /// What happens on the platform.
    #[arg(long, value_name = "NAME", default_value = scenarios()[0],
        value_parser = PossibleValuesParser::new(scenarios()))]
    pub scenario: String,
    /// Port of the page on loopback; 0 takes any.
    #[arg(long, value_name = "N", default_value_t = 8787)]
    pub port: u16,
    /// Simulated seconds in a second.
    #[arg(long, value_name = "FACTOR", default_value_t = crate::sim::DEFAULT_SPEED, value_parser = speed)]
    pub speed: f64,
    /// Folder for state; kept. Without it a fresh one is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// End by itself after so many seconds.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  vigie replay evening.jsonl.zst\n  vigie replay --json /var/lib/vigie/journal > alerts.jsonl"
)]
pub struct ReplayArgs {
    /// Recordings (.jsonl, .jsonl.zst), merged by time; or journal segments or a journal folder.
    #[arg(required = true, value_name = "RECORDING")]
    pub recordings: Vec<PathBuf>,
    /// Alerts as JSON lines instead of a timeline.
    #[arg(long)]
    pub json: bool,
    /// Inference threads; the outcome does not depend on it. Default: the config's.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum ScoreWhat {
    /// JSON lines {"text": …, optional "paid", "category", "language"} in, scores out, same order.
    #[command(
        after_help = "Out, a line each: {\"scores\": {label: probability}, \"model\": \"chat@0.1.0\"}. Where the category excuses \
                      (game, sport, fiction) also \"unknown\": the scores without that excuse. A label without a model is absent.\n\
                      A line that cannot be read gives {\"error\", \"line\"} in its place, and exit status 1 at the end; blank lines \
                      are skipped.\n\n\
                      Examples:\n  echo '{\"text\": \"hit him again\", \"paid\": true}' | vigie score chat\n  \
                      vigie score chat messages.jsonl > scores.jsonl"
    )]
    Chat {
        /// File; `-` or none: standard input.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Pictures (.jpg), folders of them, or videos (through ffmpeg) in; one line a look out.
    #[command(
        after_help = "A picture is a look of its own, in a folder too; of a video, every eight pictures are one look.\n\
                      Out, a line each: {\"path\", \"at\", \"scores\", \"motion\", \"model\"}; `at` is the second at which the look begins.\n\
                      With --clip: {\"path\", \"at\", \"scores\", \"motion\", \"looks\", \"model\"}: for each label its highest look; `at` is of the \
                      look with the highest score of any label but `camera`.\n\
                      ffmpeg is $VIGIE_FFMPEG, else the PATH's, else the one of the checkout's .cache/venv.\n\n\
                      Examples:\n  vigie score frames clip.mp4 --clip\n  vigie score frames stills/ one.jpg"
    )]
    Frames {
        /// Pictures a second taken from videos.
        #[arg(long, value_name = "N", default_value_t = 4.0, value_parser = fps)]
        fps: f64,
        /// One line a path: for each label the highest look.
        #[arg(long)]
        clip: bool,
        /// Pictures, folders, videos.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// JSON lines of signal name → number in, the escalation model's probabilities out.
    #[command(
        after_help = "A signal that is missing has no value; the model is given the lowest of its range. Lines that cannot be read are \
                      told as in `vigie score chat`. `vigie schema signals` lists the names.\n\n\
                      Example:\n  echo '{\"money.acts.10m\": 3, \"chat.distress.60s\": 2}' | vigie score escalation"
    )]
    Escalation {
        /// File; `-` or none: standard input.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DossierFormat {
    Json,
    Html,
    Pdf,
}

#[derive(Args)]
#[command(after_help = "Example:\n  vigie dossier 5b2c --format html --lang fr -o dossier.html")]
pub struct DossierArgs {
    /// Id of the alert, or the unambiguous beginning of it.
    pub alert: String,
    /// Form of the dossier.
    #[arg(long, value_enum, default_value = "html")]
    pub format: DossierFormat,
    /// Its language. Default: the config's.
    #[arg(long, value_name = "LANG", value_parser = PossibleValuesParser::new(LANGUAGES))]
    pub lang: Option<String>,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  vigie ack 5b2c --by \"A. Nuit\" --why \"watching the stream, calling the platform\""
)]
pub struct DecideArgs {
    /// Id of the alert, or the unambiguous beginning of it.
    pub alert: String,
    /// Who decides.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why; kept with the decision.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The config file.
    Config,
    /// One message of a feed, one line of a recording.
    Event,
    /// `data` of the CloudEvents that sinks are sent.
    Alert,
    /// Not a schema: each signal with unit, range, kind (harm or context) and meaning.
    Signals,
}

#[derive(Args)]
#[command(
    after_help = "A connection of its own, with the config's credentials; a daemon that runs is not disturbed. Ctrl-C ends the file \
                  well. Repeats are left out, gaps kept, fields that Vigie does not know dropped. The file holds people's ids, names \
                  and words: only its owner may read it.\n\n\
                  Examples:\n  vigie record --feed platform -o evening.jsonl.zst\n  \
                  vigie record --feed platform -o minute.jsonl --seconds 60 && vigie replay minute.jsonl"
)]
pub struct RecordArgs {
    /// The feed's name in the config.
    #[arg(long, value_name = "NAME")]
    pub feed: String,
    /// The recording; compressed if its name ends in .zst.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// End after so many seconds.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum EvalWhat {
    /// Score labelled messages and tell how much is found and how much is raised wrongly.
    Chat(EvalChatArgs),
    /// Score labelled pictures and tell how much is found and how much is raised wrongly.
    Frames(EvalFramesArgs),
    /// Replay recordings and hold each channel against what is expected of it.
    Scenarios(EvalScenariosArgs),
}

#[derive(Args)]
#[command(
    after_help = "PATH is CSV or TSV with a header: `text`, perhaps `category` or `setting`, `paid`, and either a column a label (1, 0, \
                  empty: doubtful) or one `labels` (threat,toxicity?; -: none).\n\n\
                  Examples:\n  vigie eval chat ours.csv\n  \
                  vigie eval chat ours.csv --against ../old/models --worst 40\n  \
                  vigie eval chat ours.csv --json | jq .this.macro_f1"
)]
pub struct EvalChatArgs {
    /// The labelled messages.
    pub path: PathBuf,
    /// Another manifest, or its folder: its chat model is measured beside the config's.
    #[arg(long, value_name = "MANIFEST")]
    pub against: Option<PathBuf>,
    /// How many of the surest mistakes are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub worst: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Args)]
#[command(
    after_help = "PATH is a folder whose sub-folders are named after what they hold (violence, nudity+camera, not_violence, none), or a CSV \
                  or TSV with the columns `path` (from where the table lies), `label` (the same names, several separated by a comma or \
                  a space; violence?: doubtful) and perhaps `source`: then each source is also told on its own. What a name does not \
                  speak of counts for nothing.\n\
                  A picture is a look of its own, a folder of pictures and a video are a look every eight; of several looks the highest \
                  counts, label by label.\n\n\
                  Examples:\n  vigie eval frames ours/\n  \
                  vigie eval frames ours.csv --against ../old/models --worst 40\n  \
                  vigie eval frames ours/ --json | jq '.this.labels[] | [.label, .auc]'"
)]
pub struct EvalFramesArgs {
    /// The labelled pictures.
    pub path: PathBuf,
    /// Another manifest, or its folder: its picture models are measured beside the config's.
    #[arg(long, value_name = "MANIFEST")]
    pub against: Option<PathBuf>,
    /// How many of the surest mistakes are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub worst: usize,
    /// Pictures a second taken from videos.
    #[arg(long, value_name = "N", default_value_t = 4.0, value_parser = fps)]
    pub fps: f64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Args)]
#[command(
    after_help = "PATH is a scenarios.toml, or a folder that holds one beside its recordings; docs/scenarios.md has its keys. Exit \
                  status 1 if an expectation is broken.\n\n\
                  Examples:\n  vigie eval scenarios examples/scenarios\n  \
                  vigie eval scenarios ours --json | jq '.false_alerts_per_hour'"
)]
pub struct EvalScenariosArgs {
    /// The plan, or its folder.
    pub path: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Inference threads; the outcome does not depend on it. Default: the config's.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum AuditWhat {
    /// Check every link of the chain and the bytes of all evidence that is kept.
    Verify(AuditArgs),
}

#[derive(Args)]
#[command(
    after_help = "Names the first row that does not hold, and each piece of evidence that is not what its digest says; exit status 1 \
                  then. A chain cannot tell that its end was cut off: keep the head that is printed elsewhere, and give it the next \
                  time.\n\n\
                  Examples:\n  vigie audit verify\n  vigie audit verify --head sha256:9f2c… --json"
)]
pub struct AuditArgs {
    /// Hash of a row that must stand in the chain: the head of an earlier run.
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum FeedWhat {
    /// What is connected, since when, the newest event, what is missing; without a daemon: what is configured.
    List(FeedListArgs),
    /// Connect, show the first events in words, say what is missing.
    Test(FeedTestArgs),
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  vigie feed list\n  vigie feed list --json | jq '.feeds[] | select(.state != \"connected\")'"
)]
pub struct FeedListArgs {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Args)]
#[command(
    after_help = "A connection of its own, with the config's credentials; a daemon that runs is not disturbed, nothing is stored. \
                  Ctrl-C ends it sooner. Exit status 1 if it did not connect or brought no event.\n\n\
                  Examples:\n  vigie feed test platform\n  vigie feed test platform --seconds 300 -c my.toml"
)]
pub struct FeedTestArgs {
    /// The feed's name in the config.
    pub name: String,
    /// End after so many seconds.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub seconds: u64,
    /// End after so many events.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub events: u64,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum SinkWhat {
    /// Send a marked test alert and show the answer.
    #[command(
        after_help = "The alert says that it is a test, in words and by `\"test\": true` in its data. Exit status 1 if the sink did not \
                      take it.\n\nExample:\n  vigie sink test trust-team -c my.toml"
    )]
    Test {
        /// The sink's name in the config.
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

fn scenarios() -> &'static [&'static str] {
    crate::sim::Scenario::names()
}

fn speed(text: &str) -> Result<f64, String> {
    above_zero(text, 1000.0)
}

fn fps(text: &str) -> Result<f64, String> {
    above_zero(text, 60.0)
}

fn above_zero(text: &str, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= most => Ok(value),
        _ => Err(format!("give a number above 0, at most {most}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
