"""Where things move in a look: the same as `src/model/moving.rs`, step by step, for the training.

In: the PIL pictures of a look, in order of time. Out: the square in which most of the change lies, as fractions
(left, top, right, bottom), or the whole picture where nothing moves.
"""

import numpy as np
from PIL import Image

COLUMNS, ROWS = 96, 54
TURN, CAPPED, TURN_COST = 3, 30, 0.02
NOISE, LEAST = 2.0, 1e-3
ROUNDS, REACH, SHORTEST = 4, 2.2, 0.3
WHOLE = (0.0, 0.0, 1.0, 1.0)


def grey(picture):
    """uint8 [54,96], BT.601 luma in 16-bit fixed point of the stretched picture."""
    rgb = np.asarray(picture.convert("RGB").resize((COLUMNS, ROWS), Image.BILINEAR), np.uint32)
    return ((rgb @ np.array([19595, 38470, 7471], np.uint32) + 32768) >> 16).astype(np.uint8)


def _both(a, b, dx, dy):
    """The parts that both show when the second is moved by (dx, dy)."""
    h, w = a.shape
    return (
        a[max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)],
        b[max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)],
    )


def turn(a, b):
    """(dx, dy), the move of the whole picture that explains most of the change."""
    a, b = a.astype(np.int16), b.astype(np.int16)
    best, found = np.inf, (0, 0)
    for dy in range(-TURN, TURN + 1):
        for dx in range(-TURN, TURN + 1):
            first, second = _both(a, b, dx, dy)
            change = np.minimum(np.abs(first - second), CAPPED)
            cost = int(change.sum()) / change.size + TURN_COST * (abs(dx) + abs(dy))
            if cost < best:
                best, found = cost, (dx, dy)
    return found


def changes(greys):
    """float64 [54,96]: mean absolute change between consecutive pictures, the camera's turns undone."""
    total = np.zeros((ROWS, COLUMNS))
    for a, b in zip(greys, greys[1:]):
        dx, dy = turn(a, b)
        first, second = _both(a.astype(np.int16), b.astype(np.int16), dx, dy)
        target, _ = _both(total, total, dx, dy)
        target += np.abs(first - second)
    return total / max(len(greys) - 1, 1)


def blurred(grid):
    """Two passes of the binomial filter of five points along each axis; the border is repeated."""
    for _ in range(2):
        for axis in (1, 0):
            wide = np.pad(grid, [(2, 2) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
            n = grid.shape[axis]
            part = [wide.take(range(k, k + n), axis) for k in range(5)]
            grid = (part[0] + 4.0 * part[1] + 6.0 * part[2] + 4.0 * part[3] + part[4]) / 16.0
    return grid


def part(pictures):
    """The square, in pixels, in which things move."""
    greys = [grey(p) for p in pictures]
    return square(greys, pictures[0].height / pictures[0].width)


def square(greys, aspect):
    """`part` of grey pictures, uint8 [54,96] each, of pictures whose height is `aspect` times their width."""
    grid = blurred(changes(greys))
    change = np.maximum(grid - 2.0 * np.median(grid) - NOISE, 0.0)
    if change.sum() < LEAST * COLUMNS * ROWS:
        return WHOLE
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    px, py = (column + 0.5) / COLUMNS, (row + 0.5) / ROWS * aspect
    weights = change
    for _ in range(ROUNDS):
        total = weights.sum()
        x, y = (weights * px).sum() / total, (weights * py).sum() / total
        away = (px - x) ** 2 + (py - y) ** 2
        spread = np.sqrt((weights * away).sum() / total / 2.0)
        weights = change * np.exp(-away / (2.0 * max(1.6 * spread, 0.08) ** 2))
    shorter = min(aspect, 1.0)
    side = min(max(2.0 * REACH * spread, SHORTEST * shorter), shorter)
    left = min(max(x - side / 2.0, 0.0), 1.0 - side)
    top = min(max(y - side / 2.0, 0.0), aspect - side)
    return left, top / aspect, left + side, (top + side) / aspect


def spread(count):
    """Which of `count` pictures are seen closely: all, or six spread evenly."""
    return [k * (count - 1) // 5 for k in range(6)] if count > 6 else list(range(count))
