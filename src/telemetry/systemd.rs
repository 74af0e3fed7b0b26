//! Words to the service manager (`sd_notify`): ready, reloading, stopping, a status line, signs of life. Without
//! one (`$NOTIFY_SOCKET` unset) they do nothing.

use std::future::Future;
use std::time::Duration;

use sd_notify::NotifyState;

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}

/// The start is done; `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock"),
    }
}

/// The end begins.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Asks for more time to start or stop.
pub fn extend_timeout(time: Duration) {
    tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))]);
}

/// Gives a sign of life at half of the interval that the unit's `WatchdogSec` asks for, as long as `alive` says
/// so; never ends where there is a watchdog, ends at once where there is none. Spawn it, drop it to stop.
pub async fn watchdog<F, A>(alive: A)
where
    A: Fn() -> F,
    F: Future<Output = bool>,
{
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut tick = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if alive().await {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(
                "a part of the house no longer answers: no sign of life to the watchdog"
            );
        }
    }
}
