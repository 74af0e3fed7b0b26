//! The chart of an alert's signals over time, laid out here and drawn as SVG by `templates/chart.html`: a step of
//! levels on top, one small plot a signal below it, all on one axis of time, with the payments marked.

use crate::alert::{Words, Zone};
use crate::event::{Level, Signal, Timestamp};

use super::desk::TimelinePoint;

/// Plots beside the level's; more than this is no longer read at a glance.
const MOST_PLOTS: usize = 5;
const LEFT: f32 = 92.0;
const RIGHT: f32 = 14.0;
const PLOT: f32 = 62.0;
const TITLE: f32 = 25.0;
const GAP: f32 = 10.0;
const LANE: f32 = 26.0;
const AXIS: f32 = 24.0;

/// One signal to draw, with the threshold of the rule that decided, if one did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub signal: Signal,
    pub threshold: Option<f32>,
}

/// A payment: when, and how much in words.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub at: Timestamp,
    pub label: String,
}

#[derive(Debug)]
pub(super) struct Chart {
    pub width: f32,
    pub height: f32,
    pub left: f32,
    pub right: f32,
    pub top: f32,
    pub bottom: f32,
    pub plots: Vec<Plot>,
    pub x_ticks: Vec<Tick>,
    pub payments: Vec<Mark>,
    pub payments_label: String,
    pub payments_y: f32,
    pub title: String,
    /// Told to who cannot see it.
    pub words: String,
}

#[derive(Debug)]
pub(super) struct Plot {
    pub title: String,
    pub title_y: f32,
    pub bottom: f32,
    pub y_ticks: Vec<Tick>,
    pub line: String,
    pub area: String,
    pub threshold: Option<Tick>,
    /// The level plot is drawn by bars of its own.
    pub steps: Vec<Step>,
    pub words: String,
}

#[derive(Debug)]
pub(super) struct Tick {
    pub at: f32,
    pub label: String,
}

#[derive(Debug)]
pub(super) struct Step {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
    pub level: &'static str,
    pub words: String,
}

#[derive(Debug)]
pub(super) struct Mark {
    pub x: f32,
    /// Empty where it would run into its neighbour.
    pub label: String,
    pub anchor: &'static str,
    pub words: String,
}

/// What everything is placed by.
struct Axis {
    from: i64,
    to: i64,
    left: f32,
    right: f32,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f32 {
        let share = (at.0 - self.from) as f32 / (self.to - self.from).max(1) as f32;
        round(self.left + share.clamp(0.0, 1.0) * (self.right - self.left))
    }

    fn holds(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at.0)
    }
}

/// Tenths of a pixel are enough, and keep the page small.
fn round(pixels: f32) -> f32 {
    (pixels * 10.0).round() / 10.0
}

/// Lays the chart out for a width in pixels; `None` with fewer than two points in time.
pub(super) fn chart(
    points: &[TimelinePoint],
    series: &[Series],
    payments: &[Payment],
    words: &Words,
    zone: &Zone,
    width: f32,
) -> Option<Chart> {
    let (first, last) = (points.first()?, points.last()?);
    if first.at == last.at {
        return None;
    }
    let axis = Axis { from: first.at.0, to: last.at.0, left: LEFT, right: width - RIGHT };
    let payments: Vec<&Payment> = payments.iter().filter(|p| axis.holds(p.at)).collect();
    let payments_y = 12.0;
    let mut y = if payments.is_empty() { 0.0 } else { LANE };
    let top = y;
    let mut plots = vec![levels(points, &axis, words, zone, y)];
    y = plots[0].bottom + GAP;
    for one in series {
        if plots.len() > MOST_PLOTS {
            break;
        }
        if let Some(plot) = signal(points, *one, &axis, words, zone, y) {
            y = plot.bottom + GAP;
            plots.push(plot);
        }
    }
    let bottom = y - GAP;
    let told: Vec<&str> = plots.iter().map(|plot| plot.words.as_str()).collect();
    Some(Chart {
        width,
        height: bottom + AXIS,
        left: axis.left,
        right: axis.right,
        top,
        bottom,
        x_ticks: x_ticks(&axis, zone, width),
        payments: marks(&payments, &axis, zone),
        payments_label: words.t("ui-chart-payments"),
        payments_y,
        title: words.t_args(
            "ui-chart-title",
            &[("from", zone.clock(first.at).into()), ("to", zone.clock(last.at).into())],
        ),
        words: told.join(" "),
        plots,
    })
}

fn levels(points: &[TimelinePoint], axis: &Axis, words: &Words, zone: &Zone, y: f32) -> Plot {
    let top = y + TITLE;
    let bottom = top + PLOT;
    let height = |level: Level| round(PLOT * level as u8 as f32 / 4.0);
    let mut steps: Vec<Step> = Vec::new();
    let mut told = Vec::new();
    let mut start = 0;
    for end in 1..=points.len() {
        if end < points.len() && points[end].level == points[start].level {
            continue;
        }
        let level = points[start].level;
        let from = axis.x(points[start].at);
        let to = points.get(end).map_or(axis.right, |next| axis.x(next.at));
        let sentence = format!("{} {}", zone.clock(points[start].at), words.level(level));
        told.push(sentence.clone());
        // Hundreds of flips would make the description useless; the last ones are what matters.
        if told.len() > 12 {
            told.remove(0);
        }
        if level > Level::None {
            steps.push(Step {
                x: from,
                y: bottom - height(level),
                width: round((to - from).max(1.0)),
                height: height(level),
                level: level.name(),
                words: sentence,
            });
        }
        start = end;
    }
    let title = words.t("ui-chart-level");
    Plot {
        words: format!("{title}: {}.", told.join(", ")),
        title,
        title_y: y + 13.0,
        bottom,
        y_ticks: Level::ALL
            .into_iter()
            .skip(1)
            .map(|level| Tick { at: bottom - height(level), label: words.level(level) })
            .collect(),
        line: String::new(),
        area: String::new(),
        threshold: None,
        steps,
    }
}

/// `None` if the signal never had a value.
fn signal(
    points: &[TimelinePoint],
    series: Series,
    axis: &Axis,
    words: &Words,
    zone: &Zone,
    y: f32,
) -> Option<Plot> {
    let Series { signal, threshold } = series;
    let name = signal.name();
    let value = |point: &TimelinePoint| {
        point.values.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    };
    let known: Vec<(Timestamp, f32)> =
        points.iter().filter_map(|point| Some((point.at, value(point)?))).collect();
    let peak = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let last = known.last()?;
    let highest = peak.1.max(threshold.unwrap_or(0.0));
    let (top_value, step) = scale(signal, highest);
    let top = y + TITLE;
    let bottom = top + PLOT;
    let place = |v: f32| round(bottom - PLOT * (v / top_value).clamp(0.0, 1.0));
    let (line, area) = paths(points, value, axis, place, bottom);
    let mut y_ticks = Vec::new();
    let mut tick = 0.0;
    while tick <= top_value * 1.001 {
        y_ticks.push(Tick { at: place(tick), label: axis_value(signal, tick, words) });
        tick += step;
    }
    let title = words.signal(signal);
    let told = words.t_args(
        "ui-chart-told",
        &[
            ("signal", title.as_str().into()),
            ("peak", words.value(signal, peak.1).into()),
            ("at", zone.clock(peak.0).into()),
            ("last", words.value(signal, last.1).into()),
        ],
    );
    Some(Plot {
        title,
        title_y: y + 13.0,
        bottom,
        y_ticks,
        line,
        area,
        threshold: threshold.map(|t| Tick { at: place(t), label: axis_value(signal, t, words) }),
        steps: Vec::new(),
        words: told,
    })
}

/// The line, and the area under it; a gap where the signal has no value. Of the points that fall on one pixel the
/// highest is drawn, so that no peak is lost.
fn paths(
    points: &[TimelinePoint],
    value: impl Fn(&TimelinePoint) -> Option<f32>,
    axis: &Axis,
    place: impl Fn(f32) -> f32,
    bottom: f32,
) -> (String, String) {
    let mut runs: Vec<Vec<(f32, f32)>> = vec![Vec::new()];
    for point in points {
        let run_is_empty = runs.last().is_none_or(Vec::is_empty);
        match value(point) {
            Some(v) => {
                let (x, y) = (axis.x(point.at), place(v));
                let Some(run) = runs.last_mut() else { continue };
                match run.last_mut() {
                    Some(previous) if x - previous.0 < 1.0 => previous.1 = previous.1.min(y),
                    _ => run.push((x, y)),
                }
            }
            None if !run_is_empty => runs.push(Vec::new()),
            None => {}
        }
    }
    let (mut line, mut area) = (String::new(), String::new());
    for run in runs {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let joined: Vec<String> = run.iter().map(|(x, y)| format!("{x} {y}")).collect();
        let joined = joined.join("L");
        line.push_str(&format!("M{joined}"));
        area.push_str(&format!("M{} {bottom}L{joined}L{} {bottom}Z", first.0, last.0));
    }
    (line, area)
}

/// Top of the axis and distance of its ticks: whole round numbers, at most three above zero.
fn scale(signal: Signal, highest: f32) -> (f32, f32) {
    if signal.def().max <= 1.0 {
        return (1.0, 0.5);
    }
    // Time is counted in minutes or hours where it is long.
    let base = match (signal.def().unit, highest) {
        ("seconds", h) if h > 7_200.0 => 3_600.0,
        ("seconds", h) if h > 120.0 => 60.0,
        _ => 1.0,
    };
    let highest = (highest / base).max(1.0);
    let power = 10f32.powf((highest / 3.0).log10().floor()).max(1.0);
    let fits = |step: &f32| step * power * 3.0 >= highest;
    let step = [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0) * power;
    (base * step * (highest / step).ceil(), base * step)
}

fn axis_value(signal: Signal, value: f32, words: &Words) -> String {
    match signal.def().unit {
        "seconds" if value == 0.0 => "0".to_owned(),
        "seconds" => words.duration(f64::from(value)),
        "probability" | "share" | "fraction" => words.percent(value),
        "EUR" => words.eur(f64::from(value)),
        _ => {
            let whole = (value * 10.0).round() % 10.0 == 0.0;
            words.number(f64::from(value), usize::from(!whole))
        }
    }
}

fn x_ticks(axis: &Axis, zone: &Zone, width: f32) -> Vec<Tick> {
    const STEPS: [i64; 14] = [
        10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800, 2_592_000,
    ];
    let most = if width > 500.0 { 7 } else { 3 };
    let span = (axis.to - axis.from) / 1000;
    let step = STEPS.into_iter().find(|step| span / step <= most).unwrap_or(31_536_000) * 1000;
    // Ticks stand on round local times.
    let offset = zone.offset_ms(Timestamp(axis.from));
    let mut at = (axis.from + offset).div_euclid(step) * step + step - offset;
    let mut out = Vec::new();
    while at <= axis.to {
        let time = Timestamp(at);
        let label = match step {
            s if s < 60_000 => zone.clock(time),
            s if s < 86_400_000 => zone.minute(time),
            _ => zone.date(time),
        };
        out.push(Tick { at: axis.x(time), label });
        at += step;
    }
    out
}

fn marks(payments: &[&Payment], axis: &Axis, zone: &Zone) -> Vec<Mark> {
    let mut free = f32::MIN;
    payments
        .iter()
        .map(|payment| {
            let x = axis.x(payment.at);
            let words = format!("{} {}", zone.clock(payment.at), payment.label);
            // About 6 px a character at this size, and air around it.
            let length = payment.label.chars().count() as f32 * 6.0 + 10.0;
            let (anchor, start) = match x {
                x if x - length / 2.0 < axis.left => ("start", x),
                x if x + length / 2.0 > axis.right => ("end", x - length),
                x => ("middle", x - length / 2.0),
            };
            let fits = start >= free;
            if fits {
                free = start + length;
            }
            let label = if fits { payment.label.clone() } else { String::new() };
            Mark { x, label, anchor, words }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<TimelinePoint> {
        (0..100)
            .map(|i| TimelinePoint {
                at: Timestamp(1_755_468_000_000 + i * 6_000),
                level: if i > 50 { Level::Danger } else { Level::None },
                values: if (20..30).contains(&i) {
                    Vec::new()
                } else {
                    vec![("chat.distress.60s".into(), i as f32 / 10.0)]
                },
            })
            .collect()
    }

    #[test]
    fn a_signal_without_a_value_leaves_a_gap_and_the_level_steps_once() {
        let series = [Series { signal: Signal::ChatDistress60s, threshold: Some(3.0) }];
        let zone = Zone::new("UTC");
        let payments = [Payment { at: points()[40].at, label: "50 €".into() }];
        let drawn = chart(&points(), &series, &payments, &Words::new("en"), &zone, 760.0).unwrap();
        assert_eq!(drawn.plots.len(), 2);
        assert_eq!(drawn.plots[0].steps.len(), 1);
        assert_eq!(drawn.plots[1].line.matches('M').count(), 2);
        assert_eq!(drawn.payments.len(), 1);
        assert!((3..=8).contains(&drawn.x_ticks.len()), "{:?}", drawn.x_ticks);
        let highest = drawn.plots[1].y_ticks.last().unwrap();
        assert_eq!((highest.label.as_str(), highest.at), ("10", drawn.plots[1].bottom - PLOT));
    }

    #[test]
    fn one_point_is_no_chart() {
        assert!(
            chart(&points()[..1], &[], &[], &Words::new("en"), &Zone::new(""), 700.0).is_none()
        );
    }
}
