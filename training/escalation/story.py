"""What a simulated stream is made of: messages and looks as the classifiers would score them, and what it is at each stage (0 none,
1 watch, 2 concern, 3 danger, 4 threat to life; imminent or not).

Nothing here is drawn from real people's messages; only rates are: how often and together with what the chat model errs on public
chats and on patterns it was not taught (`noise.json`). What is repeated is misread alike each time.
"""

import numpy as np

from signals import D, H, M, S, History

BASE = 1_748_736_000_000  # 2025-06-01
THREAT, INCITE, SELF, URGE, DISTRESS, HARASS, SEXUAL, TOXIC = range(8)
# False scores >= .5 per ordinary message, medians over streams: about the highest that the chat model shows on six public chats
# (`noise.json`); one stream in ten has three times as many.
FALSE = np.array([4e-4, 3e-4, 4e-4, 1e-4, 3e-4, 2e-2, 1e-3, 4e-2])
# What else a message is at .5 or more for when it is so for a label: rude labels err together.
TOGETHER = {THREAT: {HARASS: 0.9, TOXIC: 0.95}, URGE: {HARASS: 0.9, TOXIC: 0.95}, HARASS: {TOXIC: 0.95}, SEXUAL: {TOXIC: 0.95, HARASS: 0.4}}
# What a true message is taken for besides, at most: twice what is counted on patterns that the chat model was not taught.
TAKEN = {
    THREAT: {INCITE: 0.03, SELF: 0.02, URGE: 0.02}, INCITE: {THREAT: 0.02, URGE: 0.02, HARASS: 0.2, TOXIC: 0.3},
    SELF: {DISTRESS: 0.02, URGE: 0.03, THREAT: 0.02}, URGE: {INCITE: 0.06, SELF: 0.02, THREAT: 0.02},
    DISTRESS: {THREAT: 0.02, INCITE: 0.01, SELF: 0.02}, HARASS: {THREAT: 0.01}, TOXIC: {}, SEXUAL: {},
}


class Story:
    def __init__(self, family, seed):
        self.family, self.seed = family, seed
        self.rng = rng = np.random.default_rng([seed, *family.encode()])
        self.start = self.now = BASE + int(rng.integers(0, 60 * D))
        self.live = self.start
        self.rate = float(np.clip(np.exp(rng.normal(-0.7, 1.5)), 0.01, 12))  # messages a second
        self.false = np.minimum(FALSE * np.exp(rng.normal(0, 0.5) + rng.normal(0, 0.7, 8)), 0.2)
        self.copies = rng.beta(0.6, 2.5)  # share of what is misread that is pasted again
        self.confused = rng.uniform(0, 1.5)  # how much one harm is taken for another, of TAKEN
        self.recall = rng.uniform(0.3, 0.9)
        self.pictures = rng.random() < 0.75
        self.eye = rng.uniform(0.3, 0.85)  # share of violent looks that the picture model sees
        self.blink = float(np.exp(rng.normal(-3.7, 0.9)).clip(0, 0.15))  # share of calm looks that it calls violent
        self.every = 20 * S
        self.messages, self.looks, self.notices, self.measures = [], [], [], []
        self.stages = []  # (from, level, imminent)
        self.level = float(rng.integers(40, 200))
        self.text = 0

    # -- time -----------------------------------------------------------------------------------------------------------------
    def stage(self, level, imminent=False, at=None):
        self.stages.append((int(self.now if at is None else at), level, imminent))

    def span(self, minutes, **more):
        """Ordinary chat and pictures go on for some minutes; returns (from, to)."""
        a, b = self.now, self.now + int(minutes * M)
        self.noise(a, b, **{k: v for k, v in more.items() if k in ("factor", "rate")})
        self.film(a, b, **{k: v for k, v in more.items() if k in ("still", "violent", "blink", "motion", "frozen")})
        self.now = b
        return a, b

    def days_on(self, days):
        """The stream ends and begins again later."""
        self.now += int(days * D)
        self.live = self.now

    def times(self, a, b, n):
        return np.sort(self.rng.integers(a, max(b, a + 1), int(n)))

    def poisson(self, a, b, per_minute):
        return self.times(a, b, self.rng.poisson(max(0.0, per_minute) * (b - a) / M))

    # -- what is said ---------------------------------------------------------------------------------------------------------
    def say(self, at, labels, user=None, eur=None, text=None):
        scores = np.zeros(8, np.float32)
        for label, p in labels.items():
            scores[label] = min(0.995, max(0.0, p))
            if p >= 0.5:
                for other, share in TOGETHER.get(label, {}).items():
                    if self.rng.random() < share:
                        scores[other] = max(scores[other], self.weak())
        user = int(self.rng.integers(1 << 40)) if user is None else user
        if text is None:
            self.text += 1
            text = self.text
        self.messages.append((int(at), user, scores, eur is not None, eur or 0.0, text))

    def taken(self, label):
        """Labels that a true message is taken for besides."""
        return {other: self.weak() for other, share in TAKEN[label].items() if self.rng.random() < share * self.confused}

    def again(self, at, since, user, eur=None):
        """A copy of one of the last messages of this story by another person; False if there is none."""
        recent = [m for m in self.messages[-12:] if m[0] >= since]
        if not recent:
            return False
        m = recent[self.rng.integers(len(recent))]
        self.messages.append((int(at), user, m[2], eur is not None, eur or 0.0, m[5]))
        return True

    def strong(self, low=0.5):
        """The score of a message that is what it seems, or none if the classifier misses it."""
        if self.rng.random() > self.recall:
            return 0.0
        return float(np.clip(self.rng.normal(0.78, 0.14), low, 0.99))

    def weak(self):
        return float(0.5 + min(self.rng.exponential(0.09), 0.44))

    def crowd(self, a, b, label, per_minute, voices=None, also=(), paid=0.0, copies=0.1):
        """True messages of one kind, by different people (or by few); some repeat what was just written."""
        for at in self.poisson(a, b, per_minute):
            user = int(self.rng.integers(1 << 40) if voices is None else self.rng.integers(voices))
            eur = float(self.rng.exponential(12) + 1) if self.rng.random() < paid else None
            if self.rng.random() < copies and self.again(at, a, user, eur):
                continue
            p = {**self.taken(label), label: self.strong()}
            for other in also:
                p[other] = self.strong()
            self.say(at, p, user, eur)

    def jokes(self, a, b, label, per_minute, voices=None, spread=1.0, paid=0.0, copies=None):
        """Messages of the same words that are none: they score nearly as high."""
        for at in self.poisson(a, b, per_minute):
            user = int(self.rng.integers(1 << 40) if voices is None else self.rng.integers(voices))
            eur = float(self.rng.exponential(8) + 1) if self.rng.random() < paid else None
            if self.rng.random() < (self.copies if copies is None else copies) and self.again(at, a, user, eur):
                continue
            p = self.weak() if self.rng.random() < 0.7 * spread else self.strong()
            self.say(at, {label: p}, user, eur)

    def noise(self, a, b, factor=None, rate=None):
        """What the classifiers misread of ordinary talk: single texts, and texts that the crowd then pastes."""
        rates = self.false * (1 if factor is None else np.asarray(factor))
        rate = self.rate if rate is None else rate
        for label in range(8):
            n = min(self.rng.poisson(rates[label] * rate * (b - a) / S), 600)
            for at in self.times(a, b, n):
                self.say(at, {label: self.weak() if label < 5 else self.rng.uniform(0.5, 0.95)}, int(self.rng.integers(3000)))
                if label < 5 and self.rng.random() < self.copies:
                    # Pasted within the next minutes by a geometric number of people.
                    m = self.messages[-1]
                    for later in at + np.cumsum(self.rng.exponential(15 * S, min(40, self.rng.geometric(1 - 0.9 * self.copies)))):
                        if later < b:
                            self.messages.append((int(later), int(self.rng.integers(3000)), m[2], False, 0.0, m[5]))

    def gifts(self, a, b, per_minute, eur=8.0, false=1.0):
        """Ordinary money; a few of its messages are taken for requests. Silent gifts matter to no harm signal but by their sum."""
        for at in self.poisson(a, b, per_minute * (0.02 + 10 * self.false[INCITE] * false)):
            p = {INCITE: self.weak()} if self.rng.random() < 0.3 else {DISTRESS: 0.0}
            self.say(at, p, None, float(self.rng.exponential(eur) + 1))

    def asks(self, a, b, per_minute, eur=12.0, urge=0.0):
        """Paid requests for acts that hurt; returns their times."""
        times = self.poisson(a, b, per_minute)
        for at in times:
            label = URGE if self.rng.random() < urge else INCITE
            self.say(at, {**self.taken(label), label: self.strong()}, int(self.rng.integers(60)), float(self.rng.exponential(eur) + 1))
        return times

    # -- what is seen ---------------------------------------------------------------------------------------------------------
    def film(self, a, b, still=False, violent=0.0, blink=None, motion=0.02, frozen=False):
        """Looks from a to b; a scene is misread as a whole, so its share of false looks is drawn anew each time."""
        if not self.pictures or b <= a:
            return
        blink = self.blink if blink is None else blink
        blink = min(0.6, blink * self.rng.gamma(0.5, 2.0))
        n = max(1, (b - a) // self.every)
        for at in a + (np.arange(n) + self.rng.uniform(0.1, 0.9)) * self.every:
            if at < b and frozen and self.looks:
                self.looks.append((int(at), *self.looks[-1][1:4], True))
            elif at < b:
                self.look(at, still, self.rng.random() < violent, blink, motion)

    def look(self, at, still=False, violent=False, blink=0.0, motion=0.02):
        rng = self.rng
        if still:
            m, self.level = rng.uniform(0.001, 0.006), np.clip(self.level + rng.normal(0, 0.7), 0, 255)
        else:
            m = float(np.clip(rng.lognormal(np.log(motion), 0.6), 0.003, 0.5))
            self.level = float(rng.integers(30, 220))
        p = rng.uniform(0.0, 0.4)
        if violent:
            m = max(m, rng.uniform(0.02, 0.15))
            p = rng.uniform(0.5, 0.97) if rng.random() < self.eye else rng.uniform(0.1, 0.5)
        elif rng.random() < blink:
            p = 0.5 + min(rng.exponential(0.12), 0.45)
        self.looks.append((int(at), p, m, self.level, False))

    def answer(self, times, chance=0.7):
        """Acts that follow requests within a minute: violence and bursts in extra looks."""
        if self.pictures:
            for at in times:
                if self.rng.random() < chance:
                    self.look(at + self.rng.integers(3 * S, 45 * S), violent=self.rng.random() < 0.8, motion=0.07)

    def history(self):
        self.messages.sort(key=lambda m: m[0])
        self.looks.sort(key=lambda x: x[0])
        col = lambda rows, i, kind: np.array([r[i] for r in rows], kind)
        return History(
            started=self.live,
            m_t=col(self.messages, 0, np.int64), m_user=col(self.messages, 1, np.int64),
            m_scores=np.stack([m[2] for m in self.messages]) if self.messages else np.zeros((0, 8), np.float32),
            m_paid=col(self.messages, 3, bool), m_eur=col(self.messages, 4, float).round(2),
            m_text=col(self.messages, 5, np.int64),
            l_t=col(self.looks, 0, np.int64), l_violence=col(self.looks, 1, np.float32), l_motion=col(self.looks, 2, np.float32),
            l_level=np.round(col(self.looks, 3, float)), l_same=col(self.looks, 4, bool),
            notices=np.sort(np.array(self.notices, np.int64)), measures=np.sort(np.array(self.measures, np.int64)),
        )
