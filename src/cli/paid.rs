//! How many paid messages a channel had in this second: beyond `[limits] paid_per_second` they are scored as its chat is.

use hashbrown::HashMap;

use crate::event::{ChannelId, Timestamp};

/// See the module. Bounded by what one second brings.
pub struct PaidCount {
    most: u32,
    second: i64,
    counts: HashMap<ChannelId, u32>,
}

impl PaidCount {
    pub fn new(most: u32) -> Self {
        Self { most, second: 0, counts: HashMap::new() }
    }

    /// Another config holds.
    pub fn limit(&mut self, most: u32) {
        self.most = most;
    }

    /// Counts one that was received now; whether it is among the first ones of its second.
    pub fn admits(&mut self, channel: &ChannelId, received: Timestamp) -> bool {
        if received.second() != self.second {
            self.second = received.second();
            self.counts.clear();
        }
        let count = self.counts.entry_ref(channel).or_default();
        *count = count.saturating_add(1);
        *count <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_second_are_admitted_channel_by_channel() {
        let mut paid = PaidCount::new(3);
        let (a, b) = (ChannelId::new("k:a"), ChannelId::new("k:b"));
        let admitted = |paid: &mut PaidCount, channel, ms: i64| {
            (0..5).filter(|n| paid.admits(channel, Timestamp(ms + n))).count()
        };
        assert_eq!(admitted(&mut paid, &a, 1_000), 3);
        assert_eq!(admitted(&mut paid, &b, 1_100), 3);
        assert_eq!(admitted(&mut paid, &a, 1_200), 0);
        assert_eq!(admitted(&mut paid, &a, 2_000), 3);
    }
}
