"""Draws the dashboard's panels from a real Prometheus, as Grafana would: for the documentation, and to look whether every query answers.

    pip install matplotlib
    prometheus --config.file=…               # scrapes a running Vigie
    python monitoring/draw.py http://127.0.0.1:9090 dashboard.png --minutes 8
"""

import argparse
import json
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

INTERVAL = "15s"


def ask(url, path, **what):
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(what)}") as answer:
        return json.load(answer)["data"]["result"]


def name(metric, legend):
    """`legend` as Grafana fills it in, or the labels."""
    if legend and legend != "__auto":
        for key, value in metric.items():
            legend = legend.replace("{{" + key + "}}", value)
        return legend
    return ", ".join(f"{k} {v}" for k, v in metric.items() if k not in ("__name__", "job", "instance")) or "all"


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("prometheus")
    args.add_argument("out")
    args.add_argument("--minutes", type=float, default=10)
    args = args.parse_args()
    panels = json.loads((Path(__file__).parent / "dashboard.json").read_text())["panels"]
    now = time.time()
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)
    figure = plt.figure(figsize=(15, bottom * 0.3))
    empty = []
    for panel in panels:
        at = panel["gridPos"]
        box = [at["x"] / 24 + 0.03, 1 - (at["y"] + at["h"] - 0.6) / bottom, at["w"] / 24 - 0.04, (at["h"] - 2.2) / bottom]
        if panel["type"] == "row":
            figure.text(0.01, 1 - (at["y"] + 0.7) / bottom, panel["title"], fontsize=11, weight="bold")
            continue
        figure.text(box[0], 1 - (at["y"] + 1.0) / bottom, panel["title"], fontsize=9)
        series = []
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", INTERVAL)
            if panel["type"] == "stat":
                series += [(name(s["metric"], target.get("legendFormat")), s["value"][1]) for s in ask(args.prometheus, "query", query=query)]
            else:
                got = ask(args.prometheus, "query_range", query=query, start=now - 60 * args.minutes, end=now, step=2)
                series += [(name(s["metric"], target.get("legendFormat")), s["values"]) for s in got]
        if not series:
            empty.append(panel["title"])
        if panel["type"] == "stat":
            told = series[0][1] if len(series) == 1 else "\n".join(label for label, _ in series)
            figure.text(box[0], box[1], told, fontsize=22 if len(series) == 1 else 8)
            continue
        axis = figure.add_axes(box)
        moved = [(label, values) for label, values in series if any(float(v) for _, v in values if v != "NaN")]
        # Of many lines those that stay at nought are left out.
        for label, values in (moved or series)[:12]:
            axis.plot([(t - now) / 60 for t, _ in values], [float(v) for _, v in values], lw=1, label=label[:34])
        axis.tick_params(labelsize=7)
        axis.grid(color="0.92")
        axis.set_xlim(-args.minutes, 0)
        if series:
            axis.legend(fontsize=6, loc="upper left", frameon=False)
        else:
            axis.text(-args.minutes / 2, 0.5, "no data", fontsize=8, color="0.5", ha="center")
    figure.savefig(args.out, dpi=80)
    print(f"{len(panels)} panels, without an answer: {', '.join(empty) or 'none'}")


if __name__ == "__main__":
    main()
