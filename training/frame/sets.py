"""The data sets of the frame model: which file is what, from which source, and what it may be used for.

In: the data folder. Out: `Item`s. `group` is the source by which data is split (a source video, an incident, a
sport, a game); `place` is the kind of place, the unit of leave-one-set-out; items with `train = False` only measure.
`down` says whether somebody lies fallen (1), or sits, sleeps or stands (0), where the material tells.
"""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

# Stills of `violence_images` that show a bout under the rules of a sport (seen one by one): not violence here.
BOUTS = {"frame100", "frame300", "frame350", "frame450", "frame500", "frame550", "frame600", "v759", "v765"}
# Stills of ice-hockey fights under other names: they belong to the hockey set.
HOCKEY_STEMS = {"fi007", "fi017", "fi181", "fi199"}
# Stills cut from the CCTV set of `fight_clips`, whose other clips are kept for measuring: never trained on.
CCTV_STEMS = {"FDSD_fight", "fi009"}
HOCKEY_STILLS = 150  # of 1,187 near-duplicates
# Never trained on, so that tests/recordings/compose.py can cut looks that the model has not seen.
RESERVED = {f"cctv/source-{n}" for n in (22, 31, 48, 59, 67)} | {"mixed/rlvs_V_21"}
RESERVED |= {"webcam/face_d12", "webcam/face_d19", "webcam/two_men_laptop"}
RESERVED_FACES = ("face_d12", "face_d19")


@dataclass(frozen=True)
class Item:
    path: Path
    violent: int  # 1 or 0
    place: str
    group: str
    clip: bool
    train: bool = True
    box: tuple = None  # fractions of the picture that hold the fight, for stills
    weight: float = 1.0  # trust in the label
    down: int = None
    start: float = None  # the look of a clip begins here, seconds; negative: before its end

    @property
    def reserved(self):
        """Kept for the composed recordings."""
        return self.group in RESERVED or self.path.stem.endswith(RESERVED_FACES)


def _clips(root, folder, violent, place, group=None, train=lambda path: True):
    for path in sorted((root / folder).glob("*.mp4")):
        yield Item(path, violent, place, f"{place}/{group(path) if group else path.stem}", True, train(path))


def _stills(root, folder, place, train=lambda path: True, group=None):
    for path in sorted((root / folder).glob("*.jpg")):
        yield Item(path, 0, place, f"{place}/{group or path.stem}", False, train(path))


def _run(path):
    """Incident of a VioPeru clip: its town and a run of eight numbers, shared by fights and calm."""
    town, number = path.stem.split("_")
    return f"{town}-{int(number) // 8}"


def _violence_images(root):
    boxes = defaultdict(list)
    with open(root / "violence_images/boxes.csv", newline="") as file:
        for row in csv.DictReader(file):
            corners = tuple(float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
            boxes[row["image"]].append((row["label"], corners))
    hockey = 0
    for image, found in sorted(boxes.items()):
        stem = re.sub(r"[_-]?(frame)?\d+\.jpg$", "", image)
        fights = [c for label, c in found if label == "fighting"]
        violent, place, train, weight = int(bool(fights)), "stills", True, 0.7
        if stem == "hockey_fight" or stem in HOCKEY_STEMS:
            hockey += 1
            if stem == "hockey_fight" and hockey % (1187 // HOCKEY_STILLS):
                continue
            place = "hockey"
        elif stem in CCTV_STEMS:
            place, train = "cctv", False
        elif stem in BOUTS:
            violent, place = 0, "sports"
        elif not violent:
            weight = 0.5  # many `normal` boxes stand in videos of fights
        box = None
        if fights and violent:
            box = (min(c[0] for c in fights), min(c[1] for c in fights), max(c[2] for c in fights), max(c[3] for c in fights))
        group = "bouts" if stem in BOUTS else re.sub(r"^(213d?|zt_0816|zt|no302|no339|nor)$", r"lab-\1", stem)
        yield Item(root / "violence_images/images" / image, violent, place, f"{place}/{group}", False, train, box, weight)


SETTLED = 1.2  # seconds after which who fell lies


def _lying(root):
    """The looks after each acted fall: of GMDCSA24 where its table ends the fall, of UR Fall the last second."""
    with open(root / "falls_gmdcsa24/segments.csv", newline="") as file:
        for row in csv.DictReader(file):
            fall = re.search(r"Fall(?:ing)? \(\w+\)\[([\d.]+) to ([\d.]+)\]", row["classes_with_times"])
            path = root / "falls_gmdcsa24" / row["clip"]
            if fall and "on the bed" not in row["description"]:
                group = f"falls/gmdcsa-{path.stem[:2]}"
                yield Item(path, 0, "falls", group, True, down=1, start=float(fall[1]) + SETTLED)
    for path in sorted((root / "falls_urfd/fall").glob("*.mp4")):
        yield Item(path, 0, "falls", "falls/urfd", True, False, down=1, start=-1.0)


def _told(item):
    """The item with what its folder tells of somebody lying fallen."""
    kind = "/".join(item.path.parts[-3:-1])
    if item.down is not None or item.violent or kind in ("falls_gmdcsa24/fall", "falls_urfd/fall"):
        return item
    if kind == "fallen_stills/fallen":
        return replace(item, down=1)
    known = item.place in ("innocent", "webcam", "falls", "mixed", "cctv", "sports", "games")
    return replace(item, down=0) if known else item


def items(root):
    """Every picture source of the data folder that concerns `violence`, in a fixed order."""
    with open(root / "fight_clips/sources.csv", newline="") as file:
        source = {row["clip"]: row["source_video"] for row in csv.DictReader(file)}
    by_source = lambda path: source[path.stem]
    own_terms = lambda path: "openpose" not in path.name  # that clip's licence excludes commercial use
    found = []
    found += _clips(root, "fight_clips/fight", 1, "cctv", by_source)
    found += _clips(root, "fight_clips/calm", 0, "cctv", by_source)
    found += _clips(root, "cctv_vioperu/fight", 1, "street_cctv", _run)
    for folder in ("calm", "false_alarm"):
        found += _clips(root, f"cctv_vioperu/{folder}", 0, "street_cctv", _run)
    found += _clips(root, "crowds_violent_flows/violence", 1, "crowds")
    found += _clips(root, "crowds_violent_flows/calm", 0, "crowds")
    found += _clips(root, "hockey_fights/fight", 1, "hockey")
    found += _clips(root, "hockey_fights/calm", 0, "hockey")
    found += _clips(root, "fight_clips_mixed/violence", 1, "mixed")
    found += _clips(root, "fight_clips_mixed/calm", 0, "mixed", train=own_terms)
    found += _violence_images(root)
    for sport in sorted(p.name for p in (root / "sports_images").iterdir()):
        found += _stills(root, f"sports_images/{sport}", "sports", group=sport)
    for kind in ("hugging", "dancing", "sleeping"):
        found += _stills(root, f"innocent_stills/{kind}", "innocent")
    found += _clips(root, "webcam_calm", 0, "webcam")
    for folder in ("adl", "fall"):
        found += _clips(root, f"falls_gmdcsa24/{folder}", 0, "falls", lambda path: "gmdcsa-" + path.stem[:2])
    found += _lying(root)
    found += _clips(root, "falls_urfd/fall", 0, "falls", lambda path: "urfd", train=lambda path: False)
    for folder in ("fallen", "not_fallen"):  # UR Fall is CC BY-NC-SA: measured, not trained on
        found += _stills(root, f"fallen_stills/{folder}", "falls", train=lambda path: not path.name.startswith("urfd"))
    game = lambda path: re.sub(r"_\d+(__.*)?$", "", path.stem).removeprefix("openarena_")
    for folder in ("openarena", "atari", "extreme_tux_racer", "animation"):
        found += _clips(root, f"not_camera/{folder}", 0, "games", game)
    found += _clips(root, "game_facecam", 0, "games", game)
    return [_told(item) for item in found]
