//! The ways in which many people type: names, habits, and small changes to a line, all drawn from a seeded generator.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// The generator of a script: ChaCha8, the same on every machine.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        use rand_chacha::rand_core::SeedableRng;
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// 0 (inclusive) to 1 (exclusive).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// 0 to `below`, exclusive; 0 for `below` 0.
    pub fn index(&mut self, below: usize) -> usize {
        (self.unit() * below as f64) as usize
    }

    /// Waiting time of a Poisson process with `rate` a minute, in seconds.
    pub fn wait(&mut self, rate: f64) -> f64 {
        -libm::log(1.0 - self.unit()) * 60.0 / rate
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        from.get(self.index(from.len())).copied()
    }
}

/// Lines of a section in shuffled order, shuffled again when all were used.
pub(super) struct Bag<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Bag<'a> {
    pub fn new(lines: Vec<&'a str>) -> Self {
        let next = lines.len();
        Self { lines, next }
    }

    /// The next line; empty for an empty section.
    pub fn draw(&mut self, dice: &mut Dice) -> &'a str {
        if self.next >= self.lines.len() {
            for i in (1..self.lines.len()).rev() {
                self.lines.swap(i, dice.index(i + 1));
            }
            self.next = 0;
        }
        self.next += 1;
        self.lines.get(self.next - 1).copied().unwrap_or_default()
    }
}

const FRENCH: [&str; 36] = [
    "lea", "hugo", "ines", "theo", "manon", "yanis", "chloe", "lucas", "sarah", "enzo", "camille",
    "mehdi", "jade", "nathan", "emma", "rayan", "louise", "tom", "anais", "kevin", "oceane",
    "bilal", "zoe", "maxime", "clara", "noah", "lola", "axel", "nina", "samy", "julie", "gabin",
    "eva", "loic", "fatou", "remi",
];
const ENGLISH: [&str; 36] = [
    "jack", "ella", "conor", "maya", "liam", "grace", "noah", "ruby", "owen", "zara", "ethan",
    "holly", "caleb", "aoife", "mason", "ivy", "tyler", "nora", "sean", "chloe", "dylan", "amber",
    "kofi", "paige", "marcus", "freya", "logan", "priya", "callum", "tess", "wes", "june", "ivan",
    "bea", "rory", "dana",
];
const BEFORE: [&str; 8] = ["", "", "", "", "le_", "xX", "not", "mr_"];
const AFTER: [&str; 14] =
    ["", "", "", "93", "_off", "007", "_tv", "zer", "2k", ".mp4", "_75", "btw", "_irl", "42"];

/// The name of viewer `index` of a channel whose names look `fr` or `en`. May repeat; ids do not.
pub(super) fn name(style: &str, index: u32) -> String {
    let first = if style == "fr" { FRENCH } else { ENGLISH };
    let mixed = index.wrapping_mul(2_654_435_761) >> 7;
    let root = first[index as usize % first.len()];
    let before = BEFORE[mixed as usize % BEFORE.len()];
    let after = AFTER[(mixed / 8) as usize % AFTER.len()];
    let number = if index < 36 { String::new() } else { (index / 36).to_string() };
    format!("{before}{root}{after}{number}")
}

/// A line as this person types it. `playful` lines may be stretched and laughed after; others only shouted,
/// repeated marks and missing accents.
pub(super) fn typed(
    dice: &mut Dice,
    style: &str,
    person: u32,
    line: &str,
    playful: bool,
) -> String {
    let mut out = line.to_string();
    if person % 5 == 1 || dice.chance(0.06) {
        out = out.chars().map(plain).collect();
    }
    if person.is_multiple_of(3) {
        out = out.to_lowercase();
    }
    if playful {
        if dice.chance(0.07)
            && let Some(last) = out.chars().last().filter(|c| c.is_alphabetic())
        {
            (0..1 + dice.index(4)).for_each(|_| out.push(last));
        }
        if dice.chance(0.1) {
            let laughs: &[&str] = match style {
                "fr" => &[" mdr", " ptdr", " 😂", " 💀", " lol", " xd", " jpp"],
                _ => &[" lol", " lmao", " 😂", " 💀", " haha", " xd"],
            };
            out.push_str(dice.pick(laughs).unwrap_or_default());
        }
        if dice.chance(0.06) {
            out = out.to_uppercase();
        }
    } else {
        if dice.chance(0.14) {
            out.push_str(dice.pick(&["!", "!!", "!!!", " !!", " ???", "..."]).unwrap_or_default());
        }
        if dice.chance(0.13) {
            out = out.to_uppercase();
        }
    }
    out
}

fn plain(letter: char) -> char {
    match letter {
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'à' | 'â' => 'a',
        'î' | 'ï' => 'i',
        'ô' => 'o',
        'û' | 'ù' => 'u',
        'ç' => 'c',
        other => other,
    }
}
