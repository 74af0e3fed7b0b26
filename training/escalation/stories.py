"""The families of simulated histories that the escalation model learns from: what happens, and what it is when.

In: a family's name and a seed. Out: `Story` with its `History` and stages. The table of families and stages stands in the card.
"""

import numpy as np

from signals import D, H, M, S
from story import DISTRESS, HARASS, INCITE, SELF, THREAT, TOXIC, URGE, Story


# -- silent families ------------------------------------------------------------------------------------------------------------
def just_chatting(s):
    s.stage(0)
    a, b = s.span(s.rng.uniform(40, 180))
    s.gifts(a, b, s.rng.uniform(0, 1))


def charity_marathon(s):
    """Hours and days of money in bursts, shouting, games; words such as "kill the animals" on gifts."""
    s.stage(0)
    s.rate = max(s.rate, 1.0)
    s.live -= int(s.rng.uniform(2, 150) * H)
    base = s.rng.uniform(0.5, 20)
    for days in np.sort(s.rng.uniform(0, 6, s.rng.integers(0, 4)))[::-1]:
        t = int(s.now - days * D)
        s.gifts(t - 8 * H, t, base * 0.3)
    for _ in range(int(s.rng.integers(6, 14))):
        a, b = s.span(10, factor=[3, 3, 1, 1, 1, 1, 1, 1], blink=min(0.3, s.blink * 2))
        s.gifts(a, b, base * float(s.rng.lognormal(0, 0.8)), 15, 1.5)


def rough_game(s):
    """Kills, insults and "kys" in a game; blood on the screen."""
    s.stage(0)
    s.pictures = s.rng.random() < 0.9
    k = float(np.exp(s.rng.normal(0.7, 0.5)))
    a, b = s.span(s.rng.uniform(40, 150), factor=[2 * k, 2 * k, 1, 2 * k, 2, 2, 1, 2], blink=s.rng.uniform(0.01, 0.15), motion=0.05)
    s.gifts(a, b, s.rng.uniform(0, 1.5))


def boxing_gala(s):
    """Blows within rules, cheering; at a knock-out some worry."""
    s.stage(0)
    s.pictures = True
    s.eye = s.rng.uniform(0.15, 0.6)
    s.span(10)
    for _ in range(int(s.rng.integers(3, 7))):
        s.stage(1)
        a, b = s.span(s.rng.uniform(6, 20), violent=s.rng.uniform(0.2, 0.9), motion=0.06, factor=[4, 10, 1, 1, 2, 1, 1, 1])
        s.gifts(a, b, s.rng.uniform(0, 2))
        if s.rng.random() < 0.4:
            s.jokes(b - M, b, DISTRESS, s.rng.uniform(0.5, 1.5))
        s.stage(1)
        s.span(s.rng.uniform(3, 8), factor=[3, 4, 1, 1, 1, 1, 1, 1])


def sleep_stream(s):
    """Somebody sleeps; chat is calm; now and then one jokes that they are dead."""
    s.stage(0)
    s.pictures = s.rng.random() < 0.9
    s.rate = min(s.rate, 2.0)
    s.live -= int(s.rng.uniform(0, 14) * H)
    for _ in range(int(s.rng.integers(4, 9))):
        a, b = s.span(s.rng.uniform(10, 45), still=s.rng.random() < 0.85)
        s.gifts(a, b, s.rng.uniform(0, 0.4))
        if s.rng.random() < 0.35:
            s.stage(1)
            s.say(s.now, {DISTRESS: s.strong()})
            s.span(4, still=True)
            s.stage(0)


def static_screen(s):
    """A board, a menu, a pause picture: nothing moves, much is said."""
    s.stage(0)
    s.pictures = True
    for _ in range(int(s.rng.integers(3, 8))):
        s.span(s.rng.uniform(3, 30), still=s.rng.random() < 0.7)


def hot_food(s):
    """A dish too hot: calls for help by the hundred, all in fun; the picture moves, no money asks for it."""
    s.stage(0)
    s.rate = max(s.rate, 1.0)
    s.pictures = s.rng.random() < 0.6
    s.span(15)
    s.stage(1)
    for _ in range(int(s.rng.integers(3, 8))):
        a, b = s.span(6, motion=0.03)
        s.jokes(a, b, DISTRESS, float(np.exp(s.rng.normal(0.8, 0.9))), spread=s.rng.uniform(0.5, 1.2))
        s.jokes(a, b, INCITE, float(np.exp(s.rng.normal(0.7, 1.0))))
        s.gifts(a, b, s.rng.uniform(0, 1))


def news(s):
    """A quarrel about politics: a tenth of all messages insults."""
    s.stage(0)
    s.rate = max(s.rate, 0.3)
    s.span(s.rng.uniform(40, 120), factor=[2, 1, 1, 1, 1, 5, 2, 4], blink=s.rng.uniform(0, 0.1))


def quarrel(s):
    """Chat against one of its own: many insults, hardly a threat."""
    s.stage(0)
    s.span(20)
    a, b = s.span(s.rng.uniform(5, 25))
    s.crowd(a, b, HARASS, s.rng.uniform(3, 40), also=(TOXIC,))
    s.jokes(a, b, THREAT, s.rng.uniform(0, 0.15))
    s.span(15)


def friendly_raid(s):
    """Thousands arrive and laugh; one large gift with a joke."""
    s.stage(0)
    s.span(20)
    s.rate = min(12, s.rate * 8)
    a, b = s.span(15)
    s.gifts(a, b, s.rng.uniform(1, 6), 30)
    s.jokes(a, b, INCITE, 0.1, paid=1.0)
    s.span(15)


def mild_dares(s):
    """Paid harmless dares: sing, dance, an onion; a few are taken for more."""
    s.stage(0)
    s.span(15)
    for _ in range(int(s.rng.integers(2, 6))):
        a, b = s.span(10)
        s.jokes(a, b, INCITE, s.rng.uniform(0.02, 0.2), spread=1.4, paid=1.0)
        s.gifts(a, b, 1.0)


def one_voice(s):
    """A single message of distress, urging or threat in a calm chat; or one person who repeats a performed cry."""
    s.stage(0)
    s.span(15)
    for _ in range(int(s.rng.integers(1, 5))):
        s.stage(1)
        label = [DISTRESS, URGE, THREAT][s.rng.integers(3)]
        if s.rng.random() < 0.5:
            s.say(s.now, {label: float(s.rng.uniform(0.6, 0.94))})
            s.span(5)
        else:
            a, b = s.span(5)
            s.jokes(a, b, DISTRESS, s.rng.uniform(0.5, 3), voices=1)
        s.stage(0)
        s.span(12)


def swatting(s):
    """Copied cries for help by many accounts; the picture does not agree, or there is none: a few texts, pasted by the score."""
    s.stage(0)
    s.pictures = s.rng.random() < 0.5
    s.span(15)
    s.stage(1)
    a, b = s.span(s.rng.uniform(3, 12))
    s.crowd(a, b, DISTRESS, float(np.exp(s.rng.normal(2.5, 0.8))), copies=s.rng.uniform(0.85, 0.98))
    s.span(3)


def chants(s):
    """The crowd pastes a song, a slogan, a wall of text; now and then one of these is misread each time."""
    s.stage(0)
    s.rate = max(s.rate, 0.5)
    s.span(15)
    for _ in range(int(s.rng.integers(2, 6))):
        a, b = s.span(s.rng.uniform(2, 8))
        label = [THREAT, SELF, DISTRESS, INCITE, URGE][s.rng.integers(5)]
        if s.rng.random() < 0.5:
            s.jokes(a, b, label, float(np.exp(s.rng.normal(2.0, 1.0))), spread=1.4, copies=0.95)
        s.span(s.rng.uniform(5, 20))


def recovery_group(s):
    """People tell of darker times that are over; help lines; the classifier takes one in ten for an announcement."""
    s.stage(0)
    s.rate = min(s.rate, 1.5)
    for _ in range(int(s.rng.integers(3, 7))):
        a, b = s.span(s.rng.uniform(8, 25))
        s.jokes(a, b, SELF, 60 * s.rate * s.rng.uniform(0.005, 0.04), spread=1.35, copies=0.1)


def misread_tongue(s):
    """A language or a slang that the classifier was not taught: every error several times as often."""
    s.stage(0)
    s.false = np.minimum(s.false * s.rng.uniform(2, 8), 0.2)
    s.copies = max(s.copies, s.rng.uniform(0, 0.5))
    s.span(s.rng.uniform(40, 120))


def carnival(s):
    """Bodies in motion that the picture model takes for a fight, a quarter of an hour long."""
    s.stage(0)
    s.pictures = True
    for _ in range(int(s.rng.integers(3, 8))):
        a, b = s.span(s.rng.uniform(8, 20), blink=s.rng.uniform(0.03, 0.3), motion=0.05)
        s.gifts(a, b, s.rng.uniform(0, 2))


def thriller(s):
    """A film or a game of fear: cries in fun, blood, the dark."""
    s.stage(0)
    for _ in range(int(s.rng.integers(3, 7))):
        a, b = s.span(s.rng.uniform(8, 25), factor=[2, 2, 2, 1, 4, 1, 1, 2], blink=s.rng.uniform(0, 0.1))
        s.jokes(a, b, DISTRESS, float(np.exp(s.rng.normal(-1.0, 0.8))), spread=1.2)


def hung_feed(s):
    """The picture hangs; some joke that he is dead."""
    s.stage(0)
    s.pictures = True
    s.span(20)
    for _ in range(int(s.rng.integers(1, 4))):
        a, b = s.span(s.rng.uniform(2, 12), frozen=True)
        s.jokes(a, b, DISTRESS, s.rng.uniform(0, 0.4), spread=1.2)
        s.span(s.rng.uniform(5, 20))


def money_rain(s):
    """Records of money and joy; a few gifts joke about what he must do."""
    s.stage(0)
    s.rate = max(s.rate, 1.0)
    for _ in range(int(s.rng.integers(4, 9))):
        a, b = s.span(s.rng.uniform(5, 15))
        s.gifts(a, b, float(np.exp(s.rng.normal(2.0, 1.0))), 40)
        s.jokes(a, b, INCITE, s.rng.uniform(0, 0.12), spread=1.35, paid=1.0)


# -- families that must be seen ---------------------------------------------------------------------------------------------------
def weeks(s, days, per_day, every=1.0, eur=8.0):
    """Earlier days with paid acts, quiet days between; the day ends with the stream."""
    for done in range(days):
        a = s.now
        s.stage(2 if done >= 6 and per_day >= 10 else 1)
        t = s.asks(a, a + 3 * H, per_day / 180, eur)
        s.answer(t, 0.5)
        s.stage(1, at=a + 5 * H)
        s.days_on(float(s.rng.uniform(0.8, 1.2) * every + (s.rng.random() < 0.2) * s.rng.uniform(1, 6)))


def acts(s, build=True):
    """Requests grow into a habit: some (watch), many (concern), answered by violence (danger)."""
    a, b = s.span(8)
    t = s.asks(a, b, s.rng.uniform(0.2, 0.4))
    if len(t):
        s.stage(1, at=t[0])
    a, b = s.span(s.rng.uniform(8, 15))
    s.stage(2, at=a + 4 * M)
    t = s.asks(a, b, s.rng.uniform(0.6, 1.5))
    s.answer(t, s.rng.uniform(0.3, 0.7))
    blows = sorted(look[0] for look in s.looks if look[0] >= a and look[1] >= 0.6)
    if len(blows) >= 4:
        s.stage(3, at=max(blows[3], a + 4 * M + 1))
    s.crowd(a, b, INCITE, s.rng.uniform(0.2, 2))
    if not build:
        return
    a, b = s.span(s.rng.uniform(10, 25), violent=s.rng.uniform(0.3, 0.8), motion=0.06)
    s.stage(3, at=a + 4 * M)
    t = s.asks(a, b, s.rng.uniform(1.0, 3.0))
    s.answer(t, s.rng.uniform(0.6, 1.0))
    s.crowd(a, b, INCITE, s.rng.uniform(1, 5))
    s.crowd(a, b, HARASS, s.rng.uniform(0, 3))
    if s.rng.random() < 0.4:
        s.jokes(a, b, DISTRESS, 0.3)


def second_voice(s, label, since, voices=2):
    """When `voices` different people have said it within 2 minutes, as far as it was heard; none if never."""
    said = sorted((m[0], m[1]) for m in s.messages if m[0] >= since and m[2][label] >= 0.5)
    for i, (at, _) in enumerate(said):
        if len({user for t, user in said[: i + 1] if at - t <= 2 * M}) >= voices:
            return at
    return None


def lies_still(s, moved, life=4):
    """A body lies still; after a while voices worry. `life`: what it is once a second voice is heard."""
    quiet = s.rng.uniform(1.0, 6)
    s.span(quiet, still=True)
    first = s.now
    a, b = s.span(s.rng.uniform(3, 8), still=True)
    s.every = 8 * S
    s.crowd(a + 5 * S, b, DISTRESS, s.rng.uniform(2, 25))
    said = [m for m in s.messages if m[0] >= first and m[2][DISTRESS] >= 0.5]
    said.sort(key=lambda m: m[0])
    if said:
        s.stage(2 if moved else 1, at=said[0][0])
    second = second_voice(s, DISTRESS, first)
    if second:
        s.stage(life, at=second)


def paid_violence(s):
    """Weeks of acts for money, then a night of them; sometimes a body that no longer moves."""
    s.pictures = s.rng.random() < 0.85
    s.stage(0)
    days = int(s.rng.integers(0, 25))
    weeks(s, days, s.rng.uniform(2, 20))
    s.stage(min(days, 1))
    s.live = s.now - int(s.rng.uniform(0, 200) * H)
    s.span(15)
    acts(s, build=s.pictures)
    if s.pictures and s.rng.random() < 0.6:
        s.stage(3)
        lies_still(s, True)


def slow_weeks(s):
    """Small pieces, from many accounts, over two months: each day is little."""
    s.stage(0)
    weeks(s, int(s.rng.integers(12, 40)), s.rng.uniform(8, 25), 1.5, 3.0)
    s.live = s.now
    s.stage(1)
    a, b = s.span(20)
    a, b = s.span(60)
    t = s.asks(a, b, s.rng.uniform(0.15, 0.4), 3.0)
    s.answer(t, 0.4)
    if len(t) > 3:
        s.stage(2, at=t[3])


def body_still(s):
    """Somebody collapses or falls asleep and does not wake: voices worry, nothing moves. Without pictures: watch, nobody can tell."""
    s.stage(0)
    s.pictures = s.rng.random() < 0.85
    s.live -= int(s.rng.exponential(20) * H)
    s.span(s.rng.uniform(10, 40))
    moved = s.rng.random() < 0.4
    if moved and s.pictures:
        s.look(s.now, motion=0.12)
    lies_still(s, moved and s.pictures, 4 if s.pictures else 1)


def self_harm(s):
    """Announced by the person or under way; some urge, some beg for help."""
    s.stage(0)
    s.span(s.rng.uniform(10, 40))
    at = s.now
    s.say(at, {SELF: float(s.rng.uniform(0.85, 0.99))}, 1)
    a, b = s.span(s.rng.uniform(3, 8))
    s.crowd(a, b, SELF, s.rng.uniform(0.3, 1.5), voices=1)
    s.stage(2, True, at=at)
    kind = s.rng.integers(3)
    a, b = s.span(s.rng.uniform(4, 10))
    s.crowd(a, b, SELF, s.rng.uniform(0.5, 2), voices=1)
    if kind != 1:
        s.crowd(a, b, URGE, s.rng.uniform(3, 15), also=(HARASS,))
    if kind != 0:
        s.crowd(a, b, DISTRESS, s.rng.uniform(3, 15))
    heard = [t for t in (second_voice(s, URGE, a, 3), second_voice(s, DISTRESS, a)) if t]
    s.stage(4, True, at=min(heard, default=b - M))


def street_attack(s):
    """Sudden violence in the street, shouting, then the picture lies still."""
    s.stage(0)
    s.pictures = True
    s.eye = s.rng.uniform(0.5, 0.9)
    s.span(s.rng.uniform(15, 60))
    s.every = 10 * S
    a, b = s.span(s.rng.uniform(0.5, 2), violent=0.9, motion=0.1)
    s.stage(1, at=a + 20 * S)
    s.crowd(a + 15 * S, b, DISTRESS, s.rng.uniform(6, 30))
    s.stage(3, at=a + 40 * S)
    a, b = s.span(s.rng.uniform(2, 6), still=True)
    s.crowd(a, b, DISTRESS, s.rng.uniform(6, 40))
    s.stage(4, at=a + 45 * S)


def extreme_challenge(s):
    """Drinks or substances against money; worry follows the money; at last a body that lies still."""
    s.stage(0)
    s.span(15)
    a, b = s.span(12)
    t = s.asks(a, b, s.rng.uniform(0.7, 1.5))
    s.crowd(a, b, INCITE, s.rng.uniform(0.5, 4))
    s.stage(1, at=t[0] if len(t) else a)
    s.stage(2, at=a + 6 * M)
    a, b = s.span(10)
    s.asks(a, b, s.rng.uniform(0.7, 2))
    s.crowd(a, b, INCITE, s.rng.uniform(0.5, 4))
    s.crowd(a + 2 * M, b, DISTRESS, s.rng.uniform(1.5, 6))
    s.stage(3, at=second_voice(s, DISTRESS, a + 2 * M) or a + 5 * M)
    if s.pictures:
        lies_still(s, True)


def hate_raid(s):
    """Hundreds of accounts, copied threats and insults at one person, urging."""
    s.stage(0)
    s.span(20)
    a, b = s.span(s.rng.uniform(5, 15))
    k = s.rng.uniform(0.5, 2)
    s.crowd(a, b, HARASS, 40 * k, also=(TOXIC,))
    s.crowd(a, b, THREAT, 10 * k)
    s.crowd(a, b, URGE, 5 * k * s.rng.integers(0, 2), also=(HARASS,))
    s.stage(1, at=a + 10 * S)
    s.stage(2, at=a + 30 * S)
    if s.rng.random() < 0.4:
        a, b = s.span(5)
        s.crowd(a, b, URGE, s.rng.uniform(5, 20))
        s.crowd(a, b, HARASS, 30)
        s.say(a, {SELF: float(s.rng.uniform(0.8, 0.98))}, 1)
        s.crowd(a, b, SELF, 1.0, voices=1)
        s.stage(3, True, at=a + 20 * S)
        s.stage(4, True, at=a + 60 * S)


def menace(s):
    """A threat with place and time, repeated or taken up by others."""
    s.stage(0)
    s.span(20)
    s.say(s.now, {THREAT: float(s.rng.uniform(0.9, 0.99))}, 1)
    s.stage(1, True)
    a, b = s.span(s.rng.uniform(4, 10))
    s.crowd(a, b, THREAT, s.rng.uniform(1.5, 5), voices=4)
    s.stage(2, True, at=second_voice(s, THREAT, a) or a + 2 * M)


def noticed(s):
    """A notice from outside, then acts for money or violence."""
    s.stage(0)
    s.notices.append(int(s.now + s.rng.uniform(0, 20) * M))
    if s.rng.random() < 0.3:
        s.measures.append(int(s.now - s.rng.uniform(1, 40) * D))
    s.stage(1, at=s.notices[0])
    s.span(25)
    a, b = s.span(15)
    t = s.asks(a, b, s.rng.uniform(0.3, 0.8))
    s.answer(t, 0.5)
    if len(t) > 1:
        s.stage(2, at=t[1])


def intrusion(s):
    """People break in on stream: blows that go on, chat cries for help."""
    s.stage(0)
    s.pictures = True
    s.span(s.rng.uniform(15, 40))
    s.every = 10 * S
    a, b = s.span(s.rng.uniform(3, 8), violent=0.85, motion=0.1)
    s.crowd(a + 20 * S, b, DISTRESS, s.rng.uniform(4, 25))
    s.jokes(a, b, THREAT, 0.5)
    s.stage(2, at=a + 30 * S)
    s.stage(3, at=a + 60 * S)
    s.stage(4, at=a + 150 * S)


def faint_unseen(s):
    """No picture, or one that hangs: dozens of people, each in their own words, say that somebody is dying."""
    s.stage(0)
    s.pictures = s.rng.random() < 0.4
    s.rate = max(s.rate, 0.1)
    s.span(s.rng.uniform(15, 40))
    a, b = s.span(s.rng.uniform(4, 9), frozen=True)
    s.crowd(a + (2 * M if s.pictures else 0), b, DISTRESS, s.rng.uniform(15, 60))
    s.stage(1, at=second_voice(s, DISTRESS, a, 4) or b)
    s.stage(2, at=second_voice(s, DISTRESS, a, 10) or b)


def beaten_unpaid(s):
    """No money is told: blows go on for minutes, the chat eggs on, at last it cries for help."""
    s.stage(0)
    s.pictures = True
    s.span(s.rng.uniform(15, 40))
    a, b = s.span(s.rng.uniform(8, 15), violent=s.rng.uniform(0.6, 0.95), motion=0.07)
    s.crowd(a, b, INCITE, s.rng.uniform(1, 6))
    s.stage(1, at=a + 90 * S)
    s.stage(2, at=a + 5 * M)
    if s.rng.random() < 0.7:
        a, b = s.span(s.rng.uniform(3, 7), violent=0.8, motion=0.07)
        s.crowd(a, b, DISTRESS, s.rng.uniform(5, 20))
        s.stage(3, at=second_voice(s, DISTRESS, a, 4) or b)


SILENT = [just_chatting, charity_marathon, rough_game, boxing_gala, sleep_stream, static_screen, hot_food, news, quarrel, friendly_raid,
          mild_dares, one_voice, swatting, chants, recovery_group, misread_tongue, carnival, thriller, hung_feed, money_rain]
HARMFUL = [paid_violence, slow_weeks, body_still, self_harm, street_attack, extreme_challenge, hate_raid, menace, noticed, intrusion,
           faint_unseen, beaten_unpaid]
FAMILIES = {f.__name__: f for f in SILENT + HARMFUL}


def tell(family, seed):
    s = Story(family, seed)
    FAMILIES[family](s)
    s.stages.sort(key=lambda x: x[0])
    s.begin = s.stages[0][0]
    return s


def truth(story, q):
    """(level, imminent) of the story at times q."""
    starts = np.array([x[0] for x in story.stages])
    place = np.clip(np.searchsorted(starts, q, "right") - 1, 0, None)
    return np.array([x[1] for x in story.stages])[place], np.array([x[2] for x in story.stages])[place]


def levels(story, q):
    return truth(story, q)[0]
