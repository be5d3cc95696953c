"""A release of two members with hand-made weights, and labelled rows that it can judge: nothing is trained."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from policies.engine.taxonomy import Category
from tests.training_factory import HARSH, HashEncoder, sentence
from triton_models.contract import LABELS
from triton_models.serving.fuse import Fuser, Stacker
from triton_models.serving.heads import Head, Heads
from triton_models.serving.ngrams import Ngrams, bucket_ids, normalise
from triton_models.training.datasets import Row
from triton_models.training.judge import FloatArray, TextMembers, ZeroShot

TAUGHT = ("hate", "harassment", "prompt_attack")
SOURCES = {"edos": "en", "davidson": "en", "cold_zh": "zh", "germeval2018_de": "de"}


def tiny_members(cache: Path, *, zero_shot: bool = False) -> TextMembers:
    """Towers that see the invented abuse clearly, n-grams that see half of it, and a prompt bank if asked."""
    encoder = HashEncoder()
    direction = next(encoder.encode([HARSH])).sum(axis=0) * 8.0
    towers = Head(
        categories=TAUGHT,
        mean=np.zeros(384, np.float32),
        skip=np.repeat(direction[:, None], len(TAUGHT), axis=1).astype(np.float32),
        bias=np.full(len(TAUGHT), -2.0, np.float32),
        hidden_w=np.zeros((384, 0), np.float32),
        hidden_b=np.zeros(0, np.float32),
        out_w=np.zeros((0, len(TAUGHT)), np.float32),
    )
    buckets = 1 << 12
    weights = np.zeros((buckets, 2), np.float16)
    for word in HARSH[:2]:
        weights[bucket_ids(normalise(word), buckets)] = 1.0
    ngrams = Ngrams(weights=weights, bias=np.full(2, -1.0, np.float32), categories=TAUGHT[:2])
    bank: ZeroShot | None = (lambda vectors: _margins(vectors, direction)) if zero_shot else None
    return TextMembers(heads=Heads(text_head=towers), ngrams=ngrams, encoder=encoder, cache=cache, zero_shot=bank)


def tiny_fuser() -> Fuser:
    """Both members together, and each alone; prompt attacks by the towers only."""
    both = (
        Stacker(("towers", "ngrams"), (1.0, 0.3), -0.5),
        Stacker(("towers",), (1.0,), -0.5),
        Stacker(("ngrams",), (1.0,), 0.0),
    )
    return Fuser(text={"hate": both, "harassment": both, "prompt_attack": both[1:2]}, image={})


def labelled_rows(count: int = 240, *, seed: int = 3) -> list[Row]:
    """Test rows of four sets in three languages, half of them harmful, and prompts, some of them attacks."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        source = tuple(SOURCES)[number // 2 % len(SOURCES)]
        harmful = number % 2
        text = sentence(rng, harsh=bool(harmful), group=True)
        rows.append(Row(f"{source}:{number}", text, SOURCES[source], source, "test", _said(source, harmful)))
    for number in range(count // 4):
        attack = number % 2
        text = sentence(rng, harsh=bool(attack), group=False)
        name = "jailbreaks_in_the_wild" if attack else "ailuminate_demo"
        labels: dict[Category, float] = {"prompt_attack": attack} if attack else {"prompt_attack": 0, "violence": 0}
        rows.append(Row(f"{name}:{number}", text, "en", name, "test", labels))
    return rows


def _said(source: str, harmful: int) -> dict[Category, float]:
    return {"harassment": harmful} if source == "cold_zh" else {"hate": harmful, "harassment": harmful}


def _margins(vectors: FloatArray, direction: FloatArray) -> FloatArray:
    out = np.full((len(vectors), len(LABELS)), np.nan, np.float32)
    out[:, LABELS.index("hate")] = vectors @ (direction / np.linalg.norm(direction))
    return out
