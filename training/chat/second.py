"""Makes the second stage: vocabulary, first meanings of its pieces, the large encoder's vectors as lesson, then the labels.

Called by `train.py` with the rows and what the first stage makes of them; run alone it takes that from the last run's store.
"""

import numpy as np

import deep
import frozen
import pieces as pieces_
import report
import teacher
import text

WIDTH = 256
SEED = 3
# One word of the lists in so many is taught alone.
WORDS = 4
# Share of a source's rows that the stage is taught on; the first stage is taught on all.
SHARE = {"words": 0.2, "corpus": 0.35, "gametox": 0.3, "conda": 0.2, "normvio_context": 0.5, "youtube_live_irl_stream": 0.6, "hand": 1.0}
SHARE |= {s: 1.0 for s in ("youtube_live_news", "twitch_emotes_sentiment", "twitch_es_en", "cyberaggression_fr", "tweets_slur_keywords_fr", "jigsaw_en_fr",
                           "toxifrench_500", "convabuse", "normvio_moderated")}
REST = 0.25
WEIGHT = {"hand": 2.0}
# Share of the first stage in what the second says.
FIRST = 0.35
TOP = 40000


def first_meanings(lines, known, log=print):
    """From the large encoder: of each word the mean of its tokens' vectors along their WIDTH main directions (of `##` pieces little noise),
    and its branch of three tokens' width with the projection that leads there."""
    use = teacher.encoder()
    model, tokenizer = use._model, use._tokenizer
    count = len(model.scale)

    def row(ids):
        chunk = np.asarray(ids) % count
        return model.table[ids].astype(np.float32) * model.scale[chunk][:, None] + model.lo[chunk][:, None]

    place = {line: pieces_.FIRST + i for i, line in enumerate(lines)}
    words = [line for line in lines[1:] if not line.startswith("##")]
    full = np.zeros((len(words), teacher.WIDTH), np.float32)
    for k, word in enumerate(words):
        forms = sorted(known.get(word, [(1.0, word)]), reverse=True)[:2]
        forms = [(share, form) for share, form in forms if share >= 0.1 * forms[0][0]]
        for share, form in forms:
            full[k] += share * row(tokenizer.encode(form, add_bos=False, add_eos=False)).mean(0)
        full[k] /= sum(share for share, _ in forms)
    # Rarer words are listed as often as frequent ones: their own directions count as much.
    middle = full.mean(0)
    cov = ((full - middle).T @ (full - middle) / len(full)).astype(np.float64)
    values, vectors = np.linalg.eigh(cov)
    keep = vectors[:, ::-1][:, :WIDTH].astype(np.float32)
    log(f"  first meanings: {values[::-1][:WIDTH].sum() / values.sum():.2f} of the variance kept")
    table = np.zeros((pieces_.FIRST + len(lines), WIDTH), np.float32)
    found = (full - middle) @ keep
    size = np.sqrt((found * found).mean())
    table[[place[w] for w in words]] = found
    noise = np.random.default_rng(SEED).normal(0, 0.3 * size, (len(lines), WIDTH)).astype(np.float32)
    for line, number in place.items():
        if line.startswith("##"):
            table[number] = noise[number - pieces_.FIRST]
    table[pieces_.FIRST] = (row([1])[0] - middle) @ keep
    # The same vectors at unit size; the projection takes it back.
    proj = model.proj_W[:, 256:512]
    return {"table": table / size, "c0": (keep.T @ proj) * size, "d0": middle @ proj + model.proj_b[256:512],
            "ng": model.ln_g_all[256:512].copy(), "nb": model.ln_b_all[256:512].copy(),
            "c1": model.w1[1].copy(), "d1": model.b1[1].copy(), "c2": model.w2[1].copy(), "d2": model.b2[1].copy()}


def soft_labels(rows, x, context, y, mask, weight, train, log=print):
    """What a head on the frozen large encoder (with the first stage's vector) says of every row: logits [rows, 8]."""
    p = frozen.train(x[train], context[train], y[train], mask[train], weight[train], log=log)
    return frozen.predict(p, x, context)


def cut(tokens, vocabulary, epoch, seed=SEED):
    import random

    rng = random.Random(f"{seed}:{epoch}")
    return [vocabulary.of(tok, deep.LIMIT, rng, 0.03) for tok in tokens]


def lesson(tokens, vocabulary, start, vectors, side, epochs, rate=1.5e-3, log=print):
    """Teaches meaning: pieces of all texts against the large encoder's vectors [texts, 512]."""
    params = deep.init(start, side, SEED)
    take = lambda rows: (vectors[rows].astype(np.float32),)
    return deep.fit(params, deep.teach_meaning, lambda e: cut(tokens, vocabulary, e), take, epochs, rate, SEED, slow=0, log=log, parts=200)


def labels(params, tokens, vocabulary, side, context, y, mask, weight, soft, epochs, rate=1.2e-3, trust=0.4, log=print):
    """Fine-tunes on the labels, with what the head on the large encoder says as softer second opinion."""
    said = 1 / (1 + np.exp(-soft))
    target = np.where(mask > 0, (1 - trust) * y + trust * said, said).astype(np.float32)
    heed = np.where(mask > 0, mask, 0.25).astype(np.float32)
    take = lambda rows: (side[rows], context[rows], target[rows], heed[rows], weight[rows], np.zeros((len(rows), 1), np.float32))
    return deep.fit(params, deep.teach_labels, lambda e: cut(tokens, vocabulary, 100 + e), take, epochs, rate, SEED + 1, slow=0, log=log, parts=200)


def predict(params, tokens, vocabulary, side, context):
    whole = [vocabulary.of(tok, deep.LIMIT) for tok in tokens]
    return deep.run(deep.logits, params, whole, side, context)


def joined(p, first, share):
    """The second stage with the first's head beside its own: z is the mean of both, `share` of it the first's. Payment weighs as in the second."""
    deep_rows, side = p["wv"].shape[1], p["w5"].shape[0]
    rest = first["w1"].shape[0]
    wide = np.zeros((deep_rows + rest, first["w1"].shape[1]), np.float32)
    wide[deep_rows:] = first["w1"]
    assert rest == side + 5
    own = 1 - share
    return p | {
        "w1": np.concatenate([p["w1"], wide], 1), "b1": np.concatenate([p["b1"], first["b1"]]),
        "w2": np.concatenate([own * p["w2"], share * first["w2"]]), "w3": own * p["w3"], "w4": own * p["w4"] + share * first["w4"],
        "w5": own * p["w5"] + share * first["w3"], "b": own * p["b"] + share * first["b"],
        "w6": np.concatenate([p["w6"], np.zeros_like(first["w5"])]),
    }


class Second:
    """The second stage of a run: made, exported, and read again for any rows."""

    def __init__(self, run, first, z, s, log, epochs=(1, 2)):
        self.log = log
        rows = run.rows
        # By the text as its author wrote it, so that what is only spelled otherwise points the same way.
        texts = [r.get("of", r["text"]) for r in rows]
        vectors = teacher.Vectors(log)
        vectors.add(texts)
        x = vectors.of(texts)
        lines, known = pieces_.vocabulary([run.tokens[i] for i in run.train], TOP)
        self.vocabulary = pieces_.Pieces(lines)
        raw = {w: max(known[w])[1] for w in lines if w in known}
        vectors.add(raw.values())
        log(f"vocabulary of {len(lines)}, {len(raw)} of them from the word lists")
        start = first_meanings(lines, known, log)

        # A second opinion on the labels.
        scale = np.float16(8)
        both = np.concatenate([x * scale, s.astype(np.float16)], 1)
        heed = run.mask * run.boost
        soft = soft_labels(rows, both, run.context, run.y, heed, run.weight, run.train, log)
        # The opinion that is learnt from is the mean of both models.
        opinion = 0.5 * (soft + z)
        self.opinion = opinion
        # Every row of what the stage is for, a share of the rest.
        rng = np.random.default_rng(SEED)
        pick = run.train[[rng.random() < SHARE.get(rows[i]["source"], REST) for i in run.train]]
        weight = run.weight * np.array([WEIGHT.get(r["source"], 1.0) for r in rows], np.float32)
        log(f"labels: {len(pick)} rows")
        # Meaning: every text once, and words alone.
        once = {}
        for i in pick:
            once.setdefault(rows[i]["text"], i)
        once = np.array(sorted(once.values()))
        words = list(raw)[::WORDS]
        tokens = [run.tokens[i] for i in once] + [[w] for w in words]
        target = np.concatenate([x[once], vectors.of([raw[w] for w in words])])
        log(f"meaning: {len(once)} texts, {len(words)} words")
        params = lesson(tokens, self.vocabulary, start, target, s.shape[1], epochs[0], log=log)

        self.params = labels(params, [run.tokens[i] for i in pick], self.vocabulary, s[pick], run.context[pick], run.y[pick], heed[pick],
                             weight[pick], opinion[pick], epochs[1], log=log)
        self.params = joined(self.params, first, FIRST)
        self.params["table"], self.params["table_scale"] = report.quantise(self.params["table"])

    def read(self, tokens, s, context):
        return predict(self.params, tokens, self.vocabulary, s, context)
