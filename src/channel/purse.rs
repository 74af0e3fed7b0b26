//! Money in one channel and what it buys: gifts, those that ask for acts, and the coupling of both with what the
//! picture and the crowd then show. Comes in: gifts, looks, distress. Goes out: `money.*`, `coupling.*`, `history.*`.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::fading::{HalfLives, Sum, Sums, half};
use super::picture::LookWeight;
use crate::event::{Money, Signal, Signals, Timestamp};

/// A paid request stays open for an answer about this long: acts follow money within seconds to minutes.
const OPEN_HALF_LIFE_MS: i64 = 60_000;
/// More requests open at once than this add nothing to the coupling.
const OPEN_CAP: f64 = 3.0;
/// Hours of exact counts kept for what people read.
const HOURS: usize = 24;

const ACTS: [Signal; 3] = [Signal::MoneyActs10m, Signal::MoneyActs24h, Signal::MoneyActs30d];
const ACTS_EUR: [Signal; 3] =
    [Signal::MoneyActsEur10m, Signal::MoneyActsEur24h, Signal::MoneyActsEur30d];
const VIOLENCE_AFTER: [Signal; 3] = [
    Signal::CouplingViolenceAfterMoney10m,
    Signal::CouplingViolenceAfterMoney24h,
    Signal::CouplingViolenceAfterMoney30d,
];
const MONEY_AFTER: [Signal; 3] = [
    Signal::CouplingMoneyAfterViolence10m,
    Signal::CouplingMoneyAfterViolence24h,
    Signal::CouplingMoneyAfterViolence30d,
];
const MOTION_AFTER: [Signal; 2] =
    [Signal::CouplingMotionAfterMoney10m, Signal::CouplingMotionAfterMoney24h];

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Hour {
    hour: i64,
    count: u64,
    eur: Decimal,
    acts: u64,
}

/// Looks within and without reach of a paid request, to compare with chance.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Chance {
    looks: Sum,
    looks_after: Sum,
    harm: Sum,
    harm_after: Sum,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Purse {
    paid: Sum,
    eur_10m: Sum,
    eur_24h: Sum,
    acts: Sums<3>,
    acts_eur: Sums<3>,
    open: Sum,
    violence_after: Sums<3>,
    money_after: Sums<3>,
    motion_after: [Sum; 2],
    distress_after: Sum,
    chance: Chance,
    hours: VecDeque<Hour>,
    day: i64,
    best_today: f64,
    days: f64,
    heard: bool,
}

impl Purse {
    /// A gift. `act` is how much it asks for an act (0..=1), `fresh` how fresh violence in the picture is.
    pub fn give(
        &mut self,
        at: Timestamp,
        eur: Option<Money>,
        act: f64,
        fresh: f64,
        fade: &HalfLives,
    ) {
        self.heard = true;
        let euros = eur.map_or(0.0, Money::to_f64);
        self.paid.add(at, 1.0, fade.of(Signal::MoneyPaid10m, half::M10));
        self.eur_10m.add(at, euros, fade.of(Signal::MoneyEur10m, half::M10));
        self.eur_24h.add(at, euros, fade.of(Signal::MoneyEur24h, half::H24));
        self.acts.add(at, act, &fade.each(ACTS, &half::LONG));
        self.acts_eur.add(at, act * euros, &fade.each(ACTS_EUR, &half::LONG));
        self.open.add(at, act, OPEN_HALF_LIFE_MS);
        self.money_after.add(at, fresh, &fade.each(MONEY_AFTER, &half::LONG));
        self.remember_day(at, act, fade);
        let hour = self.hour(at);
        hour.count += 1;
        hour.eur += eur.map_or(Decimal::ZERO, |eur| eur.0);
        hour.acts += u64::from(act > 0.0);
    }

    /// A look: what it shows counts by how many paid requests are still open.
    pub fn look(&mut self, at: Timestamp, look: LookWeight, fade: &HalfLives) {
        let open = self.open.at(at, OPEN_HALF_LIFE_MS).min(OPEN_CAP);
        let halves = fade.each(VIOLENCE_AFTER, &half::LONG);
        self.violence_after.add(at, look.violence * open, &halves);
        let halves = fade.each(MOTION_AFTER, &[half::M10, half::H24]);
        for (sum, half_life) in self.motion_after.iter_mut().zip(halves) {
            sum.add(at, look.burst * open, half_life);
        }
        let harm = look.violence.max(look.burst);
        let chance = &mut self.chance;
        chance.looks.add(at, 1.0, half::H24);
        chance.harm.add(at, harm, half::H24);
        if open >= 0.1 {
            chance.looks_after.add(at, 1.0, half::H24);
            chance.harm_after.add(at, harm, half::H24);
        }
    }

    /// A message of distress, by how much it counts.
    pub fn distress(&mut self, at: Timestamp, weight: f64, fade: &HalfLives) {
        let open = self.open.at(at, OPEN_HALF_LIFE_MS).min(OPEN_CAP);
        let half = fade.of(Signal::CouplingDistressAfterMoney24h, half::H24);
        self.distress_after.add(at, weight * open, half);
    }

    /// Days count by their strongest request, and fade by whole days, so that more never makes less.
    fn remember_day(&mut self, at: Timestamp, act: f64, fade: &HalfLives) {
        let today = at.day();
        if act <= 0.0 || today < self.day {
            return;
        }
        if today > self.day {
            self.days = self.days_at(at, fade);
            self.day = today;
            self.best_today = 0.0;
        }
        // Kept apart from the days before, so that a stronger request after a weaker one sums to the same bits.
        self.best_today = self.best_today.max(act);
    }

    fn days_at(&self, at: Timestamp, fade: &HalfLives) -> f64 {
        let days = self.days + self.best_today;
        if days == 0.0 {
            return 0.0;
        }
        let passed = (at.day() - self.day).max(0) as f64;
        let half = fade.of(Signal::HistoryDaysWithActs90d, half::D90);
        days * libm::exp2(-passed * 86_400_000.0 / half as f64)
    }

    fn hour(&mut self, at: Timestamp) -> &mut Hour {
        let hour = at.0.div_euclid(3_600_000);
        if self.hours.back().is_none_or(|last| last.hour < hour) {
            self.hours.push_back(Hour { hour, ..Hour::default() });
        }
        while self.hours.len() > HOURS {
            self.hours.pop_front();
        }
        // Something was pushed above if it was empty.
        let last = self.hours.len() - 1;
        &mut self.hours[last]
    }

    /// Exact gifts, EUR and requests for acts of the last 24 hours.
    pub fn last_day(&self, at: Timestamp) -> (u64, Money, u64) {
        let since = at.0.div_euclid(3_600_000) - HOURS as i64;
        let recent = self.hours.iter().filter(|hour| hour.hour > since);
        let (mut count, mut eur, mut acts) = (0, Decimal::ZERO, 0);
        for hour in recent {
            count += hour.count;
            eur += hour.eur;
            acts += hour.acts;
        }
        (count, Money(eur), acts)
    }

    /// Harm seen soon after paid requests, compared with all looks; none where too little was seen to say.
    pub fn lift(&self, at: Timestamp) -> Option<f64> {
        let of = |sum: &Sum| sum.at(at, half::H24);
        let (looks, after) = (of(&self.chance.looks), of(&self.chance.looks_after));
        let harm = of(&self.chance.harm);
        if after < 2.0 || looks - after < 2.0 || harm < 0.5 {
            return None;
        }
        // One half of a harmful look is added to each side, so that a rate is never 0.
        let rate_after = (of(&self.chance.harm_after) + 0.5) / (after + 1.0);
        let rate = (harm + 0.5) / (looks + 1.0);
        Some(rate_after / rate)
    }

    pub fn has_heard(&self) -> bool {
        self.heard
    }

    pub fn signals(
        &self,
        at: Timestamp,
        looked: bool,
        violence: bool,
        fade: &HalfLives,
        out: &mut Signals,
    ) {
        let long = |sums: &Sums<3>, signals: [Signal; 3], out: &mut Signals| {
            let values = sums.at(at, &fade.each(signals, &half::LONG));
            signals.into_iter().zip(values).for_each(|(signal, value)| out.set(signal, value));
        };
        let one = |sum: &Sum, signal: Signal, built_in: i64, out: &mut Signals| {
            out.set(signal, sum.at(at, fade.of(signal, built_in)));
        };
        if self.heard {
            one(&self.paid, Signal::MoneyPaid10m, half::M10, out);
            one(&self.eur_10m, Signal::MoneyEur10m, half::M10, out);
            one(&self.eur_24h, Signal::MoneyEur24h, half::H24, out);
            long(&self.acts, ACTS, out);
            long(&self.acts_eur, ACTS_EUR, out);
            out.set(Signal::HistoryDaysWithActs90d, self.days_at(at, fade));
            let distress = Signal::CouplingDistressAfterMoney24h;
            one(&self.distress_after, distress, half::H24, out);
        }
        if self.heard && looked {
            if violence {
                long(&self.violence_after, VIOLENCE_AFTER, out);
                long(&self.money_after, MONEY_AFTER, out);
            }
            one(&self.motion_after[0], MOTION_AFTER[0], half::M10, out);
            one(&self.motion_after[1], MOTION_AFTER[1], half::H24, out);
            if let Some(lift) = self.lift(at) {
                out.set(Signal::CouplingLift24h, lift);
            }
        }
    }
}
