"""The stages together: which messages each drops, what the whole says, and the points that turn scores into probabilities."""

import numpy as np

import encoder
import report
from corpus import LABELS
from data import DANGER
from measure import NAMES, mix

# Of what the last stage scores .5 or more, at most this share may be dropped by the first, and by the one between (on dev; less than is promised).
SHARE = {label: 0.002 if label in DANGER else 0.013 for label in LABELS}
BETWEEN = {"danger": 0.003, "other": 0.02}
# A single message of .95 may raise a channel by these. The surer the mix, the surer a threat is told below that, so that it is told before the insult that comes with it;
# self-harm rises evenly, since a few misread goodbyes add up.
ALONE = {"threat": 0.94, "self_harm": None}
# What comes with nearly every harm is not told as surer than the harm itself; on real chat no more of it is right either.
IMPLIED = {"harassment": 0.93, "toxicity": 0.92}
# Not what people say to one another on a stream: group chats played out to be cruel, tweets picked for a slur.
CRUEL = ["cyberaggression_fr", "tweets_slur_keywords_fr"]
# No logit of the first stage counts for less or more beside the last one's. It does not see through every disguise, so it lowers little.
BELIEVED = (-2.0, 12.0)
# No limit above this score of the first stage, calibrated.
TOP = 0.40


def isotonic(x, y, w):
    """Non-decreasing means (pool adjacent violators) of points sorted by x: list of (mean x, mean y, mass)."""
    order = np.argsort(x, kind="stable")
    blocks = []
    for i in order:
        if w[i] <= 0:
            continue
        blocks.append([x[i] * w[i], y[i] * w[i], w[i]])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last)]
    return [(a / m, b / m, m) for a, b, m in blocks]


def rare(z, count=20, rate=1e-5):
    """The logit that ordinary chat passes once in 1 / `rate` messages: its `count` highest (of dev) fall off exponentially, and are drawn on."""
    top = np.sort(z)[::-1][: count + 1]
    return float(top[-1] + (top[:-1] - top[-1]).mean() * np.log(count / len(z) / rate))


def line(z, y, w, cut, soften, sure=None, most=0.995, bins=8):
    """Calibration points through (cut, .5): on either side a non-decreasing fit on the weighted mix, a few points each, `most` at most (`None`: no point
    above the cut). With `sure` .95 stands there and not before, however right the mix is: ordinary chat is not half danger."""
    points = [[0.0, 0.0]]

    def add(at, p):
        x = round(float(report.sigmoid(at / soften)), 6)
        if points[-1][0] + 2e-6 < x < 1 - 2e-6:
            points.append([x, round(float(max(p, points[-1][1])), 4)])

    keep = w > 0
    z, y, w = z[keep], y[keep], w[keep]
    for low in (True, False):
        side = z < cut if low else z >= cut
        if side.sum() > 30:
            edges = np.quantile(z[side], np.linspace(0, 1, bins + 1))
            place = np.clip(np.searchsorted(edges, z[side], side="right") - 1, 0, bins - 1)
            xs, ys, ws = [], [], []
            for b in range(bins):
                t = place == b
                mass = w[side][t].sum()
                if mass > 0:
                    xs.append((z[side][t] * w[side][t]).sum() / mass)
                    # Two messages' worth of doubt.
                    doubt = 2 * w[side].mean()
                    ys.append(((y[side][t] * w[side][t]).sum() + 0.5 * doubt) / (mass + doubt))
                    ws.append(mass)
            for x, p, _ in isotonic(np.array(xs), np.array(ys), np.array(ws)):
                if low and x < cut - 0.05:
                    add(x, min(p, 0.49))
                if not low and most is not None and cut + 0.05 < x and (sure is None or x < sure - 0.05):
                    add(x, min(max(p, 0.51), most))
        if low:
            add(cut, 0.5)
        elif sure is not None:
            add(max(sure, cut + 0.5), 0.95)
    points.append([1.0, max(most if sure is None else 0.995, points[-1][1])])
    # The decision point is exact.
    return points


def plain(rows, y, mask, j):
    """Which rows are dev messages of others, none of them cruel, that do not hold the label."""
    source, split, _ = report.masks(rows)
    return (split == "dev") & (mask[:, j] > 0) & ~np.isin(source, ["corpus", "hand", *CRUEL]) & (y[:, j] < 0.5)


def blended(first, last, weight):
    """Logits of the last stage with the first one's part in them; `weight`: by label."""
    return last + np.clip(first, *BELIEVED) * np.array([weight.get(label, 0.0) for label in LABELS], np.float32)


def cuts(rows, z, y, mask):
    """Per label the logit at which it is raised: quiet on ordinary dev chat, else the best F1 on dev."""
    source, split, _ = report.masks(rows)
    out = []
    for j, label in enumerate(LABELS):
        dev = (split == "dev") & (mask[:, j] > 0)
        true = y[:, j] >= 0.5
        if label in report.BUDGET:
            negative = np.sort(z[plain(rows, y, mask, j), j])[::-1]
            allowed = max(1, int(report.BUDGET[label] * len(negative)))
            written = dev & np.isin(source, ["hand", "corpus"])
            cut = max(negative[allowed] + 1e-3, report.best_f1(z[written, j], true[written]) - 0.5, -1.5)
        else:
            parts = [dev & (source == s) for s in NAMES] + [dev & (source == "hand")]
            parts = [t for t in parts if true[t].sum() >= 8]
            tried = np.linspace(-1.5, 3, 46)
            cut = max(tried, key=lambda c: np.mean([report.f1(z[t, j] >= c, true[t])[2] for t in parts]))
        out.append(float(cut))
    return out


def calibrate(rows, z, y, mask, soften=1.0):
    """Points per label from the graph's score, sigmoid(z / soften), to a probability."""
    at = cuts(rows, z, y, mask)
    out = {}
    for j, label in enumerate(LABELS):
        others = plain(rows, y, mask, j) if label in ALONE else np.zeros(len(rows), bool)
        sure = rare(z[others, j]) if others.sum() > 1000 else None
        out[label] = line(z[:, j], (y[:, j] >= 0.5).astype(float), mix(rows, y, mask, j, "dev"), at[j], soften, sure,
                           ALONE[label] if sure is not None else IMPLIED.get(label, 0.995))
    return out


def apply(z, calibration, soften=1.0):
    raw = report.sigmoid(z / soften)
    return np.stack([np.interp(raw[:, j], *np.array(calibration[label]).T) for j, label in enumerate(LABELS)], 1)


def limits(rows, z1, p1, p2):
    """Per label the first stage's score (not calibrated) below which, if all are, a message is dropped."""
    _, split, _ = report.masks(rows)
    dev = split == "dev"
    out = {}
    for j, label in enumerate(LABELS):
        raised = dev & (p2[:, j] >= 0.5)
        limit = np.quantile(z1[raised, j], SHARE[label]) if raised.sum() >= 20 else -4.0
        quiet = z1[p1[:, j] < TOP, j]
        limit = min(float(limit), float(quiet.max()) if len(quiet) else -4.0, 2.0)
        out[label] = round(float(report.sigmoid(limit)), 5)
    return out


def below(points, drop, most=0.1):
    """The first stage's points where a second follows: a score at the drop limit reads `most`, one below it in proportion."""
    out = {}
    for label, line in points.items():
        above = [[x, p] for x, p in line if x > drop[label] and p >= 0.5]
        out[label] = [[0.0, 0.0], [drop[label], most], *above]
    return out


def limit(rows, again, p2, left):
    """The score of `again` below which the stage between drops, of rows that are `left` to it: by what the last stage raises on real dev chat and on dev authors."""
    source, split, _ = report.masks(rows)
    dev = left & (split == "dev")
    danger = [j for j, label in enumerate(LABELS) if label in DANGER]
    other = [j for j in range(8) if j not in danger]
    found = []
    for where in (np.isin(source, list(NAMES)), source == "hand"):
        for cols, share in ((danger, BETWEEN["danger"]), (other, BETWEEN["other"])):
            raised = dev & where & (p2[:, cols] >= 0.5).any(1)
            if raised.sum() >= 100:
                found.append(np.quantile(again[raised], share))
    return round(float(report.sigmoid(min(found) / encoder.SOFTEN)), 5)


def quiet(points, most=0.1):
    """Points of a stage that tells what it drops alone: what it does not raise itself reads `most` or less."""
    return below(points, {label: next(x for x, p in line if p >= 0.5) - 1e-5 for label, line in points.items()}, most)


def dropped(z1, drop):
    return (report.sigmoid(z1) < np.array([drop[label] for label in LABELS])).all(1)


def whole(gone, each):
    """`each`: what each stage says; `gone`: which rows each but the last drops."""
    out = each[-1]
    for drops, p in zip(reversed(gone), reversed(each[:-1])):
        out = np.where(drops[:, None], p, out)
    return out


def told(rows, gone, p2, split="test"):
    """What the drop rules cost, on real chat and on held-out authors apart: lines of a table. `gone`: which rows the first stage drops, and which the first two."""
    source, part, _ = report.masks(rows)
    out = ["| | messages | dropped by the first stage | by the first two | of what the last raises, dropped: danger | other labels |", "| --- | --- | --- | --- | --- | --- |"]
    danger = [LABELS.index(label) for label in DANGER]
    other = [j for j in range(8) if j not in danger]
    for name, t in (("real chat", np.isin(source, list(NAMES))), ("held-out authors", source == "hand"), ("written families", source == "corpus")):
        t = t & (part == split)
        cells = []
        for cols in (danger, other):
            raised = t & (p2[:, cols] >= 0.5).any(1)
            lost, n = int((raised & gone[1]).sum()), int(raised.sum())
            lo, hi = report.wilson(lost, n)
            cells.append(f"{lost} of {n} [{100 * lo:.1f} %, {100 * hi:.1f} %]")
        out.append(f"| {name} | {int(t.sum())} | {100 * gone[0][t].mean():.0f} % | {100 * gone[1][t].mean():.0f} % | {cells[0]} | {cells[1]} |")
    return out
