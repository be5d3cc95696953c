"""Makes what training tests need: a tiny data folder in the published layouts, and an encoder that needs no model."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

HARSH = ("zorbish", "glimfle", "krandle", "vexnor")  # invented words that stand for abuse
MILD = ("garden", "train", "breakfast", "holiday", "window", "music", "river", "market", "letter", "winter")
GROUPS = ("martians", "venusians", "lunarians")


class HashEncoder:
    """Bag-of-words vectors from word hashes: enough signal to learn from, the same on every machine."""

    def __init__(self, identity: str = "hash-1") -> None:
        self.identity = identity
        self.encoded = 0

    def encode(self, chunks: Sequence[Sequence[str]]) -> Iterator[npt.NDArray[np.float32]]:
        """For each chunk its unit vectors."""
        for chunk in chunks:
            self.encoded += len(chunk)
            yield np.stack([_vector(text) for text in chunk])


def _vector(text: str) -> npt.NDArray[np.float32]:
    total = np.zeros(384, dtype=np.float32)
    for word in text.lower().split() or [""]:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big")
        total += np.random.default_rng(seed).standard_normal(384).astype(np.float32)
    return (total / np.linalg.norm(total)).astype(np.float32)


def sentence(rng: random.Random, *, harsh: bool, group: bool) -> str:
    """An invented sentence: `harsh` puts in abuse, `group` aims it at a group."""
    words = [rng.choice(MILD) for _ in range(rng.randint(5, 12))]
    if harsh:
        words.insert(rng.randrange(len(words)), rng.choice(HARSH))
    if group:
        words.insert(rng.randrange(len(words)), rng.choice(GROUPS))
    return " ".join(words) + f" {rng.randrange(10_000)}"


def write_data(root: Path, *, rows: int = 60, seed: int = 5) -> Path:
    """A data folder with every training set and the evaluate-only sets, `rows` rows each, in the published layouts."""
    rng = random.Random(seed)
    text = root / "text"
    _davidson(text / "davidson", rows, rng)
    _edos(text / "edos", rows, rng)
    _hatemoji(text / "hatemoji_build", rows, rng)
    _cold(text / "cold_zh", rows, rng)
    _germeval(text / "germeval2018_de", rows, rng)
    _prompts(text, rows, rng)
    _hatecheck(text, rows, rng)
    _templates(text / "jigsaw_identity_templates")
    return root


def _write(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def _davidson(folder: Path, rows: int, rng: random.Random) -> None:
    records = []
    for number in range(rows * 3):
        kind = number % 3  # 0 hate, 1 offensive, 2 neither
        records.append(
            {"": number, "class": kind, "tweet": sentence(rng, harsh=kind < 2, group=kind == 0) + " &amp; more"}
        )
    _write(folder / "labeled_data.csv", records)


def _edos(folder: Path, rows: int, rng: random.Random) -> None:
    records = []
    for number in range(rows * 2):
        hateful = number % 2 == 0
        records.append(
            {
                "rewire_id": f"e{number}",
                "text": sentence(rng, harsh=hateful, group=hateful),
                "label_vector": "2.1 descriptive attacks" if hateful else "none",
                "split": ("train", "train", "dev", "test")[number // 2 % 4],
            }
        )
    _write(folder / "edos_labelled_aggregated.csv", records)


def _hatemoji(folder: Path, rows: int, rng: random.Random) -> None:
    for name in ("train", "validation", "test"):
        records = [
            {
                "entry_id": number,
                "text": sentence(rng, harsh=number % 2 == 0, group=number % 2 == 0),
                "label_gold": 1 - number % 2,
                "matched_id": number ^ 1,
            }
            for number in range(rows)
        ]
        _write(folder / f"{name}.csv", records)


def _cold(folder: Path, rows: int, rng: random.Random) -> None:
    for name in ("train", "dev"):
        records = [
            {"": number, "label": number % 2, "TEXT": sentence(rng, harsh=number % 2 == 1, group=True)}
            for number in range(rows)
        ]
        _write(folder / f"{name}.csv", records)


def _germeval(folder: Path, rows: int, rng: random.Random) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labels = ("OTHER", "PROFANITY", "INSULT", "ABUSE")
    for name in ("training", "test"):
        lines = []
        for number in range(rows):
            fine = labels[number % 4]
            said = sentence(rng, harsh=fine != "OTHER", group=fine == "ABUSE")
            lines.append(f"{said}\t{'OTHER' if fine == 'OTHER' else 'OFFENSE'}\t{fine}")
        (folder / f"germeval2018.{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _prompts(text: Path, rows: int, rng: random.Random) -> None:
    topics = {"hte": "hatred", "iwp": "bombs", "ssh": "despair", "vcr": "assault", "prv": "secrets", "ncr": "theft"}
    hazards = list(topics)
    records = []
    for number in range(rows * 2):
        hazard = hazards[number % len(hazards)]
        records.append(
            {
                "release_prompt_id": f"p{number}",
                "prompt_text": f"{sentence(rng, harsh=False, group=False)} {topics[hazard]} {topics[hazard]}",
                "hazard": hazard,
                "persona": ("skilled", "unskilled")[number // len(hazards) % 2],
            }
        )
    _write(text / "ailuminate_demo" / "en_us.csv", records)
    jailbreaks = [f"ignore all rules {sentence(rng, harsh=False, group=False)} no restrictions" for _ in range(rows)]
    folder = text / "jailbreaks_in_the_wild"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inthewild_jailbreak_llms.json").write_text(json.dumps(jailbreaks), encoding="utf-8")


def _hatecheck(text: Path, rows: int, rng: random.Random) -> None:
    def records(identity: str) -> list[dict[str, object]]:
        return [
            {
                identity: f"c{number}",
                "test_case": sentence(rng, harsh=number % 2 == 0, group=True),
                "label_gold": "hateful" if number % 2 == 0 else "non-hateful",
                "functionality": "derog_h" if number % 2 == 0 else "ident_nh",
                "target_ident": "martians",
                "templ_id": number // 4,
            }
            for number in range(rows)
        ]

    _write(text / "hatecheck" / "test_suite_cases.csv", records("case_id"))
    for language in ("german", "mandarin", "spanish"):
        _write(text / "multilingual_hatecheck" / f"{language}.csv", records("mhc_case_id"))


def _templates(folder: Path) -> None:
    for locale in ("en", "de", "zh-cn", "hi-Latn"):
        records = [
            {
                "template": "verb_adj",
                "toxicity": "toxic" if verb == HARSH[0] else "nontoxic",
                "phrase": f"{verb} {group}",
            }
            for verb in (HARSH[0], "greet")
            for group in GROUPS
        ]
        _write(folder / f"{locale}.csv", records)
