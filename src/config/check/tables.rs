//! Checks of rules, currencies and authorities, by file.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::{Checker, unique_name};
use crate::config::codes;
use crate::config::peers::Rule;
use crate::config::source::{Origin, Position, Problem};
use crate::config::tables::{Authority, Currency};
use crate::event::Level;

/// Longest condition of a rule, bytes: longer ones could keep the compiler busy for seconds.
const LONGEST_WHEN: usize = 4096;

/// The rules of one file; `names` are those of the files before it.
pub(in crate::config) fn rules(
    rules: &[Rule],
    origin: &Origin,
    names: &mut HashMap<String, Position>,
    problems: &mut Vec<Problem>,
) {
    let mut check = Checker { origin, problems };
    for (index, rule) in rules.iter().enumerate() {
        let key = format!("rule[{index}]");
        unique_name(&mut check, &format!("{key}.name"), "rule", &rule.name, names);
        if rule.when.trim().is_empty() || rule.when.len() > LONGEST_WHEN {
            check.no(
                &format!("{key}.when"),
                format!("the condition of rule `{}` has {} bytes", rule.name, rule.when.len()),
                "a condition of 1 to 4096 bytes",
                "compare signals, such as `chat_distress_60s > 0.8`; split a long rule into several",
            );
        }
        if rule.level == Level::None {
            check.no(
                &format!("{key}.level"),
                format!("rule `{}` raises to `none`", rule.name),
                "one of `watch`, `concern`, `danger`, `threat_to_life`",
                "write a level, or `mode = \"shadow\"` to have the rule only counted",
            );
        }
        if rule.reason.values().all(|text| text.trim().is_empty()) {
            check.no(
                &format!("{key}.reason"),
                format!("rule `{}` has no reason", rule.name),
                "at least one sentence by language",
                "write `reason = { en = \"…\", fr = \"…\" }`: every alert says why",
            );
        }
        for language in rule.reason.keys() {
            if language.len() != 2 || !language.bytes().all(|b| b.is_ascii_lowercase()) {
                check.no(
                    &format!("{key}.reason.{language}"),
                    format!("`{language}` is no language's code"),
                    "an ISO 639-1 code of two letters, such as `en`",
                    "write the code",
                );
            }
        }
    }
}

/// `currency.toml`.
pub(in crate::config) fn currency(table: &Currency, origin: &Origin, problems: &mut Vec<Problem>) {
    let mut check = Checker { origin, problems };
    if !is_date(&table.date) {
        check.no(
            "date",
            format!("`{}` is no date", table.date),
            "a date, `\"2026-10-30\"`",
            "write the rates' day",
        );
    }
    for (code, rate) in &table.rates {
        let key = format!("rates.{code}");
        if !codes::is_currency(code) {
            check.no(
                &key,
                format!("`{code}` is no currency that Vigie knows"),
                "an ISO 4217 code in capitals, such as `USD`, or `bits`, `kicks`, `points`",
                "write the code, or remove the line",
            );
        }
        if *rate < Decimal::ZERO || (code == "EUR" && *rate != Decimal::ONE) {
            check.no(
                &key,
                format!("one {code} is worth {rate} EUR"),
                "an amount not below 0; for EUR, 1",
                "write what one unit is worth in EUR, such as `\"0.8951\"`",
            );
        }
    }
}

/// `authorities.toml`.
pub(in crate::config) fn authorities(
    list: &[Authority],
    origin: &Origin,
    problems: &mut Vec<Problem>,
) {
    let mut check = Checker { origin, problems };
    let mut codes_seen = HashMap::new();
    for (index, entry) in list.iter().enumerate() {
        let key = format!("authority[{index}]");
        unique_name(&mut check, &format!("{key}.code"), "authority", &entry.code, &mut codes_seen);
        if entry.country != "EU" && !codes::is_country(&entry.country) {
            check.no(
                &format!("{key}.country"),
                format!("`{}` is no country's code", entry.country),
                "an ISO 3166-1 code of two capital letters, or `EU`",
                "write the code of the Member State",
            );
        }
        if (entry.contact.is_some() || entry.verified_on.is_some()) && entry.source.is_none() {
            check.no(
                &key,
                format!(
                    "authority `{}` has a contact or a date of verification but no `source`",
                    entry.code
                ),
                "where the contact is published",
                "add `source = \"…\"`, or remove the contact: a contact is never guessed",
            );
        }
        if let Some(date) = entry.verified_on.as_ref().filter(|date| !is_date(date)) {
            let what = format!("`{date}` is no date");
            check.no(
                &format!("{key}.verified_on"),
                what,
                "a date, `\"2026-10-30\"`",
                "write the day, or remove it",
            );
        }
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}
