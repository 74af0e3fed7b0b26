"""The end of a training: the card's measured part, the files that ship, the fixture that holds Rust to them."""

import json
import random
import time
from pathlib import Path

import numpy as np

import cascade
import corpus
import encoder
import evasions
import export
import graph
import hand
import manifest
import measure
import middle
import net
import report
import second
import text
import train
from corpus import LABELS
from data import DANGER
from scatter import scatter

ROOT = Path(__file__).resolve().parent.parent.parent
CARD = ROOT / "models/chat/README.md"


def context(settings, paid=None):
    out = np.zeros((len(settings), 6), np.float32)
    for i, name in enumerate(settings):
        out[i, 1 + train.SETTINGS.index(name)] = 1
        out[i, 0] = float(paid[i]) if paid is not None else 0
    return out


def hidden(model, log):
    """Macro-F1 over held-out authors, as written and under each evasion."""
    rows = [r for r in model.run.rows if r["source"] == "hand" and r["split"] == "test"]
    y, mask, _ = train.arrays(rows)
    c = context([r["setting"] for r in rows], [r["paid"] for r in rows])
    texts = [r["text"] for r in rows]
    out = ["| held-out authors | macro-F1 | lost |", "| --- | --- | --- |"]
    plain = None
    for name in [None, *evasions.EVASIONS]:
        p, _ = model.scores(texts if name is None else evasions.hide(name, texts), c)
        said, true, known = p >= 0.5, y >= 0.5, mask > 0
        value = measure.macro(said, true, known)
        plain = value if plain is None else plain
        lo, hi = measure.interval(lambda k: measure.macro(said[k], true[k], known[k]), len(rows))
        out.append(f"| {name or 'as written'} | {measure.shown(value, lo, hi)} | {plain - value:.2f} |")
        log(out[-1])
    return out


def pairs(model):
    rows = hand.pairs()
    p, _ = model.scores([r["text"] for r in rows], context([r["setting"] for r in rows]))
    kind, lang = np.array([r["kind"] for r in rows]), np.array([r["lang"] for r in rows])
    cols = [LABELS.index(label) for label in [*DANGER, "self_harm_urging"]]
    raised, threat = (p[:, cols] >= 0.5).any(1), p[:, LABELS.index("threat")] >= 0.5
    out = ["| pairs | fr | en |", "| --- | --- | --- |"]
    for name, what, said in (("threat without a slur, missed", "threat", ~threat), ("lesson, raised", "lesson", raised), ("quotation, raised", "quotation", raised),
                             ("survivor's account, raised", "survivor", raised)):
        cells = []
        for g in ("fr", "en"):
            t = (kind == what) & (lang == g)
            cells.append(f"{int(said[t].sum())} of {int(t.sum())}")
        out.append(f"| {name} | {' | '.join(cells)} |")
    bad = np.isin(kind, ["lesson", "quotation", "survivor"])
    k, n = int(raised[bad].sum()), int(bad.sum())
    lo, hi = report.wilson(k, n)
    mlo, mhi = report.wilson(int((~threat & (kind == "threat")).sum()), int((kind == "threat").sum()))
    out.append(f"\nThreats missed [{mlo:.2f}, {mhi:.2f}]; lesson, quotation or survivor raised by any of threat, incitement, self_harm, distress, self_harm_urging: {k} of {n} [{lo:.2f}, {hi:.2f}].")
    return out


def card(model, log):
    """Measures and writes the card's measured part, between its two marks."""
    rows, y, mask = model.run.rows, model.run.y, model.run.mask
    z1, zm, z2 = model.z
    p2, free = cascade.apply(z2, model.points, encoder.SOFTEN), model.said(model.z)
    paid_rows = np.flatnonzero(model.run.context[:, 0] > 0)
    log(f"{len(paid_rows)} paid rows are measured as unpaid")
    strange = np.array(["_q_test_" in r.get("family", "") for r in rows])
    out = ["### Messages of held-out authors (never trained or tuned on)", "", *measure.written(rows, free, y, mask, "hand", "test")[0], ""]
    out += ["Strangers among them (twelve authors of a writer who saw nothing of the corpus but the guide):", "", *measure.written(rows, free, y, mask, "hand", "test", strange)[0], ""]
    out += ["All of them, each message counted once, for its highest label:", "", *measure.highest_told(rows, free, y, mask)[0], "", "Strangers alone:", "",
            *measure.highest_told(rows, free, y, mask, strange)[0], ""]
    out += ["### Written families in other words", "", *measure.written(rows, free, y, mask, "corpus", "test")[0], ""]
    out += ["### Patterns not seen, in families that were", "", *measure.written(rows, free, y, mask, "corpus", "pattern")[0], ""]
    out += ["### Real chat", "", *measure.real(rows, free, y, mask)[0], "", *measure.ordinary(rows, free, y, mask)[0], ""]
    out += [*measure.precision_at(rows, free, y, mask), "", *measure.comments(rows, free, y, mask), ""]
    out += ["### Pairs", "", *pairs(model), "", "### Evasions", "", *hidden(model, log), ""]
    out += ["### What is dropped", "", *cascade.told(rows, model.gone(model.z), p2), ""]
    errors, lines = measure.ece(rows, free, y, mask)
    measure.diagram(lines, errors, CARD.parent / "reliability.svg")
    out += ["### Calibration", "", "ECE on the reference mix: " + ", ".join(f"`{k}` {v:.3f}" for k, v in errors.items()) + f"; mean {np.mean(list(errors.values())):.3f}.",
            "", "![Reliability of each label](reliability.svg)", ""]
    alone = cascade.apply(z1, cascade.calibrate(rows, z1, y, mask))
    narrow = cascade.apply(zm[:, :8], cascade.calibrate(rows, zm[:, :8], y, mask, encoder.SOFTEN), encoder.SOFTEN)
    deep = cascade.blended(z1, z2, {label: -weight for label, weight in train.BLEND.items()})
    deep = cascade.apply(deep, cascade.calibrate(rows, deep, y, mask, encoder.SOFTEN), encoder.SOFTEN)
    words = model.run.words()
    tried = {"words and pairs of words, linear": cascade.apply(words, cascade.calibrate(rows, words, y, mask)), "bag of hashed n-grams (the first stage alone)": alone,
             "one narrow layer over pieces, taught by the last stage (the stage between alone)": narrow,
             "layers of the large encoder, fine-tuned (the last stage alone)": deep, "the same with the first stage's word beside it for harassment and toxicity": p2, "all three stages (ships)": free}
    out += ["### Approaches, same data, same calibration", "", *approaches(rows, y, mask, tried, speeds(model, list(tried))), "", "![Throughput against accuracy](approaches.svg)", ""]
    told = "\n".join(out)
    print(told)
    before = CARD.read_text(encoding="utf-8")
    mark = "<!-- measured by train.py -->"
    if before.count(mark) == 2:
        head, _, tail = before.split(mark)
        CARD.write_text(f"{head}{mark}\n\n{told}\n{mark}{tail}", encoding="utf-8")


def speeds(model, names, count=2048, rounds=5):
    """Messages a second of each approach in `approaches`, in its order: graphs alone, one thread, held-out real chat, the best of some rounds, turn by turn."""
    run, folder = model.run, ROOT / "models/chat"
    some = np.flatnonzero(np.isin([r["source"] for r in run.rows], list(measure.NAMES)) & (run.split == "test"))[:count]
    tokens, ids = [run.tokens[i] for i in some], [run.ids[i] for i in some]
    pieces = [model.last.vocabulary.of(t, encoder.LIMIT) for t in tokens]
    free = run.context[some].copy()
    free[:, 0] = 0
    export.write(model.params, folder / "chat.onnx")
    first = export.session(folder / "chat.onnx")
    linear = [v[: train.words_of(t, v)] for v, t in zip(ids, tokens)]
    table = np.zeros((train.BUCKETS, 8), np.float32)
    first_gone, gone = (g[some] for g in model.gone(model.z))

    def of(session, keep):
        return second.read(session, [p for p, k in zip(pieces, keep) if k], free[keep])

    every = np.ones(len(some), bool)
    what = [lambda: [table[v].sum(0) for v in linear], lambda: export.read(first, ids, free), lambda: of(model.between.session, every), lambda: of(model.last.session, every),
            lambda: (export.read(first, ids, free), of(model.last.session, every)),
            lambda: (export.read(first, ids, free), of(model.between.session, ~first_gone), of(model.last.session, ~gone))]
    best = [np.inf] * len(what)
    for _ in range(rounds):
        for k, do in enumerate(what):
            began = time.perf_counter()
            do()
            best[k] = min(best[k], time.perf_counter() - began)
    return dict(zip(names, (len(some) / b for b in best)))


def approaches(rows, y, mask, scores, rates):
    """The table, and the same as a picture."""
    out = ["| approach | held-out authors, macro-F1: fr | en | news: toxicity, harassment F1 | French groups | ordinary chat raised by a danger label | messages/s, graphs alone, one core |",
           "| --- | --- | --- | --- | --- | --- | --- |"]
    points = []
    for name, p in scores.items():
        _, by_lang = measure.written(rows, p, y, mask, "hand", "test")
        _, chat = measure.real(rows, p, y, mask)
        _, wrong = measure.ordinary(rows, p, y, mask)
        cell = lambda s: f"{chat['toxicity', s]:.2f}, {chat['harassment', s]:.2f}"
        out.append(f"| {name} | {by_lang['fr']:.2f} | {by_lang['en']:.2f} | {cell('youtube_live_news')} | {cell('cyberaggression_fr')} | {1000 * wrong:.2f} per 1,000 | {rates[name]:,.0f} |")
        points.append((name, rates[name], (by_lang["fr"] + by_lang["en"]) / 2, chat["toxicity", "youtube_live_news"], chat["toxicity", "cyberaggression_fr"]))
    scatter(points, ["held-out authors, macro-F1", "news stream, toxicity F1", "French groups, toxicity F1"], "messages", CARD.parent / "approaches.svg")
    return out


def ship(model, log):
    run, stage = model.run, model.last
    folder = ROOT / "models/chat"
    first, between_file, last_file = folder / "chat.onnx", folder / "between.onnx", folder / "last.onnx"
    free = run.context.copy()
    free[:, 0] = 0
    export.write(model.params, first)
    export.check(first, model.params, run.ids, free, model.z[0])
    (folder / "pieces.txt").write_text("\n".join(stage.vocabulary.lines) + "\n", encoding="utf-8")
    rest = np.flatnonzero(run.split != "train")
    cut = [stage.vocabulary.of(run.tokens[i], encoder.LIMIT) for i in rest]
    for file in (between_file, last_file):
        graph.check(file, cut, free[rest])
    extra = {"second": train.stage_entry(between_file, model.drop, model.between_points, [*LABELS, middle.AGAIN]),
             "third": train.stage_entry(last_file, model.between_drop, model.points, blend={label: weight / encoder.SOFTEN for label, weight in train.BLEND.items()})}
    manifest.update_entry(train.entry(train.VERSION, first, model.first_points, extra), ROOT / "models/manifest.toml")
    fixture(model, first, ROOT / "tests/fixtures/chat_parity.json")
    sizes = " + ".join(f"{file.stat().st_size / 1e6:.1f}" for file in (first, between_file, last_file))
    log(f"wrote {sizes} MB, {stage.vocabulary.end} pieces")


def fixture(model, first, out, count=1200, scored=200, told=1000):
    """Edge cases and texts of the corpora: ids, pieces, the first stage's scores, and what all stages say."""
    rows = corpus.messages(seed=99, per_pattern=4) + [r for r in hand.messages() if r["split"] == "train"]
    random.Random(4).shuffle(rows)
    texts = export.EDGES + [r["text"] for r in rows[: count - len(export.EDGES)]]
    ids = [text.features(t, train.BUCKETS, 512) for t in texts]
    pieces = [model.last.vocabulary.of(text.tokens(t), encoder.LIMIT) for t in texts]
    digest = lambda values: text._fnv(text._OFFSET, b"".join(int(v).to_bytes(4, "little") for v in values))
    contexts = [[float(k % 3 == 0)] + [float(k % 5 == j) for j in range(5)] for k in range(scored)]
    session, scores = export.session(first), []
    for k in range(scored):
        v = np.array(ids[k], np.int32)
        a = np.zeros((2, next((n for n in net.LENGTHS if n >= len(v)), 512)), np.int32)
        a[:, : len(v)] = v
        scores.append([round(float(x), 6) for x in session.run(["scores"], {"ids": a, "context": np.array([contexts[k]] * 2, np.float32)})[0][0]])
    settings = [train.SETTINGS[k % 5] for k in range(told)]
    paid = [k % 4 == 1 for k in range(told)]
    p, by = model.scores(texts[:told], context(settings, paid))
    dump = lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    lines = [
        '{"buckets": %d, "max": 512, "pieces_max": %d, "columns": ["paid", "real", "game", "sport", "fiction", "unknown"],' % (train.BUCKETS, encoder.LIMIT),
        '"texts": [', ",\n".join(dump([t, len(i), digest(i), text.normalise(t) if len(t) < 300 else None]) for t, i in zip(texts, ids)), "],",
        '"ids": [', ",\n".join(dump([k, ids[k]]) for k in range(45, 65)), "],",
        '"pieces": [', ",\n".join(dump([k, len(v), digest(v)]) for k, v in enumerate(pieces)), "],",
        '"told": [', ",\n".join(dump([k, paid[k], settings[k], int(by[k]), [round(float(x), 5) for x in p[k]]]) for k in range(told)), "],",
        '"scores": [', ",\n".join(dump([k, contexts[k], scores[k]]) for k in range(scored)), "]}",
    ]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
