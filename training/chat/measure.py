"""The card's tables from rows and calibrated scores: what was measured on data that was neither trained nor tuned on, with 95 % intervals."""

import numpy as np

from corpus import LABELS
from data import DANGER
from report import ORDINARY, f1, masks, wilson

NAMES = {"youtube_live_irl_stream": "IRL stream", "youtube_live_news": "news stream", "twitch_emotes_sentiment": "Twitch (games)",
         "cyberaggression_fr": "French group chats"}
FLOOR = {"toxicity": {"youtube_live_news": 0.60, "twitch_emotes_sentiment": 0.70, "cyberaggression_fr": 0.85},
         "harassment": {"youtube_live_news": 0.50, "twitch_emotes_sentiment": 0.55, "cyberaggression_fr": 0.80}}


def groups_of(rows):
    """Authors and families stand or fall together: intervals draw them, not rows."""
    return np.array([r.get("family", str(i)) for i, r in enumerate(rows)])


def macro(said, true, known):
    scores = [f1(said[known[:, j], j], true[known[:, j], j])[2] for j in range(8) if true[known[:, j], j].sum() >= 5]
    return float(np.mean(scores))


def interval(measure, n, seed=3, draws=300, groups=None):
    """[2.5 %, 97.5 %] of a measure of row numbers, by bootstrap, over groups where they are given."""
    rng = np.random.default_rng(seed)
    if groups is not None:
        names, where = np.unique(groups, return_inverse=True)
        members = [np.flatnonzero(where == g) for g in range(len(names))]
    values = []
    for _ in range(draws):
        if groups is None:
            rows = rng.integers(0, n, n)
        else:
            rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        values.append(measure(rows))
    return np.nanquantile(values, [0.025, 0.975])


def shown(value, lo, hi):
    text = lambda x: f"{x:.2f}".lstrip("0") if x < 1 else "1.0"
    return f"{text(value)} [{text(lo)}, {text(hi)}]"


def rate(k, n):
    lo, hi = wilson(int(k), int(n))
    return f"{int(k)} of {int(n)} = {1000 * k / max(n, 1):.2f} per 1,000 [{1000 * lo:.2f}, {1000 * hi:.2f}]"


def highest(p, y, mask):
    """F1 of the eight labels and of none where a message counts once: for its highest label of .5 or more, right if that one holds, else for none. What is
    missed counts against the first label that holds. A message whose highest label is doubtful is left out."""
    first = np.where((y >= 0.5).any(1), (y >= 0.5).argmax(1), 8)
    said = np.where(p.max(1) >= 0.5, p.argmax(1), 8)
    at = np.arange(len(p))
    known = np.where(said < 8, mask[at, np.minimum(said, 7)] > 0, (mask > 0).all(1) | (first < 8))
    right = np.where(said < 8, y[at, np.minimum(said, 7)] >= 0.5, first == 8)
    said, first, right = said[known], first[known], right[known]
    out = []
    for j in range(9):
        hit, wrong, missed = (right & (said == j)).sum(), (~right & (said == j)).sum(), (~right & (first == j)).sum()
        out.append(2 * hit / max(2 * hit + wrong + missed, 1))
    return np.array(out)


def highest_told(rows, p, y, mask, only=None):
    """`highest` on held-out authors, by language: lines of a table."""
    src, part, lang = masks(rows)
    out = ["| highest label | fr | en |", "| --- | --- | --- |"]
    pick = {g: np.flatnonzero((src == "hand") & (part == "test") & (lang == g) & (True if only is None else only)) for g in ("fr", "en")}
    got = {g: highest(p[t], y[t], mask[t]) for g, t in pick.items()}
    for j, label in enumerate([*LABELS, "none"]):
        out.append(f"| {f'`{label}`' if j < 8 else label} | " + " | ".join(f"{got[g][j]:.2f}".lstrip("0") for g in pick) + " |")
    cells = []
    for g, t in pick.items():
        families = groups_of([rows[i] for i in t])
        lo, hi = interval(lambda k: highest(p[t[k]], y[t[k]], mask[t[k]]).mean(), len(t), draws=200, groups=families)
        cells.append(shown(float(got[g].mean()), lo, hi))
    return out + ["| macro-F1 | " + " | ".join(cells) + " |"], {g: float(v.mean()) for g, v in got.items()}


def written(rows, p, y, mask, source, split, only=None):
    """Recall, precision, F1 of each label and language on one kind of written messages; `only`: which rows."""
    src, part, lang = masks(rows)
    true, known, said = y >= 0.5, mask > 0, p >= 0.5
    out = ["| label | " + " | ".join(f"{g}: recall | precision | F1" for g in ("fr", "en")) + " |", "| --- |" + " --- |" * 6]
    pick = {g: np.flatnonzero((src == source) & (part == split) & (lang == g) & (True if only is None else only)) for g in ("fr", "en")}
    for j, label in enumerate(LABELS):
        cells = []
        for g in ("fr", "en"):
            t = pick[g][known[pick[g], j]]
            if true[t, j].sum() < 5:
                cells += ["", "", f"n {int(true[t, j].sum())}"]
                continue
            precision, recall, score = f1(said[t, j], true[t, j])
            hit, n = int((said[t, j] & true[t, j]).sum()), int(true[t, j].sum())
            cells += [shown(recall, *wilson(hit, n)) + f" n {n}", shown(precision, *wilson(hit, max(1, int(said[t, j].sum())))), f"{score:.2f}".lstrip("0")]
        out.append(f"| `{label}` | " + " | ".join(cells) + " |")
    cells, values = [], {}
    for g in ("fr", "en"):
        t = pick[g]
        if not len(t):
            cells += ["", "", ""]
            continue
        families = groups_of([rows[i] for i in t])
        value = macro(said[t], true[t], known[t])
        lo, hi = interval(lambda k: macro(said[t[k]], true[t[k]], known[t[k]]), len(t), groups=families if len(set(families)) > 3 else None)
        cells += ["", "", shown(value, lo, hi)]
        values[g] = value
    out.append("| macro-F1 | " + " | ".join(cells) + " |")
    return out, values


def real(rows, p, y, mask, split="test"):
    src, part, _ = masks(rows)
    out = ["| real chat, last 30 % by time | toxicity: precision, recall | F1 | harassment: precision, recall | F1 |", "| --- | --- | --- | --- | --- |"]
    values = {}
    for source, name in NAMES.items():
        cells = []
        for label in ("toxicity", "harassment"):
            j = LABELS.index(label)
            t = np.flatnonzero((part == split) & (src == source) & (mask[:, j] > 0))
            said, true = p[t, j] >= 0.5, y[t, j] >= 0.5
            precision, recall, score = f1(said, true)
            lo, hi = interval(lambda k: f1(said[k], true[k])[2], len(t))
            floor = FLOOR[label].get(source)
            cells += [f"{precision:.2f}, {recall:.2f} (n {int(true.sum())} of {len(t)})", shown(score, lo, hi) + (f" (wanted {floor:.2f})" if floor else "")]
            values[label, source] = score
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    return out, values


def ordinary(rows, p, y, mask, split="test"):
    src, part, _ = masks(rows)
    cols = [LABELS.index(label) for label in DANGER]
    out, total, bad = [], 0, 0
    for source in ORDINARY:
        t = np.flatnonzero((part == split) & (src == source))
        wrong = ((p[t][:, cols] >= 0.5) & (y[t][:, cols] < 0.5) & (mask[t][:, cols] > 0)).any(1)
        each = ", ".join(f"{label} {int(((p[t, j] >= 0.5) & (y[t, j] < 0.5) & (mask[t, j] > 0)).sum())}" for label, j in zip(DANGER, cols))
        out.append(f"| {NAMES[source]} | {rate(wrong.sum(), len(t))} | {each} |")
        total, bad = total + len(t), bad + int(wrong.sum())
    out.append(f"| both | {rate(bad, total)} | |")
    return ["| ordinary chat, last 30 % | raised wrongly by any of threat, incitement, self_harm, distress | by label |", "| --- | --- | --- |"] + out, bad / max(total, 1)


def precision_at(rows, p, y, mask, points=(0.5, 0.8, 0.95), split="test"):
    """Of what is raised on real chat, how much is right."""
    src, part, _ = masks(rows)
    t = np.isin(src, list(NAMES)) & (part == split)
    out = ["| precision on real chat at | " + " | ".join(str(x) for x in points) + " |", "| --- |" + " --- |" * len(points)]
    for j, label in enumerate(LABELS):
        cells = []
        for x in points:
            raised = t & (p[:, j] >= x) & (mask[:, j] > 0)
            right = int((raised & (y[:, j] >= 0.5)).sum())
            n = int(raised.sum())
            cells.append(shown(right / n, *wilson(right, n)) + f" n {n}" if n else "nothing raised")
        out.append(f"| `{label}` | " + " | ".join(cells) + " |")
    return out


def comments(rows, p, y, mask):
    """Toxicity right or wrong on held-out forum messages and comments."""
    src, part, _ = masks(rows)
    j = LABELS.index("toxicity")
    out = ["| toxicity on other texts | accuracy | toxic found | others spared |", "| --- | --- | --- | --- |"]
    for source, name, floor in (("forum_fr", "French forum messages", 0.76), ("comments_fr", "French comments", 0.89), ("comments_en", "English comments", 0.92)):
        t = np.flatnonzero((part == "test") & (src == source) & (mask[:, j] > 0) & ((y[:, j] < 0.3) | (y[:, j] > 0.7)))
        said, true = p[t, j] >= 0.5, y[t, j] >= 0.5
        right = int((said == true).sum())
        out.append(f"| {name} | {shown(right / len(t), *wilson(right, len(t)))} n {len(t)} (wanted {floor:.2f}) | {int((said & true).sum())} of {int(true.sum())} | {int((~said & ~true).sum())} of {int((~true).sum())} |")
    return out


def all_of(rows, p, y, mask):
    """Every table that needs rows and scores alone."""
    out = ["Held-out authors", "", *written(rows, p, y, mask, "hand", "test")[0], "", "Families in other words", "", *written(rows, p, y, mask, "corpus", "test")[0], ""]
    out += ["Patterns not seen", "", *written(rows, p, y, mask, "corpus", "pattern")[0], "", *real(rows, p, y, mask)[0], "", *ordinary(rows, p, y, mask)[0], ""]
    out += [*comments(rows, p, y, mask), "", *precision_at(rows, p, y, mask), ""]
    errors, _ = ece(rows, p, y, mask)
    return out + ["ECE " + ", ".join(f"{k} {v:.3f}" for k, v in errors.items())]


def mix(rows, y, mask, j, split):
    """Weights of the reference mix of a label: half positives, half near misses and ordinary chat in equal parts."""
    src, part, _ = masks(rows)
    t = (part == split) & (mask[:, j] > 0)
    written_, chat = np.isin(src, ["hand", "corpus"]), np.isin(src, list(NAMES))
    w = np.zeros(len(rows))
    positive = t & (y[:, j] >= 0.5) & (written_ | chat)
    near, plain = t & (y[:, j] < 0.5) & written_, t & (y[:, j] < 0.5) & chat
    for group, share in ((positive, 0.5), (near, 0.25), (plain, 0.25)):
        if group.sum():
            w[group] = share / group.sum()
    return w


def ece(rows, p, y, mask, split="test", bins=10):
    """Expected calibration error of each label on the reference mix, and the bins: (mean said, share true, weight)."""
    out, lines = {}, {}
    for j, label in enumerate(LABELS):
        w = mix(rows, y, mask, j, split)
        if w.sum() < 0.99:
            continue
        place = np.minimum((p[:, j] * bins).astype(int), bins - 1)
        total, line = 0.0, []
        for b in range(bins):
            t = (place == b) & (w > 0)
            if not t.any():
                continue
            mass = w[t].sum()
            mean, share = (w[t] * p[t, j]).sum() / mass, (w[t] * (y[t, j] >= 0.5)).sum() / mass
            total += mass * abs(mean - share)
            line.append((mean, share, mass))
        out[label], lines[label] = total, line
    return out, lines


def diagram(lines, errors, path):
    """Reliability of each label, as an SVG."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "vigie"
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.6), sharex=True, sharey=True)
    for axis, label in zip(axes.ravel(), LABELS):
        axis.plot([0, 1], [0, 1], color="0.7", lw=1)
        if label in lines:
            said, share, mass = zip(*lines[label])
            axis.scatter(said, share, s=[20 + 500 * m for m in mass], alpha=0.5, color="#26547c")
            axis.plot(said, share, color="#26547c", lw=1)
            axis.set_title(f"{label}  ECE {errors[label]:.3f}", fontsize=9)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
    figure.supxlabel("score", fontsize=9)
    figure.supylabel("share that holds the label", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
