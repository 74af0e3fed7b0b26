"""Trains Vigie's frame model from raw data to ONNX: `python training/frame/train.py`.

In: the data folder (VIGIE_DATA, else ../shared/data beside the checkout) and the pinned packages. Out, in models/frame/:
backbone.onnx, look.onnx, README.md (the card) and the entry in models/manifest.toml; and tests/fixtures/frame_parity/.
"""

import hashlib
import json
import os
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import approaches
import backbone
import camera
import card
import down
import evaluate
import extract
import fight
import look
from manifest import update_entry
import parity
import sets
from backbone import POOLED

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("VIGIE_DATA", CHECKOUT / "../shared/data"))
OUT = CHECKOUT / "models/frame"
VERSION = "0.4.0"


def tabulate(items, looks):
    """Looks as a table."""
    of = [items[k] for k in looks.item]
    column = lambda name: np.array([getattr(item, name) for item in of])
    return SimpleNamespace(
        seen=fight.seen(looks.described, looks.whole),
        variant=looks.variant,
        label=column("violent"),
        place=column("place"),
        group=column("group"),
        trust=column("weight"),
        clip=column("clip"),
        alone=looks.count == 1,
        usable=column("train") & ~column("reserved"),
        reserved=column("reserved"),
        folder=np.array([str(item.path.parent.relative_to(DATA)) for item in of]),
    )


def shares(table, rows):
    """Weight of each look of `rows`: both classes alike, places alike within a class, sources alike within a place."""
    weight = np.zeros(len(rows))
    for label in (0, 1):
        for place in set(table.place[rows & (table.label == label)]):
            own = rows & (table.label == label) & (table.place == place)
            _, group, size = np.unique(table.group[own], return_inverse=True, return_counts=True)
            weight[own] = (1 / size[group]) / (1 / size[group]).sum()
        weight[rows & (table.label == label)] /= weight[rows & (table.label == label)].sum()
    return weight


def calibrated(table, fold, mix):
    """(slope, offset) of looks that can move and of single pictures; .5 of the latter is moved up to where few of the
    innocent reach it."""
    told = []
    for alone in (False, True):
        rows = mix & (table.alone == alone)
        slope, offset = evaluate.platt(fold[rows], table.label[rows], shares(table, rows)[rows])
        if alone:
            offset = evaluate.decision(fold, table, rows, slope, offset)
        told.append((slope, offset))
    return told


def measure(table, folds=None):
    """The head, its calibration and every number of the card; `folds` holds the logits of an earlier run."""
    usable, plain = table.usable, table.variant == "plain"
    folds = folds or {"": evaluate.out_of_fold(table, usable)}
    mix = usable & plain & (table.place != "hockey")
    weight = shares(table, mix)
    platt = calibrated(table, folds[""], mix)
    final = lambda logit, rows: np.where(table.alone[rows], logit * platt[1][0] + platt[1][1], logit * platt[0][0] + platt[0][1])
    fold = final(folds[""], slice(None))
    curve = evaluate.points(1.0, 0.0)
    numbers = {"platt": platt, "auc": {}, "auc_unseen_place": {}, "recall": {}, "false": {}, "recall_unseen_place": {}, "false_unseen_place": {}}
    numbers["reliability"], numbers["ece"] = evaluate.reliability(evaluate.apply(curve, fold[mix]), table.label[mix], weight[mix])

    def told(rows, logit, auc, recall, false):
        label, group, hit = table.label[rows], table.group[rows], evaluate.apply(curve, logit) >= 0.5
        place = table.place[rows][0]
        if 0 < label.sum() < len(label):
            numbers[auc][place] = evaluate.interval(evaluate.auc(label, logit), group)
        for name, chosen in ((recall, label == 1), (false, label == 0)):
            if chosen.any():
                value = evaluate.interval(evaluate.share(hit[chosen]), group[chosen])
                numbers[name][place] = (*value, int(chosen.sum()), len(set(group[chosen])))

    for place in sorted(set(table.place)):
        rows = usable & plain & (table.place == place)
        told(rows, fold[rows], "auc", "recall", "false")
        if place not in folds:
            folds[place] = evaluate.left_out(table, usable, place)
        unseen = final(folds[place][rows[table.place == place]], rows)
        told(rows, unseen, "auc_unseen_place", "recall_unseen_place", "false_unseen_place")
    score = evaluate.apply(curve, fold)
    rows = usable & plain & (table.place == "cctv")
    share = lambda label, least: float((score[rows & (table.label == label)] >= least).mean())
    numbers["steps"] = [(least, share(1, least), share(0, least)) for least in (0.5, 0.62, 0.73, 0.78)]
    motion = table.seen[:, 2 * POOLED : 3 * POOLED].sum(1)
    numbers["auc_motion_alone"] = {}
    for place in numbers["auc"]:
        rows = usable & plain & table.clip & (table.place == place)
        if 0 < table.label[rows].sum() < rows.sum():
            measured = evaluate.auc(table.label[rows], motion[rows])
            numbers["auc_motion_alone"][place] = evaluate.interval(measured, table.group[rows])
    for name in ("auc", "auc_unseen_place"):
        mean = float(np.mean([value[0] for value in numbers[name].values()]))
        numbers[{"auc": "auc_mean", "auc_unseen_place": "auc_unseen_mean"}[name]] = mean
    numbers["looks"], numbers["trained"] = len(table.label), int(usable.sum())
    numbers["false_by_folder"] = {}
    for folder in sorted(set(table.folder[usable & plain & (table.label == 0)])):
        rows = usable & plain & (table.label == 0) & (table.folder == folder)
        numbers["false_by_folder"][folder] = (float((evaluate.apply(curve, fold[rows]) >= 0.5).mean()), int(rows.sum()))
    moving = usable & (table.variant == "shaken") & np.isin(table.place, ["innocent", "sports"])
    numbers["false_shaken"] = evaluate.interval(
        evaluate.share(evaluate.apply(curve, fold[moving]) >= 0.5), table.group[moving]
    )
    head = evaluate.fitted(table, usable)
    head.several, head.single = platt
    for name, chosen in (("reserved", table.reserved), ("measured_only", ~table.usable & ~table.reserved)):
        for place in sorted(set(table.place[chosen & plain])):
            for label in (0, 1):
                rows = chosen & plain & (table.place == place) & (table.label == label)
                if rows.any():
                    score = evaluate.apply(curve, head.logits(table.seen[rows], table.alone[rows]))
                    numbers[f"{name}/{place}/{label}"] = (float((score >= 0.5).mean()), float(np.median(score)), int(rows.sum()))
    return head, curve, numbers, folds


def entry(curves):
    """The manifest's entry of this model, as TOML."""
    digest = lambda name: hashlib.sha256((OUT / name).read_bytes()).hexdigest()
    pairs = lambda curve: ", ".join(f"[{x:.6g}, {y:.4g}]" for x, y in curve)
    maps = ", ".join(f"{label} = [{pairs(curve)}]" for label, curve in curves.items())
    return f"""[[model]]
name = "frame"
version = "{VERSION}"
kind = "image"
file = "frame/backbone.onnx"
sha256 = "{digest('backbone.onnx')}"
licence = "Apache-2.0"
card = "frame/README.md"
preprocess = {{ type = "rgb", width = 224, height = 224, fit = "stretch", mean = [127.0, 127.0, 127.0], std = [128.0, 128.0, 128.0] }}
inputs = [ {{ name = "pixels", type = "f32", shape = ["batch", 3, 224, 224] }} ]
outputs = [ {{ name = "features", type = "f32", shape = ["batch", 16960] }} ]
look = {{ file = "frame/look.onnx", sha256 = "{digest('look.onnx')}", frames = 8, views = {{ moving = 6, whole = 2 }}, inputs = [ {{ name = "features", type = "f32", shape = ["batch", 8, 16960] }}, {{ name = "present", type = "f32", shape = ["batch", 8] }} ], outputs = [ {{ name = "scores", type = "f32", shape = ["batch", {len(curves)}], labels = {json.dumps(list(curves))} }} ] }}
calibration = {{ {maps} }}
"""


def write(heads, curves, numbers):
    """The look's graph of all heads, the manifest's entry, the fixture and the card."""
    onnx.save(look.build(heads), OUT / "look.onnx")
    update_entry(tomllib.loads(entry(curves))["model"][0])
    (CHECKOUT / ".cache/frame/numbers.json").write_text(json.dumps(numbers, indent=1))
    parity.write(OUT, CHECKOUT / "tests/fixtures/frame_parity", curves)
    (OUT / "README.md").write_text(card.text(numbers, VERSION))
    approaches.timed(OUT)
    card.draw_reliability(numbers["reliability"], OUT / "reliability.png", "violence", "violence")
    card.draw_reliability(numbers["camera"]["reliability"], OUT / "reliability-camera.png", "camera", "filmed")


def main():
    if not DATA.is_dir():
        raise SystemExit(f"no data folder at {DATA}: set VIGIE_DATA")
    OUT.mkdir(parents=True, exist_ok=True)
    onnx.save(backbone.build(backbone.state_dict(backbone.weight_bytes())), OUT / "backbone.onnx")
    items = sets.items(DATA)
    cache = CHECKOUT / ".cache/frame"
    looks = extract.extract(items, DATA, OUT / "backbone.onnx", cache)
    table = tabulate(items, looks)
    print(f"{len(table.label)} looks of {len(items)} sources; measuring", file=sys.stderr)
    head, curve, numbers, folds = measure(table)
    numbers["approaches"] = approaches.violence(table, looks.whole, folds)
    filmed, filmed_curve, numbers["camera"], *told = camera.main(items, looks, OUT / "backbone.onnx", cache)
    numbers["camera"]["approaches"] = approaches.filmed(*told)
    fallen, fallen_curve, numbers["down"] = down.main(items, looks)
    heads, curves = [head, filmed], {"violence": curve, "camera": filmed_curve}
    if fallen is not None:
        heads.append(fallen)
        curves["person_down"] = fallen_curve
    write(heads, curves, numbers)
    parity.check(OUT, looks, heads)


if __name__ == "__main__":
    main()
