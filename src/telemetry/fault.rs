//! Named faults for tests: a plan says at which step of the house's work the process dies, an error comes back or time
//! passes. Plans exist in builds with debug assertions only; in a release build the type is empty and a step is
//! nothing.
//!
//! A plan is `step=action[@when]`, joined by `;`. Actions: `kill` (dies there as by SIGKILL: nothing is flushed or
//! unwound), `fail` (an error), `full` (the error of a full disk), `delay:MS`. `when` is which times: `3`, `3..6`
//! (without the sixth), `3..`; without it, every time. The daemon reads `VIGIE_FAULTS`.

/// The steps that have a name, in the order in which an alert and then a checkpoint reach them.
#[cfg(debug_assertions)]
pub const STEPS: [&str; 16] = [
    "change.taken",
    "evidence.written",
    "evidence.kept",
    "commit.begun",
    "commit.rows",
    "commit.before",
    "commit.after",
    "commit.told",
    "delivered.before",
    "delivered.after",
    "checkpoint.taken",
    "checkpoint.synced",
    "checkpoint.rows",
    "checkpoint.after",
    "journal.line",
    "journal.segment",
];

/// A plan of faults, or none; cheap to clone, and clones count together.
#[derive(Clone, Debug, Default)]
pub struct Faults(#[cfg(debug_assertions)] Option<std::sync::Arc<plan::Plan>>);

#[cfg(not(debug_assertions))]
impl Faults {
    /// No faults.
    #[inline(always)]
    pub fn from_env() -> Self {
        Self()
    }

    /// Nothing.
    #[inline(always)]
    pub fn at(&self, _step: &'static str) -> std::io::Result<()> {
        Ok(())
    }

    /// Nothing.
    #[inline(always)]
    pub fn at_half(&self, _step: &'static str, _half: impl FnOnce()) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(debug_assertions)]
mod plan {
    use std::io;
    use std::ops::Range;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::{Faults, STEPS};

    #[derive(Debug)]
    pub(super) struct Plan(Vec<Fault>);

    #[derive(Debug)]
    struct Fault {
        step: &'static str,
        action: Action,
        /// Which times, from 1.
        times: Range<u64>,
        reached: AtomicU64,
    }

    #[derive(Clone, Copy, Debug)]
    enum Action {
        Kill,
        Fail,
        Full,
        Delay(Duration),
    }

    impl Faults {
        /// The plan in `VIGIE_FAULTS`; a plan that does not read ends the process, so that no test passes by a typo.
        pub fn from_env() -> Self {
            let Ok(text) = std::env::var("VIGIE_FAULTS") else { return Self(None) };
            Self::parse(&text).unwrap_or_else(|error| panic!("VIGIE_FAULTS: {error}"))
        }

        /// Reads a plan; the error names what does not read.
        pub fn parse(text: &str) -> Result<Self, String> {
            let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
            let faults = parts.map(fault).collect::<Result<Vec<_>, _>>()?;
            Ok(Self((!faults.is_empty()).then(|| Arc::new(Plan(faults)))))
        }

        /// A step is reached: does what the plan says of it. Blocks the thread for a delay.
        pub fn at(&self, step: &'static str) -> io::Result<()> {
            self.at_half(step, || {})
        }

        /// [`Faults::at`] a step in the middle of a write: `half` is done first if a fault strikes.
        pub fn at_half(&self, step: &'static str, half: impl FnOnce()) -> io::Result<()> {
            debug_assert!(STEPS.contains(&step), "{step} is not in STEPS");
            let Some(plan) = &self.0 else { return Ok(()) };
            let mut half = Some(half);
            for fault in plan.0.iter().filter(|fault| fault.step == step) {
                let time = fault.reached.fetch_add(1, Ordering::Relaxed) + 1;
                if !fault.times.contains(&time) {
                    continue;
                }
                half.take().into_iter().for_each(|half| half());
                match fault.action {
                    Action::Kill => std::process::abort(),
                    Action::Fail => {
                        return Err(io::Error::other(format!("a fault was planned at {step}")));
                    }
                    Action::Full => return Err(io::ErrorKind::StorageFull.into()),
                    Action::Delay(time) => std::thread::sleep(time),
                }
            }
            Ok(())
        }
    }

    fn fault(text: &str) -> Result<Fault, String> {
        let bad = |what: &str| format!("`{text}`: {what}");
        let (name, rest) = text.split_once('=').ok_or_else(|| bad("expected step=action"))?;
        let step = STEPS.into_iter().find(|step| *step == name);
        let step = step.ok_or_else(|| bad("unknown step"))?;
        let (action, when) = rest.split_once('@').unwrap_or((rest, "1.."));
        let action = match action.split_once(':') {
            Some(("delay", ms)) => {
                ms.parse().ok().map(|ms| Action::Delay(Duration::from_millis(ms)))
            }
            None if action == "kill" => Some(Action::Kill),
            None if action == "fail" => Some(Action::Fail),
            None if action == "full" => Some(Action::Full),
            _ => None,
        };
        let action = action.ok_or_else(|| bad("expected kill, fail, full or delay:MS"))?;
        let times = match when.split_once("..") {
            Some((from, "")) => from.parse().ok().map(|from| from..u64::MAX),
            Some((from, to)) => from.parse().ok().zip(to.parse().ok()).map(|(from, to)| from..to),
            None => when.parse().ok().map(|time: u64| time..time.saturating_add(1)),
        };
        let times = times.ok_or_else(|| bad("expected N, N..M or N.. behind the @"))?;
        Ok(Fault { step, action, times, reached: AtomicU64::new(0) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_plan_strikes_at_its_step_and_its_times_only() {
            let faults = Faults::parse("commit.before=fail@2..4; commit.after=full@1").unwrap();
            let before: Vec<bool> = (0..5).map(|_| faults.at("commit.before").is_err()).collect();
            assert_eq!(before, [false, true, true, false, false]);
            let full = faults.clone().at("commit.after").unwrap_err();
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
            assert!(faults.at("commit.after").is_ok() && faults.at("journal.line").is_ok());
        }

        #[test]
        fn what_does_not_read_is_named() {
            for text in
                ["commit.bfore=kill", "commit.before", "commit.before=die", "commit.before=kill@x"]
            {
                let error = Faults::parse(text).unwrap_err();
                assert!(error.contains(text), "{error}");
            }
            assert!(Faults::parse("").unwrap().0.is_none());
        }
    }
}
