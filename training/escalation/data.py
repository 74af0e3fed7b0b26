"""Rows for training and for measuring: signals of many stories at chosen times, with what the story is then."""

import numpy as np

from signals import H, M, S, signals
from stories import FAMILIES, tell, truth


def moments(story, rng, n=40):
    """Times to learn from: all over the last hours, soon after harm, and around each stage's begin."""
    a, b = max(story.stages[0][0], story.now - 4 * H), story.now
    picks = [rng.integers(a, b, n // 2)]
    harm = np.array([m[0] for m in story.messages if m[0] > a])
    if len(harm):
        picks.append(rng.choice(harm, n // 4) + rng.integers(1, 20 * S, n // 4))
    begins = np.array([x[0] for x in story.stages[1:] if x[0] > a])
    if len(begins):
        picks.append(rng.choice(begins, n // 4) + rng.integers(-30 * S, 90 * S, n // 4))
    if story.start < a:
        picks.append(rng.integers(story.start, a, n // 8))
    return np.sort(np.clip(np.concatenate(picks), story.start, b))


def rows(families, seeds):
    """(signals, level, imminent, family index, story index), stacked."""
    out, names = [], list(FAMILIES)
    for family in families:
        for seed in seeds:
            story = tell(family, seed)
            q = moments(story, np.random.default_rng([seed, 7]))
            level, imminent = truth(story, q)
            k = np.full(len(q), names.index(family))
            out.append((signals(story.history(), q), level, imminent, k, np.full(len(q), seed)))
    return [np.concatenate(column) for column in zip(*out)]


def watched(world, family, seed, step=10 * S, hours=4):
    """A story's last hours, looked at every `step`: (times, signals, level). `world`: the module that tells it."""
    story = world.tell(family, seed)
    q = np.arange(max(story.begin, story.now - hours * H) + S, story.now, step)
    h = story.history()
    parts = [signals(h, part) for part in np.array_split(q, max(1, len(q) // 300))]
    return q, np.concatenate(parts), world.levels(story, q)
