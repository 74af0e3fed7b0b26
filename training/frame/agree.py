"""Holds the daemon's path from files to scores against the training's, on looks of real material: `python
training/frame/agree.py [looks a set]`, after `cargo build` and `cargo build --example moving`.

In: $VIGIE_DATA (default ../shared/data beside the checkout), the built binaries ($CARGO_TARGET_DIR, else target/) and the
shipped graphs. `vigie score frames` reads stills and clips; Pillow and NumPy read the same stills, the JPEGs that the same
ffmpeg makes of the same clips and, for some looks, the clips without JPEG in between, as the training saw them. Out, for
each label: the largest, 99th percentile and mean absolute difference of the calibrated scores, how many looks fall on the
other side of .5, the looks that differ most; and how often the square of the moving part lies elsewhere.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

import extract
import look
import moving
import parity
import pictures

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("VIGIE_DATA", CHECKOUT / "../shared/data"))
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "debug"
CLIPS = {"fight_clips": ["fight_clips"], "cctv_vioperu": ["cctv_vioperu"], "games": ["not_camera", "game_facecam"]}
STILLS = {"violence_images": ["violence_images"], "sports_images": ["sports_images"]}
SEED = 40
FPS = 4  # pictures a second that `vigie score frames` takes from a clip
PLAIN = 6  # one look of a clip in so many is judged without JPEG too
WORST = 5  # looks told for each label


def scoring(paths, ffmpeg, out):
    """The built binary as it scores the files, one line a look into `out`."""
    command = [BUILT / "vigie", "score", "frames", "-c", CHECKOUT / "config/vigie.toml", *paths]
    return subprocess.Popen(command, env={**os.environ, "VIGIE_FFMPEG": ffmpeg}, stdout=out)


def scored(lines):
    """{path: [scores of each look]} of what the binary told."""
    found = {}
    for told in map(json.loads, lines):
        found.setdefault(Path(told["path"]), []).append(told["scores"])
    return found


def squares(looks):
    """[n,4]: where the daemon's code finds that things move, of looks given as paths of JPEGs."""
    text = "".join(json.dumps([str(path) for path in paths]) + "\n" for paths in looks)
    done = subprocess.run([BUILT / "examples/moving"], input=text.encode(), stdout=subprocess.PIPE, check=True)
    return np.array([json.loads(line) for line in done.stdout.splitlines()])


def delivered(path, folder, ffmpeg):
    """The JPEGs that `vigie score frames` has ffmpeg make of a clip, in order."""
    folder.mkdir()
    command = [ffmpeg, "-v", "error", "-nostdin", "-i", path, "-an", "-vf", f"fps={FPS},scale='min(640,iw)':-2"]
    subprocess.run([*command, "-f", "image2", "-c:v", "mjpeg", "-q:v", "3", folder / "%06d.jpg"], check=True)
    return sorted(folder.glob("*.jpg"))


class Judge:
    """The training's path from pictures to calibrated scores, by the shipped graphs."""

    def __init__(self):
        manifest = tomllib.loads((CHECKOUT / "models/manifest.toml").read_text())
        entry = next(model for model in manifest["model"] if model["name"] == "frame")
        self.labels = entry["look"]["outputs"][0]["labels"]
        self.curves = [np.array(entry["calibration"][label]) for label in self.labels]
        self.backbone = extract.session(CHECKOUT / "models" / entry["file"])
        self.head = extract.session(CHECKOUT / "models" / entry["look"]["file"])

    def scores(self, seen):
        features, present = extract.rows(self.backbone, seen)
        raw = self.head.run(None, {"features": features[None], "present": present[None]})[0][0].astype(float)
        return [np.interp(value, curve[:, 0], curve[:, 1]) for value, curve in zip(raw, self.curves)]


def chosen(each, ffmpeg, folder):
    """(file, number of the look in it, its JPEGs) of `each` looks of each set, files in seeded order."""
    for name, roots in (CLIPS | STILLS).items():
        files = sorted(path for root in roots for path in (DATA / root).rglob("*.mp4" if name in CLIPS else "*.jpg"))
        left = each
        for index in np.random.default_rng(SEED).permutation(len(files)):
            path = files[index]
            shown = delivered(path, folder / f"{name}-{index}", ffmpeg) if name in CLIPS else [path]
            for k, at in enumerate(range(0, len(shown), look.FRAMES)[:left]):
                yield path, k, shown[at : at + look.FRAMES]
                left -= 1
            if not left:
                break


def tell(title, looks, labels, ours, theirs):
    """The differences of the scores, and where they are largest."""
    print(f"{title}: {len(looks)} looks")
    for column, label in enumerate(labels):
        a, b = ours[:, column], theirs[:, column]
        gap = np.abs(a - b)
        over, across = (gap > parity.TOLERANCE["scores"]).sum(), ((a >= 0.5) != (b >= 0.5)).sum()
        print(f"  {label}: max {gap.max():.4f}, 99th percentile {np.quantile(gap, 0.99):.4f}, mean {gap.mean():.5f}; "
              f"{over} beyond {parity.TOLERANCE['scores']}, {across} on the other side of .5")  # fmt: skip
        for k in np.argsort(-gap)[:WORST]:
            print(f"    {looks[k][0].relative_to(DATA)} look {looks[k][1]}: {b[k]:.4f}, in training {a[k]:.4f}")


def plain(looks, judge):
    """The scores of looks of clips as the training decodes them; looks of one file follow one another."""
    before, out = None, []
    pictures.RATE = FPS
    for path, k, _ in looks:
        if path != before:
            before, decoded = path, pictures.clip_pictures(path)
        out.append(judge.scores(decoded[look.FRAMES * k : look.FRAMES * (k + 1)]))
    return np.array(out)


def main(each=200):
    ffmpeg, judge = imageio_ffmpeg.get_ffmpeg_exe(), Judge()
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "scores", "w+") as out:
        looks = list(chosen(each, ffmpeg, Path(folder)))
        running = scoring(dict.fromkeys(path for path, *_ in looks), ffmpeg, out)
        ours, parts = [], []
        for *_, shown in looks:
            seen = [Image.open(path).convert("RGB") for path in shown]
            ours.append(judge.scores(seen))
            parts.append(moving.part(seen))
        if running.wait() != 0:
            raise SystemExit("vigie score frames failed")
        out.seek(0)
        found = scored(out)
        theirs = np.array([[found[path][k][label] for label in judge.labels] for path, k, _ in looks])
        apart = np.abs(np.array(parts) - squares([shown for *_, shown in looks])).max(1)
    tell("the same JPEGs", looks, judge.labels, np.array(ours), theirs)
    several = np.array([len(shown) > 1 for *_, shown in looks])
    print(f"  square: max {apart.max():.4f}, mean {apart[several].mean():.5f} of {several.sum()} looks of several pictures, "
          f"{(apart > parity.TOLERANCE['part']).sum()} beyond {parity.TOLERANCE['part']}")  # fmt: skip
    for k in np.argsort(-apart)[:WORST]:
        print(f"    {looks[k][0].relative_to(DATA)} look {looks[k][1]}: its square lies {apart[k]:.4f} elsewhere")
    some = [k for k, (path, *_) in enumerate(looks) if path.suffix == ".mp4"][::PLAIN]
    clips = [looks[k] for k in some]
    tell("clips without JPEG in between", clips, judge.labels, plain(clips, judge), theirs[some])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
