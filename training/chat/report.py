"""What calibration and the card's tables count with."""

import numpy as np

ORDINARY = ["youtube_live_irl_stream", "youtube_live_news"]
# Highest share of ordinary dev messages that a label may raise; the others are set at their best F1 on real chat.
# Of the dangers that is one of some 28,000 messages each.
BUDGET = {"threat": 5e-5, "incitement": 5e-5, "self_harm": 5e-5, "distress": 5e-5, "self_harm_urging": 1e-3, "sexual_abuse": 2e-3}


def quantise(table, share=0.99995):
    """Rounds the table to int8 with a scale a column; returns the rounded table and the scales."""
    top = np.quantile(np.abs(table), share, axis=0)
    scale = np.maximum(top, 1e-6) / 127.0
    q = np.clip(np.round(table / scale), -127, 127)
    q[0] = 0
    return (q * scale).astype(np.float32), scale.astype(np.float32)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def masks(rows):
    source = np.array([r["source"] for r in rows])
    split = np.array([r["split"] for r in rows])
    lang = np.array([r["lang"] for r in rows])
    return source, split, lang


def best_f1(z, y):
    order = np.argsort(-z)
    hit = np.cumsum(y[order])
    f1 = 2 * hit / (np.arange(1, len(z) + 1) + y.sum())
    return z[order][int(np.argmax(f1))] - 1e-4


def f1(p, y):
    tp = int((p & y).sum())
    precision, recall = tp / max(int(p.sum()), 1), tp / max(int(y.sum()), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def wilson(k, n):
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, k / n
    mid, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (mid - half) / (1 + z * z / n), (mid + half) / (1 + z * z / n)
