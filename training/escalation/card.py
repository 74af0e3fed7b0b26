"""The card of the escalation model, `models/escalation/README.md`: fixed words around the numbers that training measured."""

from stories import FAMILIES
from signals import COLUMNS

HEAD = """# Escalation model 0.1.0: from a channel's signals to a level

**What it does.** Reads {columns} signals of a channel (the `harm` signals but those without a model yet, and unbroken hours live) and gives
four probabilities: `concern`, `danger`, `threat_to_life`, `imminent`. `[levels]` of the config turns them into a level; the default rules
(`config/rules.toml`) stand beside it and the higher of both decides.

**For** drawing a person's eye to a live stream. **Not for** acting without a person, for judging people, or for streams whose chat and
picture models are others than those whose noise was assumed here.

**By construction**, not by training: raising a signal lowers no output by a single bit; danger <= concern, threat_to_life <= danger,
imminent <= concern for every input. Each signal passes steps between fixed knots, two layers with weights >= 0, and a logistic function
drawn with straight lines; only operations that rounding leaves monotone. It reads no share and no count of messages, so a joking crowd
talks nothing down. A signal without a value is its lowest, in training too. 101 kB; `imminent` is the weakest output, hardly measured.

**Data.** All simulated; nobody's words or pictures. `training/escalation/stories.py` plays {families} families of stories (minutes to months) as
event processes; the classifiers' noise is drawn for each stream: false scores >= .5 per ordinary message with medians of 4e-4 threat, 3e-4
incitement, 2e-4 self-harm, 3e-4 urging, 5e-4 distress, 2e-2 harassment, 4e-2 toxicity (2 to 10 times what the chat model shows on public
chats), more in games, bouts and news; 40 to 90 % of true messages found; 30 to 85 % of violent looks found, calm looks called violent in
about 2 % (up to 15 %). A quarter of the streams have no pictures. `signals.py` repeats the arithmetic of `src/channel`; `parity.py` holds it
against the Rust code ({parity}). Training: {taught} stories, 40 moments each; thresholds set on
others; the numbers below on {stories} further stories of each family, watched every 10 s over their last 4 hours. *Held out*: the whole family was
never taught. Seeds fixed. One command: `python training/escalation/train.py` (3 minutes, one core).

**What is it when** (the labels; from the project's guide to cases):

| family | stages |
| --- | --- |
"""

STAGES = {
    "just_chatting": "none", "charity_marathon": "none", "rough_game": "none", "news": "none", "quarrel": "none", "friendly_raid": "none",
    "static_screen": "none", "mild_dares": "none", "boxing_gala": "watch while they fight", "sleep_stream": "none; watch after one voice",
    "hot_food": "watch while the crowd cries, no money, the picture moves", "one_voice": "watch after a single message or a repeated cry by one",
    "swatting": "watch: cries by many accounts, the picture does not agree or is none",
    "paid_violence": "watch from the first paid request and on later days; concern when they are many (or 6 days of 10 and more); danger at the "
                     "fourth look at violence in answer; threat to life when a body then lies still and a second voice worries (a first: concern)",
    "slow_weeks": "watch over weeks of few requests a day; concern from the fourth request of the last day",
    "body_still": "watch (after strong motion concern) at the first voice; threat to life at the second; without pictures watch",
    "self_harm": "concern, imminent, from the announcement; threat to life once 3 urge or 2 beg for help",
    "street_attack": "watch at the blows, danger 40 s later, threat to life when the picture then lies still and the crowd shouts",
    "extreme_challenge": "watch, then concern 6 min after paid dares began; danger at the second worried voice; then as body_still",
    "hate_raid": "concern 30 s after it began; with self-harm announced danger, after a minute threat to life",
    "menace": "watch, imminent, at the threat; concern at the second voice",
    "noticed": "watch from the notice; concern at the second paid request",
    "intrusion": "concern after 30 s of blows and cries, danger after 60 s, threat to life after 150 s",
}

TAIL = """
**Known failures.** Simulated noise is a guess: what real streams do will differ, and the numbers are only as good as the stories. The
model alone is slow on a still body with a few voices and on an intrusion; the rules carry these. It reads threats weakly (games are full of
them): `menace` is the rules' work. Weeks of small sums are found in about half the streams before the session ends. A still picture that is
no person (a pause screen, a board) beside cries in jest looks like a body: with the public chat of a hot dish (28,013 messages in 36 min)
and a made-up picture in which nothing moves, the rules go to threat to life; without a picture, or with one that moves, that chat
is at watch for one second and otherwise at none, and a public news chat (7,459 messages in 1.9 h) is at none with any picture
(`real.py`). Copied cries for help beside a true still picture (swatting a sleeper) cannot be told from real ones here. Raises within a harmful
story that come before its stage ("early") are often seconds early; at paid shows
they come when single answers of violence already stand beside many requests. `person_down`,
`nudity` and `weapon` are not read: no model gives them yet. Nothing was learnt from real incidents.

**Baselines.** Logistic regression on log(1 + signal) of the same rows (signs free, so a worse signal may lower it), and the rules alone; above.
"""


def cell(e, at):
    if f"seen{at}" not in e:
        return "–"
    seen, of = e[f"seen{at}"]
    delay = e[f"delay{at}"]
    return f"{seen}/{of}" + (f" in {delay[0]:.0f} ({delay[1]:.0f}) s" if delay else "")


def rate(values):
    return f"{values[0]:.0f} ({values[1]:.0f}–{values[2]:.0f})"


def render(numbers, pooled, stories, taught, parity="230 stories, 2,760 moments, largest difference 1.8e-7 of max(1, value)"):
    text = HEAD.format(columns=len(COLUMNS), families=len(FAMILIES), stories=stories, taught=taught, parity=parity)
    held = lambda family: " *(held out)*" if numbers[family]["held_out"] else ""
    for family in FAMILIES:
        text += f"| `{family}`{held(family)} | {STAGES[family]} |\n"
    text += f"""
**Silent families**: highest level of {stories} streams (none/watch/concern/danger/threat to life) with model and rules together, and false raises to
`concern` or higher per 1,000 hours of stream (95 % interval by story; these are the hardest hours of such streams, with noise set high).

| family | highest level | both | model | rules | logistic |
| --- | --- | --- | --- | --- | --- |
"""
    for family, e in numbers.items():
        if e["silent"]:
            rates = " | ".join(rate(e[way]["false2"]) for way in ("both", "model", "rules", "logistic"))
            text += f"| `{family}`{held(family)} | {'/'.join(map(str, e['both']['top']))} | {rates} |\n"
    for name, ways in pooled.items():
        for at, level in ((2, "concern"), (3, "danger"), (4, "threat to life")):
            rates = " | ".join(rate(ways[way][at]) for way in ("both", "model", "rules", "logistic"))
            text += f"| all {name}, {ways['hours']} h, `{level}` | | {rates} |\n"
    text += f"""
**Harmful families**: streams in which the level was reached once its stage had begun, of those that had the stage, and seconds from the
stage's begin, median (90th percentile); *early*: of {stories}, streams that reached concern / danger / threat to life before that stage.

| family | concern, both | danger, both | threat to life, both | model alone | rules alone | logistic | early |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for family, e in numbers.items():
        if not e["silent"]:
            alone = lambda way: " · ".join(cell(e[way], at).split(" in")[0] for at in (2, 3, 4))
            early = "/".join(str(e["both"][f"early{at}"]) for at in (2, 3, 4))
            cells = " | ".join(cell(e["both"], at) for at in (2, 3, 4))
            text += f"| `{family}`{held(family)} | {cells} | {alone('model')} | {alone('rules')} | {alone('logistic')} | {early} |\n"
    return text + TAIL
