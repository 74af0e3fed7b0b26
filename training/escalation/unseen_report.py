"""Holds the shipped escalation model and the default rules against the streams of `unseen.py` and prints what came of it.

    python training/escalation/unseen_report.py [streams a family]      # 60: about two minutes on one core
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime as ort

import report
import unseen


def main(streams=60, first=500_000):
    session = ort.InferenceSession(str(report.ROOT / "models/escalation/escalation.onnx"))
    nothing = lambda x: np.zeros((len(x), 3))
    numbers, pooled = report.measure(session, nothing, unseen, range(first, first + streams), held=lambda family: True)
    print(report.table(numbers))
    print(report.summary(pooled))


if __name__ == "__main__":
    main(*[int(a) for a in sys.argv[1:]])
