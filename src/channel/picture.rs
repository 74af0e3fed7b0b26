//! What the picture of one channel showed: violence, motion, a body that lies still, a feed that is frozen.
//! Comes in: looks. Goes out: the `picture.*` signals and, for coupling, how violent and how lively a look was.

use serde::{Deserialize, Serialize};

use super::fading::{HalfLives, Peak, Sum, Sums, half};
use crate::event::{Digest, FrameLabel, LookScores, Signal, Signals, Timestamp, harm};

/// Motion within a look below this is rest. Measured on 64 × 36 grey thumbnails: sensor and JPEG noise of a still
/// scene stay under .006, a person who talks moves the picture by .01 and more.
const REST: f32 = 0.008;
/// Change between looks below this means that nothing moved in between.
const SAME: f32 = 0.02;
/// Motion at which a burst begins to count, and where it counts whole.
const BURST: (f32, f32) = (0.03, 0.09);
/// Looks further apart than this say nothing of the time in between.
const APART_MS: i64 = 5 * 60_000;
/// A feed that repeats one picture over at least two looks and this time is frozen (contracts, "Looks").
const FROZEN_MS: i64 = 60_000;
/// Pictures captured longer ago than this show nothing of now: the feed's picture is as good as frozen.
const BEHIND_MS: i64 = 60_000;
/// A stillness that begins within this time of a burst came after it.
const AFTER_MS: i64 = 10 * 60_000;

const VIOLENCE: [Signal; 3] =
    [Signal::PictureViolence10m, Signal::PictureViolence24h, Signal::PictureViolence30d];

/// How one look counts, for the coupling with money.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LookWeight {
    /// Contribution of violence, 0..=1.
    pub violence: f64,
    /// Strength of the burst of motion, 0..=1.
    pub burst: f64,
    /// It moved so little that it counts as rest.
    pub rests: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    violence_peak: Peak,
    violence: Sums<3>,
    person_down: Peak,
    nudity: Peak,
    weapon: Peak,
    /// Labels that some model has scored here.
    seen: u8,
    motion: Sum,
    looks: Sum,
    camera: Option<(f32, Timestamp)>,
    last: Option<(Timestamp, Vec<u8>)>,
    still_since: Option<Timestamp>,
    still_after_motion: bool,
    still: Peak,
    still_hurt: Peak,
    burst_at: Option<Timestamp>,
    /// The last picture, and when the look came that showed it first.
    shown: Option<(Digest, Timestamp)>,
    frozen: bool,
    behind: bool,
}

impl Picture {
    /// Takes in one look, at channel time.
    pub fn see(&mut self, at: Timestamp, look: &LookScores, fade: &HalfLives) -> LookWeight {
        let minute = |signal: Signal| fade.of(signal, half::S60);
        let mut weight = LookWeight::default();
        for label in crate::event::FRAME_LABELS {
            let Some(score) = look.scores.frame(label) else { continue };
            self.seen |= 1 << label as u8;
            let p = f64::from(score);
            match label {
                FrameLabel::Violence => {
                    self.violence_peak.raise(at, p, minute(Signal::PictureViolencePeak60s));
                    weight.violence = harm::contribution(score);
                    let halves = fade.each(VIOLENCE, &half::LONG);
                    self.violence.add(at, weight.violence, &halves);
                }
                FrameLabel::PersonDown => {
                    self.person_down.raise(at, p, minute(Signal::PicturePersonDownPeak60s));
                }
                FrameLabel::Nudity => {
                    self.nudity.raise(at, p, minute(Signal::PictureNudityPeak60s));
                }
                FrameLabel::Weapon => {
                    self.weapon.raise(at, p, minute(Signal::PictureWeaponPeak60s));
                }
                FrameLabel::Camera => self.camera = Some((score, at)),
            }
        }
        let Some(last) = look.frames.last() else { return weight };
        self.behind = at.since(last.at) > BEHIND_MS;
        if self.repeats(at, look) || self.behind {
            return weight;
        }
        let changed = self.changed(&look.thumb);
        if let Some(motion) = look.motion {
            let half = minute(Signal::PictureMotion60s);
            self.motion.add(at, f64::from(motion).max(f64::MIN_POSITIVE), half);
            self.looks.add(at, 1.0, half);
            let strength = f64::from((motion - BURST.0) / (BURST.1 - BURST.0)).clamp(0.0, 1.0);
            weight.burst = strength;
            if strength >= 0.5 || weight.violence >= 0.5 {
                self.burst_at = Some(at);
            }
            weight.rests = motion < REST;
            self.rest(at, weight.rests, changed, fade);
        }
        self.last = Some((at, look.thumb.clone()));
        weight
    }

    /// Whether the look only repeats, byte for byte, the picture before it: it proves neither motion nor stillness, and
    /// what was measured before keeps its running maximum. After a minute of it the feed is frozen.
    fn repeats(&mut self, at: Timestamp, look: &LookScores) -> bool {
        if let Some((digest, since)) = self.shown
            && look.frames.iter().all(|frame| frame.digest == digest)
        {
            self.frozen = at.since(since) >= FROZEN_MS;
            return true;
        }
        self.frozen = false;
        self.shown = look.frames.last().map(|frame| (frame.digest, at));
        false
    }

    /// Mean change of brightness against the look before, 0..=1; none without one or if it is too old.
    fn changed(&self, thumb: &[u8]) -> Option<f32> {
        let (_, before) = self.last.as_ref()?;
        if thumb.is_empty() || before.len() != thumb.len() {
            return None;
        }
        let sum: u32 = before.iter().zip(thumb).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        Some(sum as f32 / (thumb.len() as f32 * 255.0))
    }

    fn rest(&mut self, at: Timestamp, rests: bool, changed: Option<f32>, fade: &HalfLives) {
        if !rests {
            self.still_since = None;
            return;
        }
        let near = self.last.as_ref().is_some_and(|(then, _)| at.since(*then) <= APART_MS);
        let goes_on = near && changed.is_some_and(|changed| changed < SAME);
        let since = match self.still_since {
            Some(since) if goes_on => since,
            _ => {
                self.still_after_motion =
                    self.burst_at.is_some_and(|burst| at.since(burst) <= AFTER_MS);
                at
            }
        };
        self.still_since = Some(since);
        let seconds = at.since(since) as f64 / 1000.0;
        self.still.raise(at, seconds, fade.of(Signal::PictureStill30m, half::M30));
        if self.still_after_motion {
            let half = fade.of(Signal::PictureStillAfterMotion30m, half::M30);
            self.still_hurt.raise(at, seconds, half);
        }
    }

    /// Whether the picture was last seen to be no filmed one, within 2 min: only then may a setting excuse words.
    pub fn is_not_filmed(&self, at: Timestamp) -> bool {
        self.camera.is_some_and(|(p, then)| p < 0.5 && at.since(then) <= 120_000)
    }

    /// Violence still fresh in the picture, 0..=1, half after 30 s: what money that comes now follows.
    pub fn fresh_violence(&self, at: Timestamp, fade: &HalfLives) -> f64 {
        let half = fade.of(Signal::PictureViolencePeak60s, half::S60);
        harm::contribution(self.violence_peak.at(at, half) as f32)
    }

    /// The feed repeats one picture, or brings pictures of long ago: what happens now is not seen.
    pub fn frozen(&self) -> bool {
        self.frozen || self.behind
    }

    pub fn signals(&self, at: Timestamp, fade: &HalfLives, out: &mut Signals) {
        let mut peak = |label: FrameLabel, signal, peak: &Peak| {
            if self.seen & (1 << label as u8) != 0 {
                out.set(signal, peak.at(at, fade.of(signal, half::S60)));
            }
        };
        peak(FrameLabel::Violence, Signal::PictureViolencePeak60s, &self.violence_peak);
        peak(FrameLabel::PersonDown, Signal::PicturePersonDownPeak60s, &self.person_down);
        peak(FrameLabel::Nudity, Signal::PictureNudityPeak60s, &self.nudity);
        peak(FrameLabel::Weapon, Signal::PictureWeaponPeak60s, &self.weapon);
        if self.seen & (1 << FrameLabel::Violence as u8) != 0 {
            let values = self.violence.at(at, &fade.each(VIOLENCE, &half::LONG));
            VIOLENCE.into_iter().zip(values).for_each(|(signal, value)| out.set(signal, value));
        }
        if let Some((camera, then)) = self.camera {
            if at.since(then) <= 120_000 {
                out.set(Signal::PictureCamera2m, camera.into());
            }
        }
        if self.has_looked() {
            let half = fade.of(Signal::PictureMotion60s, half::S60);
            let looks = self.looks.at(at, half);
            if looks > 0.05 {
                out.set(Signal::PictureMotion60s, self.motion.at(at, half) / looks);
            }
            for (peak, signal) in [
                (&self.still, Signal::PictureStill30m),
                (&self.still_hurt, Signal::PictureStillAfterMotion30m),
            ] {
                out.set(signal, peak.at(at, fade.of(signal, half::M30)));
            }
            out.set(Signal::PictureFrozenNow, f64::from(u8::from(self.frozen())));
        }
    }

    /// Whether any look was ever taken in.
    pub fn has_looked(&self) -> bool {
        self.last.is_some() || self.shown.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LookFrame, Scores};

    /// A look of `pictures` captured at `at` (seconds), with the motion of a picture that rests.
    fn look(at: i64, pictures: &[u8]) -> LookScores {
        let frame =
            |byte: &u8| LookFrame { digest: Digest::of(&[*byte]), at: Timestamp(at * 1000) };
        LookScores {
            id: "L".into(),
            frames: pictures.iter().map(frame).collect(),
            scores: Scores::default(),
            unscored: None,
            motion: (pictures.len() > 1).then_some(0.001),
            thumb: vec![9; 144],
        }
    }

    fn still(picture: &Picture, at: i64) -> f64 {
        let mut signals = Signals::default();
        picture.signals(Timestamp(at * 1000), &HalfLives::default(), &mut signals);
        signals.get(Signal::PictureStill30m).unwrap_or(0.0).into()
    }

    #[test]
    fn a_picture_repeated_over_two_looks_and_a_minute_is_frozen_until_one_differs() {
        let mut picture = Picture::default();
        for (at, frozen) in [(0, false), (20, false), (40, false), (59, false), (60, true)] {
            picture.see(Timestamp(at * 1000), &look(at, &[1, 1]), &HalfLives::default());
            assert_eq!(picture.frozen(), frozen, "{at}");
        }
        picture.see(Timestamp(80_000), &look(80, &[1, 2]), &HalfLives::default());
        assert!(!picture.frozen());
    }

    #[test]
    fn a_frozen_picture_adds_no_stillness_and_takes_none_away() {
        let mut picture = Picture::default();
        for at in [0, 20, 40] {
            picture.see(
                Timestamp(at * 1000),
                &look(at, &[at as u8, at as u8 + 1]),
                &HalfLives::default(),
            );
        }
        let measured = still(&picture, 40);
        assert!((measured - 40.0).abs() < 1.0, "{measured}");
        for at in (60..600).step_by(20) {
            picture.see(Timestamp(at * 1000), &look(at, &[41, 41]), &HalfLives::default());
        }
        assert!(picture.frozen());
        let kept = still(&picture, 580);
        assert!(kept <= measured && kept > measured * 0.6, "{kept} of {measured}");
    }

    #[test]
    fn pictures_of_long_ago_are_no_stillness_of_now() {
        let mut picture = Picture::default();
        for at in [100, 120, 140, 160] {
            picture.see(
                Timestamp(at * 1000),
                &look(at - 61, &[at as u8, 1]),
                &HalfLives::default(),
            );
            assert!(picture.frozen());
        }
        assert_eq!(still(&picture, 160), 0.0);
        picture.see(Timestamp(180_000), &look(179, &[3, 4]), &HalfLives::default());
        assert!(!picture.frozen());
    }
}
