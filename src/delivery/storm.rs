//! New alerts that come faster than people can read are told in one message: which were told singly of late, and when
//! the next summary is due. `threat_to_life` is never counted nor held back.

use std::collections::VecDeque;

use super::events::{is_opening, storm_row};
use super::{SinkOptions, Storm, after};
use crate::event::{Level, Timestamp};
use crate::store::{OutboxItem, Store, StoreError};

/// Alerts that one summary names at most.
const NAMED: usize = 1000;

/// The storm watch of one sink.
#[derive(Default)]
pub(super) struct Watch {
    options: Option<Storm>,
    /// When the new alerts of the last window were committed, those held back included.
    recent: VecDeque<Timestamp>,
    /// When the first that waits for a summary was held back.
    held_since: Option<Timestamp>,
    last_summary: Option<Timestamp>,
}

impl Watch {
    pub fn new(options: Option<Storm>) -> Self {
        Self { options, ..Self::default() }
    }

    /// What the last run told and held back.
    pub async fn recall(
        &mut self,
        store: &Store,
        sink: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(storm) = self.options {
            self.recent = store.openings(sink, now, storm.window).await?.into();
        }
        if !store.folded(sink, 1).await?.is_empty() {
            self.held_since = Some(now);
        }
        Ok(())
    }

    /// Whether a message must be held back for the summary.
    pub fn holds(&mut self, item: &OutboxItem) -> bool {
        let Some(storm) = self.options.filter(|_| counts(item)) else { return false };
        let from = item.created.plus_ms(-super::millis(storm.window));
        while self.recent.front().is_some_and(|at| *at <= from) {
            self.recent.pop_front();
        }
        self.recent.len() >= storm.singly as usize
    }

    /// A message was told.
    pub fn told(&mut self, item: &OutboxItem) {
        if self.options.is_some() && counts(item) {
            self.recent.push_back(item.created);
        }
    }

    /// A message was held back.
    pub fn held(&mut self, item: &OutboxItem, now: Timestamp) {
        self.told(item);
        self.held_since.get_or_insert(now);
    }

    /// When the next summary is due; none if nothing waits for one.
    pub fn due(&self) -> Option<Timestamp> {
        let since = self.held_since?;
        // A watch without options holds nothing back, but may find what a run before it held back.
        let Some(storm) = self.options else { return Some(since) };
        let first = after(since, storm.window / 12);
        Some(self.last_summary.map_or(first, |last| first.max(after(last, storm.window))))
    }

    /// Puts the summary into the outbox, if it is due.
    pub async fn summarise(
        &mut self,
        store: &Store,
        sink: &SinkOptions,
        source: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.due().is_none_or(|due| now < due) {
            return Ok(());
        }
        let held = store.folded(&sink.name, NAMED).await?;
        if held.is_empty() {
            self.held_since = None;
            return Ok(());
        }
        let row = storm_row(&held, sink, source, now);
        let told: Vec<_> = held.iter().map(|change| change.alert.id).collect();
        store.summarise(&row, &told, now).await?;
        tracing::warn!(
            sink = sink.name,
            alerts = told.len(),
            "too many new alerts: told in a summary"
        );
        self.last_summary = Some(now);
        self.held_since = (told.len() == NAMED).then_some(now);
        Ok(())
    }
}

fn counts(item: &OutboxItem) -> bool {
    item.level != Level::ThreatToLife && is_opening(&item.id)
}
