"""The second label of a look, `camera`: the picture as a whole is filmed, no game, animation, desktop or drawing.

In: the looks of `extract`, drawn pictures and both as delivery may leave them. Out: a linear model over the square roots of
the pictures' mean features, its calibration, and what it makes of whole sets that it never saw, with 95 % intervals.
"""

import hashlib
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import drawn
import evaluate
import extract
import look
import pictures
import recordings

DRAWN = 459  # scenes, each also as delivery leaves it
HANDLED = 60  # sources of each filmed place that are also seen as delivery leaves them, half under an overlay
STRENGTH = 1e-3  # scikit-learn's C on standardised features: strong
# Share of each kind of unfilmed picture in training; every filmed place weighs alike and both sides weigh the same.
BUDGET = {"openarena": 2.0, "atari": 1.0, "racer": 1.0, "facecam": 2.0, "drawn": 2.0}
OTHER = 1.0  # of each family of recordings
TOLD = {"handled": "as delivered", "inset": "with a second camera in a corner", "short": "shorter looks"}
MISSED = 0.01  # share of filmed looks, places alike, that may score under 0.5 when their whole place was left out


def family(item):
    """The set that is left out as a whole: a filmed place, or a kind of unfilmed picture."""
    if item.place != "games":
        return item.place
    folder = item.path.parent.name
    return {"game_facecam": "facecam", "extreme_tux_racer": "racer", "animation": "racer"}.get(folder, folder)


def _extra(items, backbone):
    """(item or -1, kind, features) of handled pictures and of drawn ones, clean and handled."""
    taken, began = {}, time.time()
    faces = [i.path for i in items if i.place == "webcam" and not i.reserved]
    faces = [p for path in faces for p in pictures.clip_pictures(path)[:60:20]]
    for index in np.random.default_rng(31).permutation(len(items)):
        item = items[index]
        rng = np.random.default_rng([32, zlib.crc32(item.path.name.encode())])
        taken[family(item)] = taken.get(family(item), 0) + 1
        if taken[family(item)] > HANDLED:
            continue
        if item.clip:
            decoded = pictures.clip_pictures(item.path)
            shown = [decoded[k] for k in rng.choice(len(decoded), 2)]
        else:
            shown = [Image.open(item.path)]
        for k, picture in enumerate(shown):
            row = pictures.features(backbone, [drawn.handled(picture, rng, item.place != "games" and rng.random() < 0.5)])
            yield int(index), "handled", row[0]
        if item.place != "games":  # two cameras: a face in a corner alone must not tell a game
            both = drawn.inset(shown[0], faces[rng.integers(len(faces))], rng)
            yield int(index), "inset", pictures.features(backbone, [drawn.handled(both, rng, rng.random() < 0.3)])[0]
    print(f"camera: delivered pictures, {time.time() - began:.0f} s", file=sys.stderr, flush=True)
    for k, (kind, picture) in enumerate(drawn.pictures(DRAWN)):
        two = [picture, drawn.handled(picture, np.random.default_rng([33, k]))]
        for row in pictures.features(backbone, two):
            yield -1, kind, row
    print(f"camera: drawn pictures, {time.time() - began:.0f} s", file=sys.stderr, flush=True)


def _recorded(backbone):
    """(-1, `game` and source, features) of the pictures of own recordings, as they are and as delivery leaves them."""
    for source, shots in recordings.sources():
        for k, path in enumerate(shots):
            picture = Image.open(path).convert("RGB")
            two = [picture, drawn.handled(picture, np.random.default_rng([36, k]))]
            for row in pictures.features(backbone, two):
                yield -1, f"game {source}", row


def _kept(name, digest, cache, make):
    """The rows that `make` yields, from the cache if they were made before."""
    path = Path(cache) / f"{name}-{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        rows = list(make())
        np.savez(path, item=[r[0] for r in rows], kind=[r[1] for r in rows], features=np.array([r[2] for r in rows]))
    return np.load(path)


def tabulate(items, looks, model, cache):
    """Every look that concerns `camera` as a table."""
    digest = hashlib.sha256(Path(model).read_bytes())
    for code in (Path(__file__).with_name("drawn.py"), Path(pictures.__file__)):
        digest.update(code.read_bytes())
    backbone = extract.session(model)
    found = digest.copy()
    found.update(str([(name, len(shots)) for name, shots in recordings.sources()]).encode())
    digest.update(f"{len(items)} {DRAWN} {HANDLED}".encode())
    parts = [_kept("camera", digest, cache, lambda: _extra(items, backbone))]
    if recordings.sources():
        parts.append(_kept("recorded", found, cache, lambda: _recorded(backbone)))
    extra = {name: np.concatenate([part[name] for part in parts]) for name in ("item", "kind", "features")}
    index = np.concatenate([looks.item, extra["item"]])
    kind = np.concatenate([looks.variant, extra["kind"]])
    of = lambda tell, none: np.array([tell(items[k]) if k >= 0 else none for k in index])
    shot = np.char.startswith(kind, "game ")
    source = np.char.replace(kind, "game ", "")
    table = SimpleNamespace(
        described=np.sqrt(np.maximum(np.concatenate([looks.whole, extra["features"]]), 0)).astype(np.float32),
        family=np.where(shot, np.char.partition(source, "__")[:, 0], of(family, "drawn")),
        group=of(lambda i: i.group, ""),
        usable=of(lambda i: i.train and not i.reserved, True),
        kind=kind,
    )
    table.usable &= ~((table.family == "facecam") & (table.kind == "handled") & (index >= 0))  # may hold little but the face
    table.filmed = (index >= 0) & ~np.isin(table.family, list(BUDGET))
    table.group[shot] = source[shot]
    drawings = np.flatnonzero((index < 0) & ~shot)
    table.group[drawings] = [f"drawn/{k // 2}" for k in range(len(drawings))]  # a scene and its delivered copy
    return table


def weights(table, mask):
    """Filmed places alike, unfilmed kinds by BUDGET, sources within by the root of their size; half filmed, half not."""
    out = np.zeros(len(mask))
    for name in set(table.family[mask]):
        rows = mask & (table.family == name)
        _, group, size = np.unique(table.group[rows], return_inverse=True, return_counts=True)
        share = 1 / np.sqrt(size[group])
        out[rows] = BUDGET.get(name, OTHER) * share / share.sum()
    for side in (table.filmed, ~table.filmed):
        out[side] /= max(out[side].sum(), 1e-9)
    return out


def fitted(table, mask):
    """A `look.Head` over the mean features of whole pictures."""
    w = weights(table, mask)
    used = w > 0
    return look.fit(table.described[used], table.filmed[used], w[used], strength=STRENGTH)


def left_out(table):
    """(its looks, what may be trained on) of each whole set; games with a face leave with their game."""
    for name in sorted(set(table.family)):
        rows = table.family == name
        out = rows | ((table.family == "facecam") & np.isin(table.group, table.group[rows & ~table.filmed]))
        if name == "webcam":  # its faces stand in the corners of other places
            out |= table.kind == "inset"
        yield rows, table.usable & ~out


def unseen(table):
    """Logit of each look by a head that saw nothing of its whole set."""
    logit = np.full(len(table.filmed), np.nan)
    for rows, used in left_out(table):
        logit[rows] = fitted(table, used).logits(table.described[rows])
    return logit


def reduced(own, other, count=128):
    """Both as `count` principal components of the standardised first."""
    spread = own.std(0)
    center, scale = own.mean(0), 1 / (spread + 0.1 * np.median(spread))
    pca = PCA(count, svd_solver="randomized", iterated_power=1, random_state=0).fit(((own - center) * scale)[::3])
    return pca.transform((own - center) * scale), pca.transform((other - center) * scale)


def areas(table, logit):
    """AUC of each unfilmed family against all filmed looks."""
    filmed = table.usable & table.filmed
    families = sorted(set(table.family[table.usable & ~table.filmed]))
    rows = [filmed | (table.usable & (table.family == name)) for name in families]
    return [roc_auc_score(table.filmed[own], logit[own]) for own in rows]


def other_source(table, folds=5):
    """Logit of each unfilmed look by a head that knows its set but nothing of its source (game map, game, scene)."""
    logit = np.full(len(table.filmed), np.nan)
    groups, index = np.unique(table.group, return_inverse=True)
    fold = (np.random.default_rng(35).permutation(len(groups)) % folds)[index]
    for k in range(folds):
        logit[fold == k] = fitted(table, table.usable & (fold != k)).logits(table.described[fold == k])
    return logit


def calibrated(table, logit):
    """Points of the map: Platt on the left-out logits, then .5 moved to where MISSED of filmed looks fall short."""
    w = weights(table, table.usable)
    slope, offset = evaluate.platt(logit[table.usable], table.filmed[table.usable], w[table.usable])
    rows = table.usable & table.filmed
    order = np.argsort(logit[rows])
    share = np.cumsum(w[rows][order]) / w[rows].sum()
    lowest = float(logit[rows][order][np.searchsorted(share, MISSED)])
    return evaluate.points(slope, max(offset, -slope * lowest)), (slope, offset, -slope * lowest)


def measure(table, logit, near, curve, head):
    """Numbers of the card: by whole set left out, by kind of drawing, and of what is never trained on."""
    score, numbers = evaluate.apply(curve, logit), {"filmed": {}, "unfilmed": {}, "auc": {}, "drawn": {}, "kept": {}, "unfilmed_near": {}, "filmed_near": {}}
    close = evaluate.apply(curve, near)
    mix = weights(table, table.usable)
    numbers["reliability"], numbers["ece"] = evaluate.reliability(score[mix > 0], table.filmed[mix > 0], mix[mix > 0])
    seen_filmed = table.usable & table.filmed
    for name in sorted(set(table.family)):
        rows = table.usable & (table.family == name)
        filmed = bool(table.filmed[rows][0])
        right = (score[rows] >= 0.5) == filmed
        value = evaluate.interval(evaluate.share(right if not filmed else ~right), table.group[rows])
        numbers["filmed" if filmed else "unfilmed"][name] = (*value, int(rows.sum()), len(set(table.group[rows])))
        right = (close[rows] >= 0.5) == filmed
        value = evaluate.interval(evaluate.share(right if not filmed else ~right), table.group[rows])
        numbers["filmed_near" if filmed else "unfilmed_near"][name] = value
        if not filmed:
            both = rows | seen_filmed
            numbers["auc"][name] = evaluate.interval(evaluate.auc(table.filmed[both], logit[both]), table.group[both], rounds=200)
    for kind in drawn.KINDS:
        rows = table.kind == kind
        numbers["drawn"][kind] = (float((score[rows] < 0.5).mean()), int(rows.sum()))
    for kind in TOLD:
        rows = seen_filmed & (table.kind == kind)
        numbers["kept"][f"filmed, {TOLD[kind]}"] = (float((score[rows] < 0.5).mean()), int(rows.sum()))
    shipped = evaluate.apply(curve, head.logits(table.described))
    for name in sorted(set(table.family[~table.usable])):
        rows = ~table.usable & (table.family == name) & (table.kind != "handled")
        numbers["kept"][f"{name}, never trained on"] = (float((shipped[rows] < 0.5).mean()), int(rows.sum()))
    return numbers


def main(items, looks, model, cache):
    """Head, calibration points and numbers of `camera`, its table and the logits of sets left out."""
    table = tabulate(items, looks, model, cache)
    logit, head = unseen(table), fitted(table, table.usable)
    curve, platt = calibrated(table, logit)
    numbers = measure(table, logit, other_source(table), curve, head)
    numbers["platt"], numbers["looks"] = platt, int(table.usable.sum())
    numbers["recorded"] = len(recordings.sources())
    numbers["auc_mean"] = float(np.mean([value[0] for value in numbers["auc"].values()]))
    return head, curve, numbers, table, logit
