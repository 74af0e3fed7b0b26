//! Scores of texts that were scored lately. A score depends on its own input alone, so what is remembered is exactly
//! what the model would give: the key is all that a text model reads (the normalised text, the setting and whether it is
//! paid) and whether it laughs, which the text's own letters tell.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use super::scorer::{Message, MessageScores};
use super::text;

/// What can be said of a message without a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Under which its scores are remembered; never 0.
    pub key: u64,
    /// Equal for messages that say nearly the same ([`crate::event::Manner`]); 0: like no other.
    pub alike: u64,
    /// Its scores, if they are remembered.
    pub scores: Option<MessageScores>,
}

/// See the module. Bounded: the text asked for longest ago is forgotten.
pub struct ScoreCache {
    scores: Mutex<LruCache<u64, MessageScores>>,
    /// Keyed at random at start, so that nobody can write a text that passes for another.
    hasher: RandomState,
    /// A model reads the text as it was written, not normalised.
    raw: bool,
}

impl ScoreCache {
    /// `texts`: how many are remembered, at least 1. `raw`: of each spelling, since a model reads more of it than the
    /// normalised text.
    pub fn new(texts: usize, raw: bool) -> Self {
        let texts = NonZeroUsize::new(texts).unwrap_or(NonZeroUsize::MIN);
        Self { scores: Mutex::new(LruCache::new(texts)), hasher: RandomState::new(), raw }
    }

    pub fn read(&self, message: &Message) -> Reading {
        let normalised = text::normalise(&message.text);
        let manner = text::manner_of(&normalised, &message.text);
        let spelling = self.raw.then_some(&message.text);
        let what = (&normalised, manner.laughs, message.paid, message.setting, spelling);
        let key = self.hasher.hash_one(what).max(1);
        let scores = self.scores.lock().get(&key).copied();
        Reading { key, alike: manner.alike, scores }
    }

    /// What is remembered under each key, in order.
    pub fn known(&self, keys: impl Iterator<Item = u64>) -> Vec<Option<MessageScores>> {
        let mut scores = self.scores.lock();
        keys.map(|key| scores.get(&key).copied()).collect()
    }

    pub fn learn(&self, fresh: impl Iterator<Item = (u64, MessageScores)>) {
        let mut scores = self.scores.lock();
        fresh.for_each(|(key, own)| {
            scores.put(key, own);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Score, Setting};

    fn message(text: &str, paid: bool, setting: Setting) -> Message {
        Message { text: text.into(), paid, setting }
    }

    #[test]
    fn scores_are_those_of_the_same_text_setting_and_payment() {
        let cache = ScoreCache::new(100, false);
        let mut scores = MessageScores::default();
        scores.own.set(0, Score::new(0.25).unwrap());
        let first = cache.read(&message("Frappe-le !", false, Setting::Real));
        assert_eq!(first.scores, None);
        cache.learn([(first.key, scores)].into_iter());
        let again = |text, paid, setting| cache.read(&message(text, paid, setting)).scores;
        assert_eq!(again("FRAPPE-LE !", false, Setting::Real), Some(scores), "normalised alike");
        assert_eq!(again("frappe-la !", false, Setting::Real), None);
        assert_eq!(again("frappe-le ! LUL", false, Setting::Real), None);
        assert_eq!(again("Frappe-le !", true, Setting::Real), None);
        assert_eq!(again("Frappe-le !", false, Setting::Sport), None);
    }

    #[test]
    fn each_spelling_is_remembered_on_its_own_where_a_model_reads_it() {
        let cache = ScoreCache::new(100, true);
        let key = |text| cache.read(&message(text, false, Setting::Real)).key;
        assert_eq!(key("Frappe-le !"), key("Frappe-le !"));
        assert_ne!(key("Frappe-le !"), key("FRAPPE-LE !"));
    }

    #[test]
    fn it_remembers_no_more_than_it_may() {
        let cache = ScoreCache::new(3, false);
        let texts = ["one", "two", "three", "four", "five"];
        let read = |text: &&str| cache.read(&message(text, false, Setting::Real)).key;
        let keys: Vec<u64> = texts.iter().map(read).collect();
        cache.learn(keys.iter().map(|key| (*key, MessageScores::default())));
        let known = cache.known(keys.into_iter());
        assert_eq!(
            known.iter().map(Option::is_some).collect::<Vec<_>>(),
            [false, false, true, true, true]
        );
    }
}
