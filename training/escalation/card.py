"""The card of the escalation model, `models/escalation/README.md`: fixed words around the numbers that `measure.py` found."""

import report
import stories
import train
import unseen
from net import PAIRS, STEPS
from signals import COLUMNS

HEAD = """# Escalation model 0.2.0: from a channel's signals to a level

**What it does.** Reads {columns} signals of a channel (the `harm` signals but those without a model yet, and unbroken hours live) and gives
four probabilities: `concern`, `danger`, `threat_to_life`, `imminent`. `[levels]` of the config turns them into a level; the default rules
(`config/rules.toml`) stand beside it and the higher of both decides. On the streams below the rules decide
nearly everything: thresholds set for silence leave the model a third of the cases at `concern` and few at `danger`.

**For** drawing a person's eye to a live stream. **Not for** acting without a person, for judging people, or for streams whose chat and
picture models are others than those whose noise was assumed here.

**By construction**, not by training: raising a signal lowers no output by a single bit; danger <= concern, threat_to_life <= danger,
imminent <= concern for every input. Each signal passes {steps} steps between fixed knots; beside them stand {pairs} conjunctions of two (a body
that lies still *and* voices that worry); sums of both with weights >= 0 pass a logistic function drawn with straight lines; only operations that
rounding leaves monotone. Its training is a convex problem: one answer, no seed. It reads no share and no count of messages, so a joking crowd
talks nothing down. A signal without a value is its lowest, in training too. {size} kB; `imminent` is the weakest output, hardly measured.

**Data.** All simulated; nobody's words or pictures. `training/escalation/stories.py` plays {families} families of stories (minutes to months) as
event processes. Their noise follows what the chat model at hand does on the first 70 % of six public chats and on written patterns it was
not taught (`noise.py` counts, `noise.json` keeps rates and quantiles, no words): false scores >= .5 per ordinary message with medians of
4e-4 threat, 3e-4 incitement, 4e-4 self-harm, 1e-4 urging, 3e-4 distress, 2e-2 harassment, 4e-2 toxicity, a stream's own bias beside; rude labels
err together; one harm is taken for another; what is pasted is misread alike each time. 30 to 90 % of true messages are found; 30 to 85 % of violent
looks; calm looks are called violent scene by scene, in about 2 % (up to 60 % of one scene). A quarter of the streams have no pictures.
`signals.py` repeats the arithmetic of `src/channel`; `parity.py` holds it against the Rust code ({parity}).
Training: {taught} stories, 40 moments each; thresholds set on {kept} others, so that of moments of silent stories 1 in 10,000 is a `concern`.

**Unseen streams.** `unseen.py` is another generator (every message of a crowd is drawn, with a latent score), with other families and seeds, written
before any of its results were looked at. Honest notes: it was run once with the model and rules before this one, and that run, family by family,
told which kinds of noise the old stories lacked (pasted texts, one harm taken for another); its rates of confusion were then replaced by those
that `noise.py` counts, doubled. No rule, knot, story or threshold was changed after a result of the seeds below was seen. **The aim, at most 5
false `concern` per 1,000 hours and 95 % of what must be `danger` caught, is not met there**: 126 and 93.5 %. The model and rules before (0.1.0) on the
same streams: 225 false `concern`, 123 `danger`, 72 threat to life per 1,000 hours; 91.6, 98.4 and 99.7 % caught; the new ones are quieter by a half
to three quarters and lose some paid violence at `danger` (they stay at `concern`). On fresh stories of their own kind false `concern` is 28 (16–40).
"""

LABELS = """
**What is it when** (the labels of the stories that it learns from): a silent family is none, or `watch` while a bout, a hot dish, a single voice
or pasted cries go on. Paid violence: watch from the first request, concern when they are many or of many days, danger at the fourth look at
violence in answer, threat to life when a body then lies still and a second voice worries. A still body: watch at the first voice, threat to
life at the second. Self-harm: concern from the announcement, threat to life once three urge or two beg. A crowd that cries for help unseen:
concern at the tenth voice. Blows: watch, danger with a crowd that cries, threat to life when nothing moves afterwards. In `stories.py` a voice
counts when the simulated chat model heard it; in `unseen.py` when it was said, heard or not.
"""

TAIL = """
**Known failures.** Silent streams that raise in the tables above are mostly of these kinds: harmless paid dares by the hundred in a marathon, of
which the chat model takes one in seven for a request (`paid-acts-answered`, `days-live-and-acts`); people who tell of self-harm that is over (one in
six is taken for an announcement); a language or song whose misread line is pasted by hundreds; jokes and cries in very large chats; rude games. The
first two are matters of the chat model as much as of the rules. Real recordings (one whole marathon, two public chats) stay silent, see `tests/it/replay.rs`.
A still picture that is no person (a pause screen) beside cries in jest looks like a body. Cries for help beside a true
still picture (swatting a sleeper) cannot be told from real ones here. Cries over a feed without pictures are a concern from some fourteen
voices on and no more; fewer stay at watch. Simulated noise is a guess: what real streams do will differ, and the numbers are only as good as
the stories. Raises before a stage ("early") are often seconds early. `person_down`, `nudity` and `weapon` are not read: no model gives them
yet. Nothing was learnt from real incidents. `real.py` runs real public chats through model and rules.

**Made by** `python training/escalation/train.py`, then `measure.py`.
"""


def cell(e, at):
    if f"seen{at}" not in e:
        return "–"
    delay = e[f"delay{at}"]
    return f"{e[f'caught{at}']}/{e[f'seen{at}'][1]}" + (f" in {delay[0]:.0f} ({delay[1]:.0f}) s" if delay else "")


def rate(values):
    return f"{values[0]:.0f} ({values[1]:.0f}–{values[2]:.0f})"


def tables(measured, streams):
    numbers, pooled = measured
    text = f"""
Silent: highest level of {streams} streams (none/watch/concern/danger/threat to life) with model and rules together, and false raises to `concern`
or higher per 1,000 hours (95 % interval by stream; these are the hardest hours of such streams).

| family | highest level | both | model | rules |
| --- | --- | --- | --- | --- |
"""
    for family, e in numbers.items():
        if e["silent"]:
            rates = " | ".join(rate(e[way]["false2"]) for way in ("both", "model", "rules"))
            text += f"| `{family}` | {'/'.join(map(str, e['both']['top']))} | {rates} |\n"
    for at, level in ((2, "concern"), (3, "danger"), (4, "threat to life")):
        rates = " | ".join(f"{pooled[way][at][0]:.1f} ({pooled[way][at][1]:.1f}–{pooled[way][at][2]:.1f})" for way in ("both", "model", "rules"))
        text += f"| all, {pooled['hours']} h, `{level}` | | {rates} |\n"
    text += f"""
Harmful: of the streams that have the stage, those that were at the level at any time since the first sign; seconds from the stage's begin, median
(90th percentile); *early*: of {streams}, streams at concern / danger / threat to life before that stage.

| family | concern, both | danger, both | threat to life, both | model alone | rules alone | early |
| --- | --- | --- | --- | --- | --- | --- |
"""
    for family, e in numbers.items():
        if not e["silent"]:
            alone = lambda way: " · ".join(cell(e[way], at).split(" in")[0] for at in (2, 3, 4))
            early = "/".join(str(e["both"][f"early{at}"]) for at in (2, 3, 4))
            cells = " | ".join(cell(e["both"], at) for at in (2, 3, 4))
            text += f"| `{family}` | {cells} | {alone('model')} | {alone('rules')} | {early} |\n"
    share = lambda way, at: "{} of {}, {:.3f} ({:.3f}–{:.3f})".format(*(c := pooled["caught"][way][at])[:2], c[0] / c[1], *c[2:])
    cells = " | ".join(share("both", at) for at in (2, 3, 4))
    text += f"| **all** | {cells} | | | |\n"
    return text


def render(own, new, streams, parity="162 stories of both generators, 1,944 moments, largest difference 1.8e-7 of max(1, value)"):
    size = (report.ROOT / "models/escalation/escalation.onnx").stat().st_size // 1000
    head = HEAD.format(columns=len(COLUMNS), steps=len(STEPS), pairs=len(PAIRS), families=len(stories.FAMILIES), size=size, parity=parity,
                       taught=train.TAUGHT * len(stories.FAMILIES), kept=train.KEPT * len(stories.FAMILIES))
    text = head + f"\n## Unseen streams\n{tables(new, streams)}\nWhat happens in each family stands in `unseen.py`, beside its name.\n"
    return text + f"\n## Fresh stories of the families that it learnt from\n{tables(own, streams // 2)}{LABELS}{TAIL}"
