//! `vigie bench`: named benchmarks, each beside a baseline that runs in turn with it, so that what is compared had the
//! same machine and the same load. Inputs are made by seed. Comes in: names; goes out: a table, or JSON.

mod capacity;
mod channels;
mod commit;
mod inference;
mod latency;
mod material;
mod restart;
mod rig;
mod stages;
mod start;

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::setup;
use crate::config::Config;
use crate::model::{Manifest, ModelError};

/// What can be asked for, in the order in which all of them run.
pub const NAMES: [&str; 11] = [
    "models", "decode", "evaluate", "features", "journal", "commit", "channels", "latency",
    "start", "restart", "capacity",
];

/// Everything that inputs are made from is drawn from this seed.
const SEED: u64 = 0x0076_6967_6965;

/// One thing measured: `rounds` times, and its baseline in turn with it.
#[derive(Debug, Serialize)]
struct Case {
    bench: &'static str,
    what: String,
    unit: &'static str,
    /// Items in a round.
    items: usize,
    rounds: usize,
    /// Microseconds an item.
    micros: Spread,
    baselines: Vec<Baseline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

#[derive(Debug, Serialize)]
struct Baseline {
    what: String,
    micros: Spread,
    /// Baseline's time over ours, round by round: 1 is as fast, above 1 is faster than the baseline.
    ratio: Spread,
}

#[derive(Debug, Serialize)]
struct Goal {
    what: String,
    met: bool,
}

/// Of the rounds' values: median and extremes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => 0.0,
            n if n % 2 == 0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        let (low, high) = (values.first().copied(), values.last().copied());
        Self { median, low: low.unwrap_or(0.0), high: high.unwrap_or(0.0) }
    }
}

/// How long one thing took, many times: what counts is the end of the tail. Milliseconds.
#[derive(Debug, Serialize)]
struct Tail {
    what: String,
    n: usize,
    /// Those that did not come.
    missing: usize,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
    baseline: String,
    baseline_n: usize,
    baseline_p50: f64,
    baseline_p99: f64,
    /// Load over a minute when it ended.
    load: f64,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

impl Tail {
    fn of(what: String, mut took: Vec<f64>, baseline: &str, mut theirs: Vec<f64>) -> Self {
        took.sort_by(f64::total_cmp);
        theirs.sort_by(f64::total_cmp);
        Self {
            what,
            n: took.len(),
            missing: 0,
            p50: quantile(&took, 0.5),
            p90: quantile(&took, 0.9),
            p99: quantile(&took, 0.99),
            max: quantile(&took, 1.0),
            baseline: baseline.to_owned(),
            baseline_n: theirs.len(),
            baseline_p50: quantile(&theirs, 0.5),
            baseline_p99: quantile(&theirs, 0.99),
            load: load(),
            notes: Vec::new(),
            goal: None,
        }
    }

    fn told(&self) -> String {
        let missing = match self.missing {
            0 => String::new(),
            missing => format!(" ({missing} MISSING)"),
        };
        let mut out = format!(
            "  {}\n    p50 {:.1}, p90 {:.1}, p99 {:.1}, max {:.1} ms; n = {}{missing}; load {:.1}",
            self.what,
            self.p50,
            self.p90,
            self.p99,
            self.max,
            grouped(self.n as f64),
            self.load,
        );
        if self.baseline_n > 0 {
            out.push_str(&format!(
                "\n    beside {}: p50 {:.1}, p99 {:.1} ms, n = {}; ratio {:.2} at p50, {:.2} at p99",
                self.baseline,
                self.baseline_p50,
                self.baseline_p99,
                self.baseline_n,
                self.baseline_p50 / self.p50,
                self.baseline_p99 / self.p99,
            ));
        }
        self.notes.iter().for_each(|note| out.push_str(&format!("\n    {note}")));
        out + &told(self.goal.as_ref())
    }
}

/// The highest rate at which something still holds.
#[derive(Debug, Serialize)]
struct Rate {
    what: String,
    /// A second.
    rate: f64,
    notes: Vec<String>,
    load: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

impl Rate {
    fn told(&self) -> String {
        let mut out =
            format!("  {}: {} messages/s; load {:.1}", self.what, grouped(self.rate), self.load);
        self.notes.iter().for_each(|note| out.push_str(&format!("\n    {note}")));
        out + &told(self.goal.as_ref())
    }
}

/// What something takes in memory.
#[derive(Debug, Serialize)]
struct Size {
    what: String,
    mib: f64,
    each_kib: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

impl Size {
    fn told(&self) -> String {
        let Self { what, mib, each_kib, .. } = self;
        format!("  {what}: {mib:.0} MiB, {each_kib:.1} KiB each") + &told(self.goal.as_ref())
    }
}

/// The value below which a share of the sorted values lies; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

fn told(goal: Option<&Goal>) -> String {
    goal.map_or_else(String::new, |goal| {
        let met = if goal.met { "met" } else { "NOT met" };
        format!("\n    goal {}: {met}", goal.what)
    })
}

/// Load over the last minute; 0 is idle.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// The machine that the numbers are of.
#[derive(Debug, Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    /// Load over a minute before the first benchmark; 0 is idle.
    load: f64,
    profile: &'static str,
    version: &'static str,
}

impl Machine {
    fn here() -> Self {
        let line = |path: &str, start: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().find(|line| line.starts_with(start)).map(str::to_owned)
        };
        let cpu = line("/proc/cpuinfo", "model name")
            .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self {
            cpu: cpu.unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
            load: load(),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What benchmarks need of the daemon; opened when one first needs it.
struct Bench {
    config: Config,
    manifest: Option<Manifest>,
    cases: Vec<Case>,
    tails: Vec<Tail>,
    rates: Vec<Rate>,
    sizes: Vec<Size>,
}

impl Bench {
    fn manifest(&mut self) -> Result<Manifest, ModelError> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.clone());
        }
        Ok(self.manifest.insert(setup::models(&self.config)?).clone())
    }
}

/// Runs the named benchmarks, or all; prints a table, or JSON. Errors: an unknown name, a config or models that cannot
/// be used, in words.
pub fn run(names: &[String], json: bool, config: &Path) -> Result<(), String> {
    if let Some(name) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("no benchmark is called `{name}`; there are: {}", NAMES.join(", ")));
    }
    let config = setup::config(config).map_err(|errors| errors.to_string())?;
    let mut bench = Bench {
        config,
        manifest: None,
        cases: Vec::new(),
        tails: Vec::new(),
        rates: Vec::new(),
        sizes: Vec::new(),
    };
    let machine = Machine::here();
    if !json {
        println!("{}", machine.told());
    }
    for name in NAMES.iter().filter(|name| names.is_empty() || names.iter().any(|n| n == *name)) {
        let before = (bench.cases.len(), bench.tails.len(), bench.rates.len(), bench.sizes.len());
        match *name {
            "models" => inference::models(&mut bench)?,
            "decode" => stages::decode(&mut bench),
            "evaluate" => stages::evaluate(&mut bench)?,
            "features" => stages::features(&mut bench)?,
            "journal" => commit::journal(&mut bench)?,
            "commit" => commit::commit(&mut bench)?,
            "channels" => channels::channels(&mut bench)?,
            "latency" => latency::latency(&mut bench)?,
            "start" => start::start(&mut bench)?,
            "restart" => restart::restart(&mut bench)?,
            _ => capacity::capacity(&mut bench)?,
        }
        if !json {
            println!("\n{name}");
            bench.cases[before.0..].iter().for_each(|case| println!("{}", case.told()));
            bench.rates[before.2..].iter().for_each(|rate| println!("{}", rate.told()));
            bench.sizes[before.3..].iter().for_each(|size| println!("{}", size.told()));
            bench.tails[before.1..].iter().for_each(|tail| println!("{}", tail.told()));
        }
    }
    if json {
        let all = serde_json::json!({ "machine": machine, "cases": bench.cases, "tails": bench.tails, "rates": bench.rates, "sizes": bench.sizes });
        println!("{all:#}");
    }
    Ok(())
}

/// Runs the works in turn, each round beginning with another; all once before, uncounted. Each returns how long its
/// round took.
fn in_turn<const N: usize>(
    rounds: usize,
    mut works: [&mut dyn FnMut() -> Duration; N],
) -> [Vec<Duration>; N] {
    let mut took: [Vec<Duration>; N] = std::array::from_fn(|_| Vec::new());
    works.iter_mut().for_each(|work| {
        work();
    });
    for round in 0..rounds {
        for place in 0..N {
            let turn = (place + round) % N;
            took[turn].push(works[turn]());
        }
    }
    took
}

/// How long this thread was on a core for the work: what it costs one core, whatever else the machine does. The clock on
/// the wall where the system does not tell.
fn spent(work: impl FnOnce()) -> Duration {
    let on_core = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(told.split(' ').next()?.parse().ok()?))
    };
    let before = on_core();
    let wall = timed(work);
    before.zip(on_core()).map_or(wall, |(before, after)| after.saturating_sub(before))
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn micros(rounds: &[Duration], items: usize) -> Spread {
    Spread::of(rounds.iter().map(|took| took.as_secs_f64() * 1e6 / items as f64).collect())
}

impl Baseline {
    fn of(what: &str, items: usize, mine: &[Duration], theirs: &[Duration]) -> Self {
        let ratio = theirs.iter().zip(mine).map(|(b, a)| b.as_secs_f64() / a.as_secs_f64());
        Self {
            what: what.to_owned(),
            micros: micros(theirs, items),
            ratio: Spread::of(ratio.collect()),
        }
    }
}

impl Machine {
    fn told(&self) -> String {
        let warning = if self.profile == "dev" {
            "\nThis is the dev profile: its numbers say little; `cargo bench` and `make build` use release."
        } else {
            ""
        };
        format!(
            "vigie {} ({}) on {}, {} cores, load {}\nmedian [lowest, highest] of the rounds; a ratio above 1 is faster than the baseline{warning}",
            self.version, self.profile, self.cpu, self.cores, self.load
        )
    }
}

impl Case {
    fn told(&self) -> String {
        let rate = 1e6 / self.micros.median;
        let mut out = format!(
            "  {:<44} {} µs each {}, {}/s; n = {} × {}",
            self.what,
            self.micros.told(3),
            self.unit,
            grouped(rate),
            self.rounds,
            grouped(self.items as f64),
        );
        for baseline in &self.baselines {
            out.push_str(&format!(
                "\n    beside {:<58} {} µs; ratio {}",
                baseline.what,
                baseline.micros.told(3),
                baseline.ratio.told(2)
            ));
        }
        out + &told(self.goal.as_ref())
    }
}

impl Spread {
    fn told(&self, digits: usize) -> String {
        let Spread { median, low, high } = self;
        format!("{median:.digits$} [{low:.digits$}, {high:.digits$}]")
    }
}

/// `12,345` for 12345.4.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_ratio_are_taken_round_by_round() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0]);
        assert_eq!((spread.median, spread.low, spread.high), (3.0, 1.0, 5.0));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let ms = |list: [u64; 3]| list.map(Duration::from_millis);
        let baseline = Baseline::of("x", 1000, &ms([10, 20, 30]), &ms([5, 20, 60]));
        assert_eq!(baseline.ratio.median, 1.0);
        assert_eq!((baseline.ratio.low, baseline.ratio.high), (0.5, 2.0));
        assert_eq!(baseline.micros.median, 20.0);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [100.0, 198.0, 200.0]);
        assert_eq!((quantile(&[7.0], 0.99), quantile(&[], 0.5)), (7.0, 0.0));
    }

    #[test]
    fn numbers_are_told_with_their_thousands() {
        assert_eq!(
            [0.4, 999.0, 1000.0, 1234567.0].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_known() {
        let error = run(&["speed".into()], false, Path::new("/none")).unwrap_err();
        assert!(error.contains("`speed`") && error.contains("models, decode"), "{error}");
    }
}
