//! Rules: comparisons of signals joined by `&&` and `||`, written in CEL and held to a small part of it, so that
//! their direction can be checked and the comparisons that hold can be told. The `cel` crate parses; what it
//! parsed is lowered to [`Expr`] once, at load.

use cel::Program;
use cel::common::ast::{Expr as Cel, IdedExpr, LiteralValue};

use crate::event::{Level, Offence, Signal, SignalKind, Signals, Tense};

/// Longest source that is given to the parser: beyond, its recursion is not bounded.
const LONGEST: usize = 4096;
/// Deepest nesting of parentheses and negations accepted.
const DEEPEST: usize = 32;

/// Why a rule is refused; `offset` is the byte in its source.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct RuleError {
    pub offset: usize,
    pub what: String,
    pub mend: String,
}

/// A sum of signals with factors, plus a constant.
#[derive(Clone, Debug, Default, PartialEq)]
struct Linear {
    parts: Vec<(Signal, f64)>,
    constant: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare { left: Linear, op: Op, right: Linear },
}

/// A comparison that holds, as a reason: its first signal, the value of the left side and the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holds {
    pub signal: Signal,
    pub value: f32,
    pub threshold: f32,
}

/// A rule ready to run.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub level: Level,
    pub tense: Option<Tense>,
    pub offences: Vec<Offence>,
    /// Shadow rules are counted and shown, and raise nothing.
    pub shadow: bool,
    expr: Expr,
}

impl Rule {
    /// Compiles `when`. Errors: syntax, an unknown signal, anything but comparisons joined by `&&` and `||`, a
    /// harm signal anywhere but on the left of `>` or `>=`, too long or too deep a source.
    pub fn compile(
        name: &str,
        when: &str,
        level: Level,
        tense: Option<Tense>,
        offences: Vec<Offence>,
        shadow: bool,
    ) -> Result<Self, RuleError> {
        refuse_monsters(when)?;
        let program = Program::compile(when).map_err(|e| misread(when, &e.to_string()))?;
        let lowering = Lowering { program: &program };
        let expr = lowering.condition(program.expression())?;
        Ok(Self { name: name.to_owned(), level, tense, offences, shadow, expr })
    }

    /// Whether it matches; the comparisons that hold are put into `holds`.
    pub fn matches(&self, signals: &Signals, holds: &mut Vec<Holds>) -> bool {
        holds.clear();
        self.expr.eval(signals, holds)
    }

    /// False if no value of the signals outside `absent` can make it match.
    pub fn can_match(&self, absent: &dyn Fn(Signal) -> bool) -> bool {
        self.expr.can_match(absent)
    }

    /// Every signal that it names.
    pub fn signals(&self) -> Vec<Signal> {
        let mut out = Vec::new();
        self.expr.collect(&mut out);
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// What the parser says (`ERROR: <input>:1:20: Syntax error: mismatched input '<EOF>' expecting {…}`), in plain words
/// and with its place.
fn misread(when: &str, told: &str) -> RuleError {
    let place = told.split_once("<input>:").and_then(|(_, rest)| {
        let mut parts = rest.splitn(3, ':');
        let line: usize = parts.next()?.parse().ok()?;
        let column: usize = parts.next()?.parse().ok()?;
        let before: usize = when.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = when.get(before..)?;
        let skipped: usize = rest.chars().take(column - 1).map(char::len_utf8).sum();
        Some(before + skipped)
    });
    let culprit = told.split_once('\'').and_then(|(_, rest)| rest.split_once('\''));
    let what = match culprit.map(|(culprit, _)| culprit) {
        Some("<EOF>") => "the condition ends too early".to_owned(),
        Some(culprit) => format!("`{culprit}` does not fit here"),
        None => "this is no condition".to_owned(),
    };
    let mend = "write comparisons joined by && and ||, as in `chat_distress_60s > 2.0`, and close every parenthesis";
    RuleError { offset: place.unwrap_or(0), what, mend: mend.into() }
}

/// The parser recurses by nesting, by signs before a value and by `?`: all are bounded before it sees the source.
fn refuse_monsters(when: &str) -> Result<(), RuleError> {
    let refuse = |offset, what: String| {
        let mend = "split it into several rules".to_owned();
        Err(RuleError { offset, what, mend })
    };
    if when.len() > LONGEST {
        return refuse(0, format!("it is {} bytes long, at most {LONGEST} are read", when.len()));
    }
    let (mut depth, mut nests) = (0usize, 0usize);
    for (offset, byte) in when.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'!' | b'-' | b'?' => nests += 1,
            _ => {}
        }
        if depth > DEEPEST || nests > DEEPEST {
            return refuse(offset, format!("it nests more than {DEEPEST} deep"));
        }
    }
    Ok(())
}

struct Lowering<'a> {
    program: &'a Program,
}

impl Lowering<'_> {
    fn error(&self, at: &IdedExpr, what: String, mend: &str) -> RuleError {
        let offset = self.program.source_info().offset_for(at.id).map_or(0, |(start, _)| start);
        RuleError { offset: offset as usize, what, mend: mend.to_owned() }
    }

    fn condition(&self, expr: &IdedExpr) -> Result<Expr, RuleError> {
        const MEND: &str = "only comparisons (<, <=, >, >=) joined by && and || are allowed";
        let Cel::Call(call) = &expr.expr else {
            return Err(self.error(expr, "this is no comparison".into(), MEND));
        };
        if call.target.is_some() {
            return Err(self.error(expr, "functions are not allowed".into(), MEND));
        }
        let op = match call.func_name.as_str() {
            "_&&_" | "_||_" => {
                let parts: Result<Vec<Expr>, RuleError> =
                    call.args.iter().map(|arg| self.condition(arg)).collect();
                let parts = parts?;
                return Ok(if call.func_name == "_&&_" {
                    Expr::And(parts)
                } else {
                    Expr::Or(parts)
                });
            }
            "_<_" => Op::Less,
            "_<=_" => Op::LessEqual,
            "_>_" => Op::Greater,
            "_>=_" => Op::GreaterEqual,
            other => {
                let what = format!(
                    "the operator or function `{}` is not allowed",
                    other.trim_matches('_')
                );
                return Err(self.error(expr, what, MEND));
            }
        };
        let [left, right] = call.args.as_slice() else {
            return Err(self.error(expr, "a comparison has two sides".into(), MEND));
        };
        self.no_harm_downwards(left, right, op)?;
        Ok(Expr::Compare { left: self.linear(left, 1.0)?, op, right: self.linear(right, 1.0)? })
    }

    /// A harm signal stands only on the left of `>` or `>=`, with a factor that is not negative.
    fn no_harm_downwards(
        &self,
        left: &IdedExpr,
        right: &IdedExpr,
        op: Op,
    ) -> Result<(), RuleError> {
        const MEND: &str =
            "a harm signal may only be compared upwards: on the left of > or >=, not subtracted";
        let upwards = matches!(op, Op::Greater | Op::GreaterEqual);
        let is_harm = |(signal, _): &&(Signal, f64)| signal.def().kind == SignalKind::Harm;
        let lowered = self.linear(left, 1.0)?;
        if let Some((signal, factor)) = lowered.parts.iter().find(is_harm) {
            if !upwards || *factor < 0.0 {
                let what = format!("`{}` is compared downwards", signal.cel_name());
                return Err(self.error(left, what, MEND));
            }
        }
        if let Some((signal, _)) = self.linear(right, 1.0)?.parts.iter().find(is_harm) {
            let what = format!("`{}` stands on the right of a comparison", signal.cel_name());
            return Err(self.error(right, what, MEND));
        }
        Ok(())
    }

    fn linear(&self, expr: &IdedExpr, factor: f64) -> Result<Linear, RuleError> {
        const MEND: &str = "a side is a number, a signal, or a sum of signals with number factors";
        match &expr.expr {
            Cel::Literal(literal) => {
                let number = match literal {
                    LiteralValue::Int(value) => *value.inner() as f64,
                    LiteralValue::UInt(value) => *value.inner() as f64,
                    LiteralValue::Double(value) => *value.inner(),
                    _ => return Err(self.error(expr, "this is no number".into(), MEND)),
                };
                Ok(Linear { parts: Vec::new(), constant: factor * number })
            }
            Cel::Ident(name) => match Signal::from_name(name).filter(|s| s.cel_name() == *name) {
                Some(signal) => Ok(Linear { parts: vec![(signal, factor)], constant: 0.0 }),
                None => Err(self.unknown(expr, name)),
            },
            Cel::Call(call) if call.target.is_none() => {
                match (call.func_name.as_str(), call.args.as_slice()) {
                    ("_+_", [a, b]) => self.sum(self.linear(a, factor)?, self.linear(b, factor)?),
                    ("_-_", [a, b]) => self.sum(self.linear(a, factor)?, self.linear(b, -factor)?),
                    ("-_", [a]) => self.linear(a, -factor),
                    ("_*_", [a, b]) => {
                        let (left, right) = (self.linear(a, 1.0)?, self.linear(b, 1.0)?);
                        if left.parts.is_empty() {
                            self.linear(b, factor * left.constant)
                        } else if right.parts.is_empty() {
                            self.linear(a, factor * right.constant)
                        } else {
                            Err(self.error(expr, "two signals are multiplied".into(), MEND))
                        }
                    }
                    (other, _) => {
                        let what = format!("`{}` is not allowed here", other.trim_matches('_'));
                        Err(self.error(expr, what, MEND))
                    }
                }
            }
            _ => Err(self.error(expr, "this is neither a number nor a signal".into(), MEND)),
        }
    }

    fn sum(&self, mut a: Linear, b: Linear) -> Result<Linear, RuleError> {
        a.parts.extend(b.parts);
        a.constant += b.constant;
        Ok(a)
    }

    fn unknown(&self, expr: &IdedExpr, name: &str) -> RuleError {
        let near = Signal::all().map(Signal::cel_name).min_by_key(|known| distance(known, name));
        let mend = format!(
            "did you mean `{}`? `vigie schema signals` lists them all",
            near.unwrap_or_default()
        );
        self.error(expr, format!("`{name}` is no signal"), &mend)
    }
}

/// Number of single-letter edits between two names; for suggestions only.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

impl Linear {
    /// None as soon as one signal has no value.
    fn value(&self, signals: &Signals) -> Option<f64> {
        self.parts.iter().try_fold(self.constant, |sum, (signal, factor)| {
            Some(sum + factor * f64::from(signals.get(*signal)?))
        })
    }
}

impl Expr {
    fn eval(&self, signals: &Signals, holds: &mut Vec<Holds>) -> bool {
        match self {
            Expr::And(parts) => {
                let before = holds.len();
                for part in parts {
                    if !part.eval(signals, holds) {
                        holds.truncate(before);
                        return false;
                    }
                }
                true
            }
            // Every branch is looked at: all comparisons that hold are reasons.
            Expr::Or(parts) => {
                let mut any = false;
                for part in parts {
                    any |= part.eval(signals, holds);
                }
                any
            }
            Expr::Compare { left, op, right } => {
                let (Some(l), Some(r)) = (left.value(signals), right.value(signals)) else {
                    return false;
                };
                let holds_now = match op {
                    Op::Less => l < r,
                    Op::LessEqual => l <= r,
                    Op::Greater => l > r,
                    Op::GreaterEqual => l >= r,
                };
                if holds_now {
                    let signal = left.parts.first().or(right.parts.first());
                    if let Some((signal, _)) = signal {
                        holds.push(Holds { signal: *signal, value: l as f32, threshold: r as f32 });
                    }
                }
                holds_now
            }
        }
    }

    fn can_match(&self, absent: &dyn Fn(Signal) -> bool) -> bool {
        match self {
            Expr::And(parts) => parts.iter().all(|part| part.can_match(absent)),
            Expr::Or(parts) => parts.iter().any(|part| part.can_match(absent)),
            Expr::Compare { left, right, .. } => {
                !left.parts.iter().chain(&right.parts).any(|(signal, _)| absent(*signal))
            }
        }
    }

    fn collect(&self, out: &mut Vec<Signal>) {
        match self {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| part.collect(out)),
            Expr::Compare { left, right, .. } => {
                out.extend(left.parts.iter().chain(&right.parts).map(|(signal, _)| *signal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(when: &str) -> Result<Rule, RuleError> {
        Rule::compile("r", when, Level::Danger, None, Vec::new(), false)
    }

    #[test]
    fn a_rule_tells_which_comparisons_hold() {
        let rule = compile(
            "chat_distress_60s > 2.0 && (picture_still_30m >= 45 || money_acts_10m + 2.0 * money_acts_24h > 5)",
        )
        .unwrap();
        let mut signals = Signals::default();
        let mut holds = Vec::new();
        signals.set(Signal::ChatDistress60s, 3.0);
        assert!(!rule.matches(&signals, &mut holds), "a signal without a value compares false");
        assert!(holds.is_empty(), "a failed && leaves no reasons");
        signals.set(Signal::MoneyActs10m, 1.0);
        signals.set(Signal::MoneyActs24h, 2.5);
        assert!(rule.matches(&signals, &mut holds));
        let told: Vec<_> = holds.iter().map(|h| (h.signal, h.value, h.threshold)).collect();
        assert_eq!(told, [(Signal::ChatDistress60s, 3.0, 2.0), (Signal::MoneyActs10m, 6.0, 5.0)]);
    }

    #[test]
    fn context_is_free_but_harm_goes_only_upwards() {
        assert!(compile("chat_alike_60s < 0.5 && chat_distress_60s > 1").is_ok());
        for (when, offset) in [
            ("chat_distress_60s < 2", 0),
            ("1.0 > 0.5 && chat_distress_60s <= 2", 13),
            ("3.0 > chat_distress_60s", 6),
            ("chat_messages_60s - chat_distress_60s > 2", 18),
            ("-1.0 * chat_distress_60s > -5.0", 5),
        ] {
            let error = compile(when).unwrap_err();
            assert!(error.what.contains("chat_distress_60s"), "{when}: {error}");
            assert_eq!(error.offset, offset, "{when}: {error}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_mend() {
        let deep = format!("{}chat_distress_60s > 1{}", "(".repeat(2000), ")".repeat(2000));
        let nots = format!("{}(chat_distress_60s > 1)", "!".repeat(3000));
        let long = vec!["chat_distress_60s > 1"; 2000].join(" || ");
        for when in [
            "chat_distres_60s > 1",
            "chat_distress_60s",
            "true",
            "chat_distress_60s == 2",
            "!(chat_distress_60s > 1)",
            "chat_distress_60s >",
            "[1,2].all(x, x > 1)",
            "has(a.b)",
            "size('x') > 1",
            "'a' > 'b'",
            "",
            "chat_distress_60s * chat_threat_60s > 1",
            &deep,
            &nots,
            &long,
        ] {
            let error = compile(when).unwrap_err();
            assert!(!error.mend.is_empty(), "{}", &when[..when.len().min(40)]);
        }
        assert!(compile("chat_distres_60s > 1").unwrap_err().mend.contains("chat_distress_60s"));
    }

    #[test]
    fn a_rule_that_needs_a_missing_model_in_every_branch_cannot_match() {
        let absent = |signal: Signal| signal == Signal::PictureNudityPeak60s;
        let and = compile("picture_nudity_peak_60s > 0.5 && chat_distress_60s > 1").unwrap();
        let or = compile("picture_nudity_peak_60s > 0.5 || chat_distress_60s > 1").unwrap();
        assert!(!and.can_match(&absent));
        assert!(or.can_match(&absent));
    }
}
