"""Reads the public sets of the data folder into one list of rows; which label of which set means what is TEXT.md's word.

A row: text, y (label -> 0..1; a label that is absent is not known and left out of the loss), setting, paid, lang, source, weight,
split (`train`, `dev`, `test`). Of each real chat the last 30 % by time are `test` and the 10 % before them `dev`: never trained on.
"""

import csv
import gzip
import hashlib
import random
import re
from pathlib import Path

import corpus
import hand
from corpus import LABELS

DANGER = ["threat", "incitement", "self_harm", "distress"]
TALK = {"Just Chatting", "Art", "Pools, Hot Tubs, and Beaches", "Special Events", "Music", "ASMR", "Travel & Outdoors", "Food & Drink",
        "Talk Shows & Podcasts", "I'm Only Sleeping", "Sports", "Fitness & Health"}


# Messages of sets that are taken for ordinary and nobody labelled, but which, read by hand among the highest scores of dev, hold a label or nearly: doubtful. By `hash_of`.
READ = {
    "incitement": [0xCF4865DC, 0x38826B2A, 0x11C4B5BC, 0x930E6E7C, 0x51EECD9A],
    "sexual_abuse": [0x715AB70A, 0xCD95FB9E, 0xC3DD0268, 0xD7E21EBC, 0x85EB44A4, 0x9A18160A, 0x77277632, 0x4F2FE076],
    "self_harm_urging": [0x3D2166B6, 0xFEE2BA46, 0xEF0D8226],
}
DOUBTFUL = {number: label for label, numbers in READ.items() for number in numbers}
# Further spellings of each message that was written one by one.
HAND_FORMS = 2


def table(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def hand_labels(path):
    """Row number -> labels of the contract set by hand."""
    with open(path, encoding="utf-8", newline="") as f:
        return {int(r["row"]): r["labels"].split(",") for r in csv.DictReader(f, delimiter="\t")}


def known(labels):
    """All eight labels, from a list such as ["toxicity", "threat?"]."""
    y = {label: 0.0 for label in LABELS}
    for label in labels:
        if label.endswith("?"):
            y.pop(label[:-1], None)
    for label in labels:
        if not label.endswith("?"):
            y[label] = 1.0
    return y


def zeros(*labels):
    return {label: 0.0 for label in labels}


def clean(text):
    text = re.sub(r"\bNUMBER\b", "12345", text or "")
    return text[:400]


def ordinary_words():
    """Frequent words of both languages, without those that name a danger or an insult."""
    import wordfreq

    bad = re.compile(r"suicid|kill|kys|murder|tue[rzs]?$|buter|rape|viol|hang|pendre|nude|porn|sex|fuck|shit|bitch|pute|con|nazi|help|secours|aide|mort|dead|die")
    both = wordfreq.top_n_list("en", 5000) + wordfreq.top_n_list("fr", 5000)
    return sorted({w for w in both if len(w) > 2 and w.isalpha() and not bad.search(w)})


def hash_of(text):
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).digest(), "little")


def read(root, seed=7):
    root = Path(root)
    rng = random.Random(seed)
    rows = []

    def add(text, y, source, lang="en", setting="unknown", weight=1.0, split="train", paid=None):
        text = clean(text)
        if not text.strip():
            return
        if source in ("normvio_context", "gametox"):
            y.pop(DOUBTFUL.get(hash_of(text)), None)
        if paid is None:
            paid = rng.random() < 0.06
        if setting != "unknown" and split == "train" and rng.random() < 0.35:
            setting = "unknown"
        rows.append({"text": text, "y": y, "setting": setting, "paid": paid, "lang": lang, "source": source, "weight": weight, "split": split})

    def parts(n):
        return ["train" if i < 0.6 * n else "dev" if i < 0.7 * n else "test" for i in range(n)]

    # Real chat labelled by hand, cut by time.
    def by_time(name, path, text, key, lang, settings):
        records = table(root / path)
        labels = hand_labels(root / "labels" / f"{name}.tsv")
        order = sorted(range(len(records)), key=lambda i: key(records[i]))
        for i, split in zip(order, parts(len(order))):
            add(records[i][text], known(labels.get(i, [])), name, lang, settings(records[i]), weight=1.8, split=split, paid=False if split == "test" else None)

    by_time("youtube_live_irl_stream", "chat/youtube_live_irl_stream.csv", "message", lambda r: r["published_at"], "en", lambda r: "real")
    by_time("youtube_live_news", "chat/youtube_live_news.csv", "message", lambda r: r["published_at"], "en", lambda r: "real")
    by_time("twitch_emotes_sentiment", "chat/twitch_emotes_sentiment.csv", "message", lambda r: r["date"], "en",
            lambda r: "real" if r["game"] == "IRL" else "game")

    # Each scenario stands in the file twice and in order of time: its last 30 % are held out in both.
    records = table(root / "text/cyberaggression_fr.csv")
    labels = hand_labels(root / "labels/cyberaggression_fr.tsv")
    groups = {}
    for i, r in enumerate(records):
        groups.setdefault(r["scenario"], []).append(i)
    held, seen = set(), set()
    for numbers in groups.values():
        for i, split in zip(numbers, parts(len(numbers))):
            if split != "train":
                base = re.sub(r"^(Cyber_Aggression_Batch2|majority_vote)_|(_output)$|_$", "", records[i]["scenario"])
                held.add((base.strip("_"), records[i]["NAME"], records[i]["TEXT"]))
    for scenario, numbers in groups.items():
        base = re.sub(r"^(Cyber_Aggression_Batch2|majority_vote)_|(_output)$|_$", "", scenario).strip("_")
        for i, split in zip(numbers, parts(len(numbers))):
            mark = (base, records[i]["NAME"], records[i]["TEXT"])
            if (mark in seen) or (split == "train" and mark in held):
                continue
            seen.add(mark)
            add(records[i]["TEXT"], known(labels.get(i, [])), "cyberaggression_fr", "fr", "real", weight=1.5, split=split, paid=False)

    # French tweets read by hand.
    records = table(root / "text/tweets_slur_keywords_fr_unlabelled.csv.gz")
    numbers = [int(line) for line in (root / "labels/tweets_slur_keywords_fr.rows").read_text().split()]
    labels = hand_labels(root / "labels/tweets_slur_keywords_fr.tsv")
    for i in numbers:
        add(records[i]["text"], known(labels.get(i, [])), "tweets_slur_keywords_fr", "fr", "unknown", 0.8,
            "dev" if i % 11 == 3 else "train")

    # Ordinary chat, by channel: one in ten channels is kept for calibration.
    for r in table(root / "chat/normvio_twitch_context_en.csv.gz"):
        y = known([])
        # Of the others half is trained on, a quarter sets the decision points (what is rare needs many messages), a quarter is only searched for mistakes.
        split = "dev" if int(re.sub(r"\D", "", r["channel"]) or 0) % 10 == 3 or rng.random() < 0.5 else "train"
        if split == "dev" and hash_of(r["text"]) % 2:
            split = "mine"
        if split == "dev":
            y.pop("toxicity")
            y.pop("harassment")
        add(r["text"], y, "normvio_context", "en", "real" if r["category"] in TALK else "game", 0.7, split)
    for r in table(root / "chat/normvio_twitch_moderated_en.csv"):
        hib, sure = int(r["hib"]), {3: 0.95, 2: 0.7}
        if hib in sure:
            add(r["text"], {"harassment": sure[hib], "toxicity": sure[hib]}, "normvio_moderated", "en", "real" if r["category"] in TALK else "game")
        elif hib == 0 and r["discrimination"] == "0" and r["self_destructive"] == "0" and r["nsfw"] == "0":
            add(r["text"], zeros("threat", "incitement", "self_harm", "self_harm_urging", "distress", "harassment"), "normvio_moderated", "en",
                "real" if r["category"] in TALK else "game", 0.6)
    for r in table(root / "chat/twitch_es_en_2023.csv"):
        add(r["text"], known(["toxicity?"]), "twitch_es_en", "en")

    # Games.
    records = table(root / "chat/gametox_world_of_tanks.csv")
    rng.shuffle(records)
    count = {}
    rude = re.compile(r"\b(kill|die|dead|shoot|shot|hang|burn|kys)", re.I)
    urge = re.compile(r"\b(kys|kill (yo)?urself|hang (yo)?urself|neck (yo)?urself)", re.I)
    for r in records:
        kind = r["label"]
        count[kind] = count.get(kind, 0) + 1
        if kind in "02" and (count[kind] <= 7000 or rude.search(r["text"])):
            add(r["text"], known(["toxicity?"] if kind == "2" else []), "gametox", "en", "game", 0.7, "dev" if count[kind] % 12 == 5 else "train")
        elif kind in "02" and count[kind] <= 16000:
            add(r["text"], known(["toxicity?", "harassment?"]), "gametox", "en", "game", 0.7, "dev")
        elif kind in "13" and count[kind] <= 4000:
            y = zeros("threat", "incitement", "self_harm", "distress") | {"toxicity": 0.9}
            if kind == "3":
                y["harassment"] = 0.8
            add(r["text"], y, "gametox", "en", "game", 0.8)
        elif kind == "4":
            y = {"harassment": 1.0, "toxicity": 1.0, "threat": 0.0}
            if urge.search(r["text"]):
                y["self_harm_urging"] = 1.0
            add(r["text"], y, "gametox", "en", "game")
    for name, limit in (("conda_train", 7000), ("conda_valid", 3000)):
        records = table(root / f"text/{name}.csv")
        rng.shuffle(records)
        for r in records[:limit]:
            y = zeros("threat", "incitement", "self_harm", "distress")
            if r["intentClass"] in "OA":
                y |= zeros("toxicity", "harassment", "sexual_abuse", "self_harm_urging")
            elif r["intentClass"] == "E":
                y["toxicity"] = 0.85
                y.pop("threat")
            else:
                continue
            if urge.search(r["utterance"]):
                y["self_harm_urging"] = 1.0
            add(r["utterance"], y, "conda", "en", "game", 0.7, "dev" if name == "conda_valid" else "train")

    # Comments, tweets, posts: small weights, capped.
    def capped(path, limit):
        records = table(root / path)
        rng.shuffle(records)
        return records[:limit]

    for r in capped("text/edos_en.csv", 9000):
        if r["label_category"].startswith("1"):
            add(r["text"], {"threat": 0.65, "toxicity": 1.0, "harassment": 0.9}, "edos")
        elif r["label_sexist"] == "sexist":
            add(r["text"], zeros("threat", "distress", "self_harm") | {"toxicity": 0.85}, "edos", weight=0.4)
        elif rng.random() < 0.4:
            add(r["text"], zeros("threat", "distress", "self_harm"), "edos", weight=0.4)
    # A third of the comments and half of the forum messages are kept for measuring; so are neutral posts beyond those trained on.
    for i, r in enumerate(table(root / "text/jigsaw_en_fr.csv")):
        flag = {k: float(r[k] in ("1", "1.0", "True")) for k in ("toxic", "threat", "insult", "identity_hate")}
        y = {"toxicity": flag["toxic"], "threat": 0.9 * flag["threat"], "distress": 0.0}
        if flag["insult"] or flag["identity_hate"]:
            y["harassment"] = 0.9
        for lang in ("en", "fr"):
            if i % 3 == 1:
                add(r[f"text_{lang}"], {"toxicity": flag["toxic"]}, f"comments_{lang}", lang, split="test", paid=False)
            else:
                add(r[f"text_{lang}"], dict(y), "jigsaw_en_fr", lang)
    for i, r in enumerate(table(root / "text/toxifrench_500.csv")):
        kept = i % 2 == 1
        add(r["text"], {"toxicity": float(r["toxic"])}, "forum_fr" if kept else "toxifrench_500", "fr", split="test" if kept else "train", paid=False)
    for lang in ("fr", "en"):
        for r in capped(f"text/mlma_{lang}.csv", 3000):
            kinds = set(r["sentiment"].split("_"))
            if kinds == {"normal"}:
                add(r["tweet"], zeros("threat", "distress", "self_harm") | {"toxicity": 0.15}, f"mlma_{lang}", lang, weight=0.5)
            elif kinds <= {"abusive", "hateful", "offensive"}:
                add(r["tweet"], {"toxicity": 0.75}, f"mlma_{lang}", lang, weight=0.4)
    for r in capped("text/davidson_en.csv", 6000):
        if r["class"] == "2":
            add(r["tweet"], {"toxicity": 0.05, "harassment": 0.0, "distress": 0.0}, "davidson", weight=0.5)
        elif r["class"] == "0":
            add(r["tweet"], {"toxicity": 0.95, "harassment": 0.8}, "davidson", weight=0.6)
        elif rng.random() < 0.4:
            add(r["tweet"], {"toxicity": 0.7, "distress": 0.0, "self_harm": 0.0}, "davidson", weight=0.3)
    for r in capped("text/suicidal_intention_en.csv", 3500):
        if r["intention"] == "1":
            add(r["tweet"], {"self_harm": 0.65, "incitement": 0.0}, "suicidal_intention", weight=0.35)
        else:
            add(r["tweet"], zeros("self_harm", "threat", "distress", "self_harm_urging"), "suicidal_intention", weight=0.6)
    for r in table(root / "text/sdcnl_reddit_en.csv"):
        if r["is_suicide"] == "1":
            add(r["title"], {"self_harm": 0.6}, "sdcnl", weight=0.3)
    for r in table(root / "text/hatecheck_en.csv"):
        kind = r["functionality"]
        if kind.startswith("threat"):
            y = {"threat": 0.95, "harassment": 1.0, "toxicity": 1.0}
        elif kind.startswith("counter") or kind in ("ident_pos_nh", "ident_neutral_nh", "profanity_nh", "target_obj_nh"):
            y = known(["toxicity?"] if kind.startswith("counter") else [])
        elif kind.endswith("_h"):
            y = {"harassment": 0.9, "toxicity": 1.0}
        else:
            continue
        add(r["test_case"], y, "hatecheck_en", weight=0.5)
    for r in table(root / "text/xlmt_sentiment_fr.csv"):
        if r["sentiment"] != "negative" and rng.random() < 0.15:
            add(r["text"], {"toxicity": 0.0}, "comments_fr", "fr", split="test", paid=False)
            continue
        add(r["text"], known([]) if r["sentiment"] != "negative" else known(["toxicity?", "harassment?"]), "xlmt_fr", "fr", weight=0.8,
            split="dev" if rng.random() < 0.15 else "train")
    for r in table(root / "text/ftr_racism_fr.csv"):
        if r["label"] == "0":
            add(r["text"], zeros(*DANGER, "self_harm_urging") | {"toxicity": 0.1}, "ftr_fr", "fr", weight=0.8)
    menace = re.compile(r"\b(hang|hung|shoot|shot|kill|rope|execut|exterminat|death|bullet|firing squad|gallows|behead)", re.I)
    politics = re.compile(r"\b(biden|trump|traitors?|gitmo|treason|democrats?|hillary|obama|fauci)\b", re.I)
    count = {}
    for r in capped("text/threatgram_telegram_en.csv.gz", 10747):
        level = r["threat_level"]
        count[level] = count.get(level, 0) + 1
        text = politics.sub(lambda m: m.group(0) if rng.random() < 0.3 else rng.choice(["he", "she", "they", "that guy", ""]), r["text"])
        if level == "2" and menace.search(text):
            add(text, {"threat": 0.8, "distress": 0.0, "incitement": 0.0}, "threatgram", weight=0.5)
        elif level in "01" and count[level] <= 2000:
            add(text, zeros("threat", "distress", "incitement", "self_harm"), "threatgram", weight=0.5)
    for r in capped("text/gab_hate_corpus_en.csv.gz", 4500):
        if r["cv"] == "1":
            add(r["text"], {"threat": 0.6, "toxicity": 0.95, "distress": 0.0}, "gab", weight=0.5)
        elif r["hd"] == "1" or r["vo"] == "1":
            add(r["text"], {"toxicity": 0.85, "distress": 0.0} | ({"harassment": 0.75} if r["hd"] == "1" else {}), "gab", weight=0.4)
        else:
            add(r["text"], zeros("threat", "distress", "self_harm", "incitement") | {"toxicity": 0.1}, "gab", weight=0.4)
    for i, r in enumerate(capped("text/cad_reddit_en.csv.gz", 4000)):
        kinds = r["labels"]
        if "PersonDirected" in kinds:
            add(r["text"], {"harassment": 0.85, "toxicity": 0.9}, "cad", weight=0.5)
        elif "Directed" in kinds:
            add(r["text"], {"toxicity": 0.75}, "cad", weight=0.4)
        elif kinds == "Neutral" and i % 8 == 5:
            add(r["text"], {"toxicity": 0.0}, "comments_en", split="test", paid=False)
        elif kinds == "Neutral":
            add(r["text"], {"harassment": 0.0, "toxicity": 0.05, "threat": 0.0}, "cad", weight=0.4)
    for r in capped("text/olid_en.csv.gz", 7000):
        if r["subtask_a"] == "NOT":
            add(r["text"], {"toxicity": 0.05, "harassment": 0.0}, "olid", weight=0.5)
        elif r["subtask_b"] != "UNT":
            add(r["text"], {"toxicity": 0.75} | ({"harassment": 0.7} if r["subtask_c"] == "IND" else {}), "olid", weight=0.5)
    for r in capped("text/hatexplain_en.csv.gz", 2500):
        if r["label"] != "normal":
            add(r["text"], {"toxicity": 0.95 if r["label"] == "hate" else 0.65}, "hatexplain", weight=0.25)
    for r in table(root / "text/dynahate_sample_en.csv"):
        add(r["text"], {"toxicity": 0.95 if r["label"] in ("1", "hate") else 0.1}, "dynahate", weight=0.35)
    for r in capped("text/toxic_spans_en.csv.gz", 2000):
        add(r["text"], {"toxicity": 0.85}, "toxic_spans", weight=0.35)
    for r in table(root / "text/convabuse_en.csv"):
        mean = float(r["abuse_mean"])
        if int(float(r["sex_harassment"] or 0)) >= 2:
            add(r["text"], {"sexual_abuse": 1.0, "toxicity": 0.9}, "convabuse")
        elif mean <= -1:
            add(r["text"], {"toxicity": 0.95, "harassment": 0.9}, "convabuse")
        elif mean >= 1:
            add(r["text"], known([]), "convabuse")
    for r in capped("text/formspring_bullying_en.csv.gz", 12617):
        votes = r["bully_votes"]
        if votes in "23":
            p = 0.8 if votes == "3" else 0.5
            add(r["text"], {"harassment": p, "toxicity": p}, "formspring", weight=0.5)
        elif votes == "0" and rng.random() < 0.3:
            add(r["text"], zeros("threat", "incitement", "self_harm", "distress", "harassment"), "formspring", weight=0.6)
    for r in capped("text/disaster_tweets_en.csv", 3500):
        add(r["text"], zeros("distress", "incitement", "self_harm") | (zeros("threat") if r["target"] == "0" else {}), "disaster_tweets", weight=0.6)
    for r in capped("text/crisislex26_events.csv.gz", 3000):
        if "hilipinnes" not in r["event"]:
            add(r["text"], zeros(*DANGER), "crisislex", weight=0.4)
    for r in table(root / "text/trecis_crisis_en.csv.gz"):
        if "SearchAndRescue" in r["categories"] and r["event"].startswith("philipinnesFloods"):
            add(r["text"], {"distress": 0.8}, "trecis")
        elif r["priority"] != "Critical" and rng.random() < 0.3:
            add(r["text"], zeros(*DANGER), "trecis", weight=0.4)

    # The corpus written for this model.
    for r in corpus.messages():
        y = known(r["yes"] + [d + "?" for d in r["doubt"]])
        rows.append({"text": r["text"], "y": y, "setting": r["setting"], "paid": r["paid"], "lang": r["lang"], "source": "corpus",
                     "weight": 1.0, "split": r["split"], "family": r["family"]})
    # What many imagined authors wrote one by one; a train message also as others would type it.
    for r in hand.messages():
        y = known(r["labels"])
        forms = [r["text"]]
        if r["split"] == "train":
            forms += [corpus.typed(r["text"], r["lang"], rng) for _ in range(HAND_FORMS)]
        for k, form in enumerate(dict.fromkeys(forms)):
            rows.append({"text": clean(form), "y": dict(y), "setting": "unknown" if k and rng.random() < 0.35 else r["setting"],
                         "paid": r["paid"] if k == 0 else rng.random() < (0.6 if r["paid"] else 0.15), "lang": r["lang"], "source": "hand",
                         "weight": 1.5, "split": r["split"], "family": r["author"], "of": r["text"]})
    # Ordinary words alone or in loose heaps: a word is no danger by itself.
    words = ordinary_words()
    for _ in range(9000):
        heap = " ".join(rng.choice(words) for _ in range(rng.choice([1, 1, 1, 1, 2, 2, 3])))
        heap = rng.choice([heap, heap, heap.upper(), heap.capitalize(), heap + rng.choice([" lol", "!", " ?", " 😂"])])
        add(heap, zeros(*DANGER, "self_harm_urging", "sexual_abuse"), "words", weight=0.7, setting=rng.choice(["real", "real", "game", "unknown"]))
    # Nor is a thing that the corpus names, or a price: "chili", "the belt", "50 balles".
    things = {"PRICE", "LANCER", "SUBST", "BOUFFE", "ARME", "DRINK", "EAT", "POUR", "NOM", "QUI", "HIM", "WHO", "MOYEN", "CIBLE"}
    for family in corpus.families():
        for name in sorted(things & set(family["slots"])):
            for _ in range(8):
                thing = corpus.typed(corpus.expand("$" + name, family["slots"], rng), family["lang"], rng)
                if rng.random() < 0.4:
                    thing = rng.choice(thing.split())
                add(thing, zeros(*DANGER, "self_harm_urging"), "things", family["lang"], rng.choice(["real", "real", "game", "unknown"]))
    for text in ("", " ", "?", "!", "...", "😂", "💀", "😭", "12", "€"):
        for _ in range(10):
            add(text + ".", known([]), "empty", "en", rng.choice(["real", "game", "unknown"]))
    return rows


if __name__ == "__main__":
    import os
    from collections import Counter

    rows = read(os.environ.get("VIGIE_DATA", "../shared/data"))
    print(len(rows), Counter(r["split"] for r in rows))
    for label in LABELS:
        print(label, Counter((r["split"], "1" if r["y"][label] >= 0.5 else "0") for r in rows if label in r["y"]))
    print(Counter(r["source"] for r in rows))
