"""Pictures of games and simulated worlds that `render.py` and `record.py` made on this computer: unfilmed, for `camera`.

Out: sources, named `family__source`, with their JPEGs in order of time. A family is left out as a whole when measured.
"""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("VIGIE_RECORDINGS", Path(__file__).resolve().parents[2] / ".cache/frame/recordings"))
FEWEST = 4  # pictures of a source that is used


def sources():
    """[(family__source, [path])] in a fixed order; empty where nothing was recorded."""
    found = []
    for folder in sorted(FOLDER.glob("*__*")):
        shots = sorted(folder.glob("*.jpg"))
        if len(shots) >= FEWEST:
            found.append((folder.name, shots))
    return found
