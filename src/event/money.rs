//! Money as the platform tells it and what it is worth in EUR by a dated table; an amount that cannot be read
//! or converted is *not known*, never an error.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount in EUR, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(#[serde(with = "rust_decimal::serde::str")] pub Decimal);

impl Money {
    /// As a float, for signals; never for sums that people read.
    pub fn to_f64(self) -> f64 {
        use rust_decimal::prelude::ToPrimitive;
        self.0.to_f64().unwrap_or(0.0)
    }
}

/// What was given: `value` and `currency` as told, `eur` if it could be converted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub value: Box<str>,
    pub currency: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eur: Option<Money>,
}

impl Amount {
    /// `50.00 EUR`, as it is shown to people.
    pub fn shown(&self) -> String {
        format!("{} {}", self.value, self.currency)
    }
}

/// EUR for one unit of each currency; upper-case codes, and `bits`, `kicks`, `points`.
#[derive(Clone, Debug, Default)]
pub struct Rates(pub BTreeMap<String, Decimal>);

/// Above this (EUR) an amount is absurd and counts as not known: no platform takes such a gift.
const ABSURD_EUR: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

impl Rates {
    /// Fills in `eur`, rounded to cents; leaves it empty for an unknown currency, a value that is no decimal
    /// number, a negative or an absurd one. Returns whether the amount is known.
    pub fn convert(&self, amount: &mut Amount) -> bool {
        amount.eur = self.eur(&amount.value, &amount.currency).map(Money);
        amount.eur.is_some()
    }

    fn eur(&self, value: &str, currency: &str) -> Option<Decimal> {
        let value: Decimal = value.trim().parse().ok()?;
        let rate = if currency == "EUR" {
            Decimal::ONE
        } else {
            *self.0.get(currency).or_else(|| self.0.get(&currency.to_uppercase()))?
        };
        let eur = value.checked_mul(rate)?.round_dp(2);
        (eur >= Decimal::ZERO && eur <= ABSURD_EUR).then_some(eur)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(value: &str, currency: &str) -> Amount {
        Amount { value: value.into(), currency: currency.into(), eur: None }
    }

    #[test]
    fn converts_what_it_knows_and_says_what_it_does_not() {
        let rates = Rates(BTreeMap::from([("USD".into(), "0.92".parse().unwrap())]));
        let mut dollars = amount("10.00", "USD");
        assert!(rates.convert(&mut dollars));
        assert_eq!(dollars.eur.unwrap().0.to_string(), "9.20");
        for (value, currency) in
            [("x", "EUR"), ("-5", "EUR"), ("1e99", "EUR"), ("5", "ZZZ"), ("9999999", "EUR")]
        {
            assert!(!rates.convert(&mut amount(value, currency)), "{value} {currency}");
        }
    }
}
