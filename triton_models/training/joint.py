"""Trains the joint head on generated quadruples, and measures whether it reads text and picture together.

Loss of a post: binary cross-entropy over the families' categories, positives weighted so that a quadruple's one harmful
post counts as much as its three harmless ones. Two helpers are trained along and thrown away: the picture's half must
name the concept it shows, the sentence's half the intent it has, which the generator knows exactly. Ordinary posts with
any picture are harmless, so that sentences unlike ours do not alarm. Vectors are noised: few icons, many posts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.serving.joint_fusion import JointHead
from triton_models.training.pairs import Pair
from triton_models.training.pairs.phrases import HELD_OUT_LANGUAGES
from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]

THRESHOLD: Final = 0.5
ORDINARY_WEIGHT: Final = 2.0
"""Of an ordinary post: there are far more of them in the world than in the training data."""
TEXT_SCALE: Final = 8.0
"""A centred e5 vector has entries of about 1/20; times this they are of the size of the scaled image features."""


@dataclass(frozen=True, slots=True)
class JointRecipe:
    """How the head is trained."""

    rank: int = 96
    hidden: int = 96
    epochs: int = 12
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.4
    image_noise: float = 0.5
    text_noise: float = 0.15
    helper_weight: float = 0.5
    seed: int = 20261124


@dataclass(frozen=True, slots=True)
class JointData:
    """Posts as vectors. `image_rows` and `text_rows` point into the tables, since both halves repeat."""

    images: FloatArray  # [I, F] image features
    texts: FloatArray  # [T, D] raw text vectors
    image_rows: npt.NDArray[np.int64]  # [N]
    text_rows: npt.NDArray[np.int64]  # [N]
    labels: FloatArray  # [N, K] 1 or 0
    weights: FloatArray  # [N]
    concepts: npt.NDArray[np.int64]  # [N] what the picture shows; -1: not told
    intents: npt.NDArray[np.int64]  # [N] what the sentence wants; 0 nothing


def fit_joint(
    data: JointData, categories: Sequence[str], recipe: JointRecipe, *, advance: Advance | None = None
) -> JointHead:
    """The head, repeatable for the same data and recipe on the same machine."""
    torch.manual_seed(recipe.seed)
    mean, scale = data.images.mean(axis=0), data.images.std(axis=0) + 1e-3
    centre = data.texts.mean(axis=0)
    images = torch.from_numpy((data.images - mean) / scale)
    texts = torch.from_numpy((data.texts - centre) * TEXT_SCALE)
    net = _Net(images.shape[1], texts.shape[1], len(categories), recipe)
    helpers = nn.ModuleList(nn.Linear(recipe.rank, int(told.max()) + 1) for told in (data.concepts, data.intents))
    optimiser = torch.optim.AdamW(
        [*net.parameters(), *helpers.parameters()], lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    tensors = {name: torch.from_numpy(getattr(data, name)) for name in JointData.__slots__[2:]}
    count = len(data.labels)
    steps = recipe.epochs * -(-count // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    for _ in range(recipe.epochs):
        order = torch.randperm(count)
        for start in range(0, count, recipe.batch):
            rows = order[start : start + recipe.batch]
            picture, sentence = images[tensors["image_rows"][rows]], texts[tensors["text_rows"][rows]]
            picture = picture + recipe.image_noise * torch.randn_like(picture)
            sentence = sentence + recipe.text_noise * torch.randn_like(sentence)
            loss = _loss(net, helpers, (picture, sentence), {k: v[rows] for k, v in tensors.items()}, recipe)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        if advance is not None:
            advance(1)
    return net.export(tuple(categories), mean, scale, centre)


def joint_data(
    pairs: Sequence[Pair],
    categories: Sequence[str],
    *,
    images: Mapping[str, FloatArray],
    texts: Mapping[str, FloatArray],
    ordinary: Sequence[FloatArray] = (),
    seed: int = 0,
) -> JointData:
    """Arrays for `pairs`: `images` by `<icon>/<style>`, `texts` by sentence; `ordinary` texts meet any picture."""
    image_names, text_names = list(images), list(texts)
    image_at = {name: row for row, name in enumerate(image_names)}
    text_at = {name: row for row, name in enumerate(text_names)}
    concepts = {name: number for number, name in enumerate(sorted({pair.icon.concept for pair in pairs}))}
    intents = {name: number for number, name in enumerate(sorted({pair.family for pair in pairs}), start=1)}
    rng = np.random.default_rng(seed)
    shown = [f"{pair.icon.name}/{pair.style}" for pair in pairs]
    pointing = np.array([intents[p.family] if p.corner in {"11", "01", "T"} else 0 for p in pairs], dtype=np.int64)
    labels = np.array([[float(p.harmful and p.category == name) for name in categories] for p in pairs], np.float32)
    extra = len(ordinary)
    return JointData(
        images=np.stack([images[name] for name in image_names]).astype(np.float32),
        texts=np.stack([*(texts[name] for name in text_names), *ordinary]).astype(np.float32),
        image_rows=np.concatenate(
            ([image_at[name] for name in shown], rng.integers(0, len(image_names), extra))
        ).astype(np.int64),
        text_rows=np.concatenate(([text_at[pair.text] for pair in pairs], len(text_names) + np.arange(extra))).astype(
            np.int64
        ),
        labels=np.concatenate((labels, np.zeros((extra, len(categories)), np.float32))),
        weights=np.concatenate(([_weight(pair) for pair in pairs], np.full(extra, ORDINARY_WEIGHT))).astype(np.float32),
        concepts=np.concatenate(([concepts[p.icon.concept] for p in pairs], np.full(extra, -1))).astype(np.int64),
        intents=np.concatenate((pointing, np.zeros(extra))).astype(np.int64),
    )


def measure_quadruples(pairs: Sequence[Pair], probability: Mapping[str, float]) -> dict[str, Any]:
    """What of the quadruples is right: `probability` by pair id, of the pair's own category.

    `all_four`: the harmful post at or over THRESHOLD and the other three under it. Never an average of single posts:
    saying "harmless" always would be 75 % right.
    """
    four: dict[str, dict[str, tuple[Pair, bool]]] = defaultdict(dict)
    outright = []
    for pair in pairs:
        said = probability[pair.id] >= THRESHOLD
        if pair.corner == "T":
            outright.append(said)
        else:
            four[pair.group][pair.corner] = (pair, said == pair.harmful)
    whole = [corners for corners in four.values() if len(corners) == 4]
    right = [(corners["11"][0], all(ok for _, ok in corners.values())) for corners in whole]
    return {
        "quadruples": len(right),
        "all_four": _share([ok for _, ok in right]),
        "by_family": {name: _share([ok for p, ok in right if p.family == name]) for name in _names(right, "family")},
        "by_language": {name: _share([ok for p, ok in right if p.locale == name]) for name in _names(right, "locale")},
        "languages_not_trained_on": _share([ok for pair, ok in right if pair.locale in HELD_OUT_LANGUAGES]),
        "by_corner": {name: _share([corners[name][1] for corners in whole]) for name in ("11", "10", "01", "00")},
        "harmful_sentence_alone": _share(outright),
    }


def _share(right: Sequence[bool]) -> float:
    return round(float(np.mean(right)), 4) if right else float("nan")


def _names(right: Sequence[tuple[Pair, bool]], key: str) -> list[str]:
    return sorted({str(getattr(pair, key)) for pair, _ in right})


def _weight(pair: Pair) -> float:
    return 3.0 if pair.corner == "11" else 1.0


class _Net(nn.Module):
    """The head as torch sees it; `export` gives what is served."""

    def __init__(self, features: int, width: int, outputs: int, recipe: JointRecipe) -> None:
        super().__init__()
        self.drop = nn.Dropout(recipe.dropout)
        self.image, self.text = nn.Linear(features, recipe.rank), nn.Linear(width, recipe.rank)
        self.mix, self.out = nn.Linear(4 * recipe.rank, recipe.hidden), nn.Linear(recipe.hidden, outputs)

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits `[N, K]`, and the two halves `[N, R]`."""
        v = torch.tanh(self.image(self.drop(image)))
        t = torch.tanh(self.text(self.drop(text)))
        x = torch.cat((v, t, v * t, (v - t).abs()), dim=1)
        return self.out(torch.relu(self.mix(self.drop(x)))), v, t

    def export(self, categories: tuple[str, ...], mean: FloatArray, scale: FloatArray, centre: FloatArray) -> JointHead:
        """The served form: matrices as `[inputs, outputs]`, the text's scale folded in."""

        def matrix(layer: nn.Linear) -> FloatArray:
            return np.ascontiguousarray(layer.weight.detach().numpy().T)

        def bias(layer: nn.Linear) -> FloatArray:
            return np.array(layer.bias.detach().numpy())

        return JointHead(
            categories=categories,
            image_mean=mean,
            image_scale=scale,
            image_w=matrix(self.image),
            image_b=bias(self.image),
            text_mean=centre,
            text_w=matrix(self.text) * np.float32(TEXT_SCALE),
            text_b=bias(self.text),
            mix_w=matrix(self.mix),
            mix_b=bias(self.mix),
            out_w=matrix(self.out),
            out_b=bias(self.out),
        )


def _loss(
    net: _Net,
    helpers: nn.ModuleList,
    halves: tuple[torch.Tensor, torch.Tensor],
    told: Mapping[str, torch.Tensor],
    recipe: JointRecipe,
) -> torch.Tensor:
    """BCE of the posts + helper_weight * (cross-entropy of what is shown + of what is meant)."""
    logits, v, t = net(*halves)
    each = nn.functional.binary_cross_entropy_with_logits(logits, told["labels"], reduction="none").mean(dim=1)
    loss = (each * told["weights"]).mean()
    shown = nn.functional.cross_entropy(helpers[0](v), told["concepts"], ignore_index=-1)
    meant = nn.functional.cross_entropy(helpers[1](t), told["intents"])
    total: torch.Tensor = loss + recipe.helper_weight * (shown + meant)
    return total
