"""Measures the shipped escalation model and the default rules on stories of their own kind and on streams that neither has seen
(`unseen.py`), and writes the card, `models/escalation/README.md`.

    python training/escalation/measure.py [streams a family]   # 60: about 4 minutes on one core
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import onnxruntime as ort

import card
import report
import stories
import unseen


def main(streams=60):
    session = ort.InferenceSession(str(report.ROOT / "models/escalation/escalation.onnx"))
    own = report.measure(session, stories, range(30_000, 30_000 + streams // 2))
    print(report.table(own[0]), report.summary(own[1]), sep="\n")
    new = report.measure(session, unseen, range(700_000, 700_000 + streams))
    print(report.table(new[0]), report.summary(new[1]), sep="\n")
    (report.ROOT / "models/escalation/README.md").write_text(card.render(own, new, streams), encoding="utf-8")


if __name__ == "__main__":
    main(*[int(a) for a in sys.argv[1:]])
