"""Writes one model's entry into `models/manifest.toml` and keeps the others: `update_entry(dict)`.

Reads with the standard library's `tomllib`, writes with the few lines below: strings, numbers, booleans, lists and inline tables are
all that the manifest holds.
"""

import json
import tomllib
from pathlib import Path

MANIFEST = Path(__file__).resolve().parent.parent / "models/manifest.toml"
HEAD = "# The models that vigie runs. Written by training/manifest.py; the scripts in training/ make each entry.\nschema = 1\n"


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    raise TypeError(f"{type(value).__name__} has no place in the manifest")


def _key(key):
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def update_entry(entry, path=MANIFEST):
    """Puts `entry` in place of the model of the same name, or at the end; returns the path."""
    path = Path(path)
    models = tomllib.loads(path.read_text(encoding="utf-8")).get("model", []) if path.exists() else []
    names = [m["name"] for m in models]
    if entry["name"] in names:
        models[names.index(entry["name"])] = entry
    else:
        models.append(entry)
    parts = [HEAD]
    for model in models:
        parts.append("\n[[model]]\n" + "".join(f"{_key(k)} = {_value(v)}\n" for k, v in model.items()))
    content = "".join(parts)
    assert tomllib.loads(content)["model"] == json.loads(json.dumps(models))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path
