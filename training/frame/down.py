"""The third label of a look, `person_down`: somebody lies fallen, who does not sit, sleep or rest.

In: the looks of `extract`. Out: a linear model over the square roots of the whole pictures' mean features, what it makes
of rooms that it never saw, with 95 % intervals, and its calibration if it is good enough to ship.
"""

from types import SimpleNamespace

import numpy as np

import evaluate
import look

FLOOR = 0.85  # AUC on unseen rooms from which on the label is shipped
STRENGTH = 1e-3  # scikit-learn's C
RESTING = ("innocent_stills/sleeping", "fallen_stills/not_fallen", "falls_gmdcsa24/adl")  # sitters, sleepers, readers
# Share of each kind of innocent look in training; both sides weigh the same.
BUDGET = {"resting": 3.0, "innocent": 1.0, "webcam": 1.0, "mixed": 0.5, "cctv": 1.0, "sports": 1.0, "games": 0.5}
FOLDS = 5


def tabulate(items, looks):
    """Every look that tells, as a table; `room` is what is left out as a whole."""
    of = [items[k] for k in looks.item]
    kind = np.array(["/".join(item.path.parts[-3:-1]) for item in of])
    told = np.array([item.down is not None for item in of])
    room = []
    for item, name in zip(of, kind):
        if name == "fallen_stills/fallen" or name == "fallen_stills/not_fallen":
            room.append("urfd" if item.path.name.startswith("urfd") else "photographs/" + item.path.stem)
        elif "gmdcsa" in name:
            room.append("gmdcsa-" + item.path.stem[:2])
        else:
            room.append("urfd" if "urfd" in name else item.group)
    table = SimpleNamespace(
        described=np.sqrt(np.maximum(looks.whole, 0)),
        label=np.array([int(item.down or 0) for item in of]),
        room=np.array(room),
        kind=np.where(np.isin(kind, RESTING), "resting", [item.place for item in of]),
        plain=looks.variant == "plain",
        usable=told & np.array([item.train and not item.reserved for item in of]),
        told=told & np.array([not item.reserved for item in of]),
    )
    return table


def weights(table, mask):
    out = np.zeros(len(mask))
    for name, budget in BUDGET.items():
        rows = mask & (table.label == 0) & (table.kind == name)
        if rows.any():
            out[rows] = budget / rows.sum()
    fallen = mask & (table.label == 1)
    _, room, size = np.unique(table.room[fallen], return_inverse=True, return_counts=True)
    out[fallen] = 1 / np.sqrt(size[room])
    for side in (table.label == 1, table.label == 0):
        out[side] /= max(out[side].sum(), 1e-9)
    return out


def fitted(table, mask, strength=STRENGTH):
    w = weights(table, mask)
    used = w > 0
    return look.fit(table.described[used], table.label[used], w[used], strength=strength)


def unseen(table, strength=STRENGTH):
    """Logit of each look by a head that saw nothing of its room."""
    logit = np.full(len(table.label), np.nan, np.float32)
    rooms = np.unique(table.room)
    whole = [name for name in rooms if name == "urfd" or name.startswith("gmdcsa")]
    others = np.array([name for name in rooms if name not in whole])
    fold = dict(zip(others, np.random.default_rng(41).permutation(len(others)) % FOLDS))
    fold |= {name: FOLDS + k for k, name in enumerate(whole)}
    fold = np.array([fold[name] for name in table.room])
    for k in np.unique(fold):
        logit[fold == k] = fitted(table, table.usable & (fold != k), strength).logits(table.described[fold == k])
    return logit


def measure(table, logit):
    """AUC of the fallen of each unseen room against sitters and sleepers, and against everything innocent."""
    numbers = {"rooms": {}, "looks": int((table.usable & (table.label == 1)).sum())}
    rest = table.told & table.plain & (table.label == 0)
    for name in ("urfd", "gmdcsa-s2", "gmdcsa-s3", "photographs"):
        own = table.told & table.plain & (table.label == 1) & np.char.startswith(table.room, name)
        for against, other in (("resting", rest & (table.kind == "resting")), ("all", rest)):
            rows = own | other
            value = evaluate.interval(evaluate.auc(table.label[rows], logit[rows]), table.room[rows] if name == "photographs" else np.arange(rows.sum()))
            numbers["rooms"].setdefault(name, {"count": int(own.sum())})[against] = value
    numbers["auc"] = float(np.mean([room["resting"][0] for room in numbers["rooms"].values()]))
    numbers["worst"] = float(min(room["resting"][0] for room in numbers["rooms"].values()))
    return numbers


def main(items, looks):
    """Head or None, calibration points and numbers of `person_down`."""
    table = tabulate(items, looks)
    logit = unseen(table)
    numbers = measure(table, logit)
    if numbers["auc"] < FLOOR or numbers["worst"] < 0.8:
        return None, None, numbers
    rows = table.usable & table.plain
    weight = weights(table, rows)
    slope, offset = evaluate.platt(logit[rows], table.label[rows], weight[rows])
    resting = rows & (table.label == 0) & (table.kind == "resting")
    strict = -slope * float(np.quantile(logit[resting], 0.95))
    curve = evaluate.points(slope, min(offset, strict))
    score = evaluate.apply(curve, logit)
    numbers["recall"] = {name: float((score[table.told & table.plain & (table.label == 1) & np.char.startswith(table.room, name)] >= 0.5).mean()) for name in numbers["rooms"]}
    numbers["false"] = {str(kind): float((score[rows & (table.label == 0) & (table.kind == kind)] >= 0.5).mean()) for kind in sorted(set(table.kind[rows & (table.label == 0)]))}
    return fitted(table, table.usable), curve, numbers
