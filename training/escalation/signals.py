"""The harm signals of a history at given times: the arithmetic of `src/channel`, vectorised.

In: a `History` (arrays of messages, looks, notices, measures) and times in ms. Out: one row of raw values a time, columns as in
`COLUMNS`. `parity.py` holds it against the Rust code; the differences that are left are those of float32 scores.
"""

from dataclasses import dataclass, field

import numpy as np

LABELS = ["threat", "incitement", "self_harm", "self_harm_urging", "distress", "harassment", "sexual_abuse", "toxicity"]
VOICED = ["threat", "incitement", "self_harm_urging", "distress", "harassment"]
CHAT_WINDOWS = ["60s", "10m", "24h", "30d"]
LONG = ["10m", "24h", "30d"]
S, M, H, D = 1000, 60_000, 3_600_000, 86_400_000
HALF = {"60s": 30 * S, "10m": 5 * M, "30m": 15 * M, "24h": 12 * H, "7d": 7 * D // 2, "30d": 15 * D, "90d": 45 * D}
DANGERS = LABELS[:5]
COPY, TEXTS = 0.25, 32
REST, SAME, BURST, APART, AFTER = 0.008, 0.02, (0.03, 0.09), 5 * M, 10 * M

COLUMNS = (
    [f"chat.{label}.{w}" for label in LABELS for w in CHAT_WINDOWS]
    + ["chat.threat_peak.60s", "chat.self_harm_peak.60s"]
    + [f"chat.{label}_voices.2m" for label in VOICED]
    + [f"money.acts.{w}" for w in LONG]
    + [f"money.acts_eur.{w}" for w in LONG]
    + [f"coupling.violence_after_money.{w}" for w in LONG]
    + [f"coupling.money_after_violence.{w}" for w in LONG]
    + ["coupling.motion_after_money.10m", "coupling.motion_after_money.24h", "coupling.distress_after_money.24h"]
    + ["picture.violence_peak.60s"]
    + [f"picture.violence.{w}" for w in LONG]
    + ["picture.still.30m", "picture.still_after_motion.30m"]
    + ["history.days_with_acts.90d", "history.measures.90d", "notice.count.7d", "stream.hours_live.now"]
)


@dataclass
class History:
    """Messages: t (ms), user, scores [n, 8], paid, eur, text (equal numbers: copies; none: no copies). Looks: t, violence (nan: no model), motion, level (brightness), same (the bytes
    of the look before: it proves nothing about motion; none: no look is)."""

    started: int = 0
    m_t: np.ndarray = None
    m_user: np.ndarray = None
    m_scores: np.ndarray = None
    m_paid: np.ndarray = None
    m_eur: np.ndarray = None
    m_text: np.ndarray = None
    l_t: np.ndarray = None
    l_violence: np.ndarray = None
    l_motion: np.ndarray = None
    l_level: np.ndarray = None
    l_same: np.ndarray = None
    notices: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    measures: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def contribution(p):
    p = np.asarray(p, np.float32)
    return np.where(p < np.float32(0.5), 0.0, np.minimum(0.2 + 0.8 * ((p - np.float32(0.5)).astype(float) / (0.9 - 0.5)), 1.0))


def fade(q, t, half):
    """Weights [len(q), len(t)]: 0 for what is yet to come."""
    age = q[:, None] - t[None, :]
    return np.where(age >= 0, np.exp2(np.minimum(-age / half, 0.0)), 0.0)


def top(weights, x):
    return (weights * x).max(1) if len(x) else np.zeros(len(weights))


def counted(t, text, weight, half):
    """What each message of a danger label adds: a text counts once, copies a quarter besides (`crowd.rs`, `Texts`)."""
    out, known = weight.copy(), {}
    for i in np.flatnonzero(weight > 0):
        if text[i] in known:
            w, then = known[text[i]]
            left = w * 2.0 ** (-(t[i] - then) / half)
            out[i] = max(weight[i] - left, 0.0) + COPY * min(weight[i], left)
            if weight[i] > left:
                known[text[i]] = (weight[i], t[i])
            continue
        if len(known) >= TEXTS:
            del known[next(iter(known))]
        known[text[i]] = (weight[i], t[i])
    return out


def stillness(h, weight):
    """(times, seconds, after motion) of each look that rests."""
    times, seconds, hurt = [], [], []
    burst = since = last = None
    after, level = False, 0.0
    same = np.zeros(len(h.l_t), bool) if h.l_same is None else h.l_same
    for t, motion, now, w, again in zip(h.l_t, h.l_motion, h.l_level, weight, same):
        if again:
            continue
        if motion >= (BURST[0] + BURST[1]) / 2 or w >= 0.5:
            burst = t
        if motion >= REST:
            since = None
        else:
            on = last is not None and t - last <= APART and abs(now - level) / 255 < SAME
            if since is None or not on:
                since, after = t, burst is not None and t - burst <= AFTER
            times.append(t), seconds.append((t - since) / 1000), hurt.append(after)
        last, level = t, now
    return np.array(times, np.int64), np.array(seconds, float), np.array(hurt, bool)


def days_with_acts(t, act, q):
    out, days, day, best, place = np.zeros(len(q)), 0.0, 0, 0.0, 0
    marks = [(0, 0.0)]
    for at, a in zip(t, act):
        if a <= 0:
            continue
        today = at // D
        if today > day:
            days, day, best = days * 2.0 ** (-(today - day) / 45), today, 0.0
        if a > best:
            days, best = days + a - best, a
        marks.append((at, days))
    times = np.array([m[0] for m in marks])
    for i, at in enumerate(q):
        place = np.searchsorted(times, at, "right") - 1
        then, value = marks[place]
        out[i] = value * 2.0 ** (-(at // D - then // D) / 45)
    return out


def signals(h, q):
    q = np.asarray(q, np.int64)
    out = {}
    c = contribution(h.m_scores)
    fades = {w: fade(q, h.m_t, HALF[w]) for w in CHAT_WINDOWS}
    text = np.arange(len(h.m_t)) if h.m_text is None else h.m_text
    for w in CHAT_WINDOWS:
        adds = c if h.m_text is None else np.stack(
            [counted(h.m_t, text, c[:, k], HALF[w]) if LABELS[k] in DANGERS else c[:, k] for k in range(8)], 1)
        for label, column in zip(LABELS, (fades[w] @ adds).T):
            out[f"chat.{label}.{w}"] = column
    for label in ("threat", "self_harm"):
        p = h.m_scores[:, LABELS.index(label)]
        out[f"chat.{label}_peak.60s"] = top(fades["60s"], np.where(p >= 0.5, p, 0.0))
    for label in VOICED:
        hits = c[:, LABELS.index(label)] > 0
        t, user = h.m_t[hits], h.m_user[hits]
        lo, hi = np.searchsorted(t, q - 2 * M, "left"), np.searchsorted(t, q, "right")
        people = np.array([min(32, len(set(user[a:b]))) for a, b in zip(lo, hi)], float)
        own = people
        if label != "harassment":
            said = text[hits]
            own = np.minimum(people, [min(32, len(set(said[a:b]))) for a, b in zip(lo, hi)])
        out[f"chat.{label}_voices.2m"] = own + COPY * (people - own)
    paid = h.m_paid
    asks = np.maximum(h.m_scores[:, 1], h.m_scores[:, 3])
    act = np.where(paid, contribution(asks), 0.0)
    for w in LONG:
        out[f"money.acts.{w}"] = fades[w] @ act
        out[f"money.acts_eur.{w}"] = fades[w] @ (act * h.m_eur)
    a_t, a = h.m_t[act > 0], act[act > 0]
    opened = lambda t: np.minimum(fade(t, a_t, M) @ a, 3.0) if len(a) else np.zeros(len(t))
    distress = c[:, 4] * opened(h.m_t)
    out["coupling.distress_after_money.24h"] = fades["24h"] @ distress
    out["history.days_with_acts.90d"] = np.minimum(days_with_acts(a_t, a, q), 90)

    known = np.nan_to_num(h.l_violence)
    weight = contribution(known)
    looks = {w: fade(q, h.l_t, HALF[w]) for w in CHAT_WINDOWS}
    out["picture.violence_peak.60s"] = top(looks["60s"], known)
    moved = h.l_motion if h.l_same is None else np.where(h.l_same, 0, h.l_motion)
    burst = np.clip((moved.astype(np.float32) - np.float32(BURST[0])) / np.float32(BURST[1] - BURST[0]), 0, 1)
    near = opened(h.l_t)
    fresh = np.zeros(len(paid))
    if len(h.l_t) and paid.any():
        fresh[paid] = contribution(top(fade(h.m_t[paid], h.l_t, 30 * S), known))
    for w in LONG:
        out[f"picture.violence.{w}"] = looks[w] @ weight
        out[f"coupling.violence_after_money.{w}"] = looks[w] @ (weight * near)
        out[f"coupling.money_after_violence.{w}"] = fades[w] @ fresh
        if w != "30d":
            out[f"coupling.motion_after_money.{w}"] = looks[w] @ (burst * near)
    t, seconds, hurt = stillness(h, weight)
    rest = fade(q, t, HALF["30m"])
    out["picture.still.30m"] = top(rest, seconds)
    out["picture.still_after_motion.30m"] = top(rest, np.where(hurt, seconds, 0.0))
    out["history.measures.90d"] = fade(q, h.measures, HALF["90d"]).sum(1)
    out["notice.count.7d"] = fade(q, h.notices, HALF["7d"]).sum(1)
    out["stream.hours_live.now"] = np.maximum(q - h.started, 0) / H
    return np.stack([out[name] for name in COLUMNS], 1).astype(np.float32)
