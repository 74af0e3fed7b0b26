"""What the card tells: for each family the levels reached, the time to them, false raises per 1,000 hours of stream, with 95 % intervals,
for the escalation model, for the default rules, and for both."""

import re
import tomllib
from pathlib import Path

import numpy as np

import data
from signals import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("model", "rules", "both")
LEVELS = {"watch": 1, "concern": 2, "danger": 3, "threat_to_life": 4}


def rules():
    """The active default rules as (level, test on a table of signals)."""
    names = sorted((c.replace(".", "_") for c in COLUMNS), key=len, reverse=True)
    out = []
    for rule in tomllib.loads((ROOT / "config/rules.toml").read_text(encoding="utf-8"))["rule"]:
        if rule.get("mode") == "shadow":
            continue
        when = rule["when"].replace("\n", " ")
        parts = re.split(r"(&&|\|\||\(|\))", when)
        known = lambda text: all(name in names for name in re.findall(r"[a-z_]+[a-z0-9_]*_[a-z0-9]+", text))
        parts = [{"&&": "&", "||": "|"}.get(p, p if p in "()" or not p.strip() else f"({p})" if known(p) else "no") for p in parts]
        out.append((rule["name"], LEVELS[rule["level"]], compile("".join(parts).strip(), rule["name"], "eval")))
    return out


def by_rules(x, which=None):
    space = {c.replace(".", "_"): x[:, i].astype(float) for i, c in enumerate(COLUMNS)}
    space["no"] = np.zeros(len(x), bool)
    level, first = np.zeros(len(x), int), np.full(len(x), -1)
    for k, (_, at, code) in enumerate(which or rules()):
        hit = eval(code, {}, space)
        first = np.where(hit & (at > level), k, first)
        level = np.where(hit, np.maximum(level, at), level)
    return level, first


def by_model(q):
    c, d, t = q[:, 0], q[:, 1], q[:, 2]
    return np.select([t >= 0.95, d >= 0.8, c >= 0.5, c >= 0.25], [4, 3, 2, 1], 0)


def raises(level, at, step_s):
    """How often a level is reached after half an hour below it."""
    count, last = 0, -1e9
    for i in np.flatnonzero(level >= at):
        if (i - last) * step_s > 1800:
            count += 1
        last = i
    return count


def interval(values, total, rng):
    """Mean rate and its bootstrap interval by story; a rate of nothing gets the rule of three."""
    values, total = np.array(values, float), np.array(total, float)
    if values.sum() == 0:
        return [0.0, 0.0, 3 / total.sum()]
    pick = rng.integers(0, len(values), (1000, len(values)))
    rates = values[pick].sum(1) / total[pick].sum(1)
    return [values.sum() / total.sum(), *np.quantile(rates, [0.025, 0.975])]


def measure(session, world, seeds, step_s=10):
    """Every family of a world (`stories`, `unseen`), for the model in `session`, the rules, and both.

    A harmful stream is *caught* at a level if it is there at any moment after the first stage above none, *in time* counted from
    the stage's begin; before it, a raise is *early*; of a silent stream every raise is false.
    """
    active = rules()
    rng, out, pools = np.random.default_rng(5), {}, {}
    for family in world.FAMILIES:
        rows = {way: [] for way in WAYS}
        named = {}
        for seed in seeds:
            q, s, truth = data.watched(world, family, seed)
            by = {"model": by_model(session.run(None, {"signals": s})[0])}
            by["rules"], first = by_rules(s, active)
            by["both"] = np.maximum(by["model"], by["rules"])
            for k in set(first[by["rules"] > np.maximum(truth, 1)]):
                named[active[k][0]] = named.get(active[k][0], 0) + 1
            for way, found in by.items():
                row = {"hours": len(q) * step_s / 3600, "top": int(found.max()), "true_top": int(truth.max())}
                begun = np.flatnonzero(truth >= 1)
                for at in (2, 3, 4):
                    begin = np.flatnonzero(truth >= at)
                    row[f"raises{at}"] = raises(np.where(truth < at, found, 0), at, step_s)
                    row[f"early{at}"] = bool(((truth < at) & (found >= at)).any())
                    if len(begin):
                        row[f"caught{at}"] = bool((found[begun[0] :] >= at).any())
                        hit = np.flatnonzero((found >= at) & (np.arange(len(q)) >= begin[0]))
                        row[f"delay{at}"] = float((hit[0] - begin[0]) * step_s) if len(hit) else None
                rows[way].append(row)
        silent = world.FAMILIES[family] in world.SILENT
        entry = {"silent": silent, "too_high_by_rule": named}
        for way, found in rows.items():
            hours = [r["hours"] / 1000 for r in found]
            e = {"top": np.bincount([r["top"] for r in found], minlength=5).tolist()}
            for at in (2, 3, 4):
                e[f"false{at}"] = [round(v, 1) for v in interval([r[f"raises{at}"] for r in found], hours, rng)]
                e[f"early{at}"] = sum(r[f"early{at}"] for r in found)
                pools.setdefault((silent, way, at), []).extend((r[f"raises{at}"], h) for r, h in zip(found, hours))
                delays = [r[f"delay{at}"] for r in found if f"delay{at}" in r]
                if delays:
                    seen = [d for d in delays if d is not None]
                    e[f"seen{at}"] = [len(seen), len(delays)]
                    e[f"caught{at}"] = sum(r[f"caught{at}"] for r in found if f"caught{at}" in r)
                    e[f"delay{at}"] = [float(v) for v in np.quantile(seen, [0.5, 0.9])] if seen else None
            entry[way] = e
        out[family] = entry
    return out, pooled(pools, out, rng)


def pooled(pools, out, rng):
    """False raises over all silent families, and how many of the harmful streams were caught, at each level."""
    told = {way: {} for way in WAYS}
    for (silent, way, at), pairs in pools.items():
        if silent:
            told[way][at] = interval(*zip(*pairs), rng)
            told["hours"] = round(sum(h for _, h in pairs) * 1000)
    for way in WAYS:
        for at in (2, 3, 4):
            of = [e[way] for e in out.values() if not e["silent"] and f"seen{at}" in e[way]]
            hit, n = sum(e[f"caught{at}"] for e in of), sum(e[f"seen{at}"][1] for e in of)
            told.setdefault("caught", {}).setdefault(way, {})[at] = [hit, n, *wilson(hit, n)]
    return told


def wilson(hit, n, z=1.96):
    p, d = hit / n, 1 + z * z / n
    mid, half = (p + z * z / (2 * n)) / d, z / d * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [float(mid - half), float(mid + half)]


def table(numbers):
    lines = []
    for family, entry in numbers.items():
        lines.append(f"{family} ({'silent' if entry['silent'] else 'harm'}) {entry['too_high_by_rule'] or ''}")
        for way in WAYS:
            e = entry[way]
            text = f"  {way:6} {e['top']}"
            for at, name in ((2, "c"), (3, "d"), (4, "L")):
                if f"seen{at}" in e:
                    d = e[f"delay{at}"]
                    text += f" | {name} {e[f'caught{at}']}/{e[f'seen{at}'][1]} in {d and [round(v) for v in d]} s early {e[f'early{at}']}"
                elif entry["silent"]:
                    text += f" | {name} false/kh {e[f'false{at}'][0]:.0f} ({e[f'false{at}'][1]:.0f}-{e[f'false{at}'][2]:.0f})"
                else:
                    text += f" | {name} early {e[f'early{at}']}"
            lines.append(text)
    return "\n".join(lines)


def summary(pooled):
    lines = []
    for at, level in ((2, "concern"), (3, "danger"), (4, "life")):
        false = "  ".join(f"{way} {pooled[way][at][0]:.1f} ({pooled[way][at][1]:.1f}-{pooled[way][at][2]:.1f})" for way in WAYS)
        caught = "  ".join("{} {}/{} = {:.3f}".format(way, *pooled["caught"][way][at][:2], pooled["caught"][way][at][0] / pooled["caught"][way][at][1]) for way in WAYS)
        lines.append(f"all, {pooled['hours']} h, {level}: false/kh {false} | caught {caught}")
    return "\n".join(lines)
