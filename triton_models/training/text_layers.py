"""The text tower's upper layers in torch, under the part's own tensor names, and the lower ones' activations on disk.

What fine-tuning does not change need not be computed in every epoch: the hidden states below the lowest layer that may
move are written once (fp16, one row per token) and read from there. No loss, no optimiser, no labels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.parts import E5Model
from triton_models.parts.e5 import dequantise
from triton_models.parts.text_rules import PREFIX
from triton_models.parts.tokenizer import build_tokenizer
from triton_models.serving.undisguise import VERSION, undisguise
from triton_models.training.progress import Advance

MAX_TOKENS: Final = 128
"""Posts are short; a longer one is cut for training (serving reads 512)."""
CACHE_BATCH: Final = 32


class Layer(nn.Module):
    """One post-norm transformer layer: x = LN(x + attention(x)); x = LN(x + ffn(x))."""

    def __init__(self, model: E5Model, index: int) -> None:
        super().__init__()
        shape = model.shape
        self.heads = shape.heads
        self.q: nn.Linear
        self.k: nn.Linear
        self.v: nn.Linear
        self.ao: nn.Linear
        self.fi: nn.Linear
        self.fo: nn.Linear
        for name, (inputs, outputs) in {
            "q": (shape.hidden, shape.hidden),
            "k": (shape.hidden, shape.hidden),
            "v": (shape.hidden, shape.hidden),
            "ao": (shape.hidden, shape.hidden),
            "fi": (shape.hidden, shape.ffn),
            "fo": (shape.ffn, shape.hidden),
        }.items():
            setattr(self, name, nn.Linear(inputs, outputs))
        self.aln, self.oln = (nn.LayerNorm(shape.hidden, eps=shape.epsilon) for _ in range(2))
        for name, parameter in self.named_parameters():
            short, leaf = name.split(".")
            values = np.array(model.array(f"l{index}.{short}.{'w' if leaf == 'weight' else 'b'}"))
            parameter.data = torch.from_numpy(values).reshape(parameter.shape)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`[B, T, H]` to the same; `mask` bool `[B, 1, 1, T]`, true where there is a token."""
        batch, length, hidden = x.shape
        q, k, v = (
            part(x).view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        context = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.aln(x + self.ao(context.transpose(1, 2).reshape(batch, length, hidden)))
        normed: torch.Tensor = self.oln(x + self.fo(nn.functional.gelu(self.fi(x))))
        return normed


class TextLayers(nn.Module):
    """Layers `first`..L-1 of the tower, and its mean pooling."""

    def __init__(self, model: E5Model, first: int) -> None:
        super().__init__()
        self.first = first
        self.layers = nn.ModuleDict({f"l{index}": Layer(model, index) for index in range(first, model.shape.layers)})

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor, *, frozen: int = 0) -> torch.Tensor:
        """Unit vectors `[B, H]` of hidden states `[B, T, H]`; the first `frozen` layers get no gradient."""
        places = torch.arange(hidden.shape[1])[None, :] < lengths[:, None]
        mask = places[:, None, None, :]
        for number, layer in enumerate(self.layers.values()):
            if number < frozen:
                with torch.no_grad():
                    hidden = layer(hidden, mask)
            else:
                hidden = layer(hidden, mask)
        pooled = (hidden * places[..., None]).sum(dim=1) / lengths[:, None]
        return nn.functional.normalize(pooled, dim=1)

    def part_names(self) -> dict[str, torch.Tensor]:
        """The parameters under the part's names: `l11.q.w`."""
        return {
            name.removeprefix("layers.").replace(".weight", ".w").replace(".bias", ".b"): parameter
            for name, parameter in self.named_parameters()
        }


@dataclass(frozen=True, slots=True)
class HiddenStore:
    """Hidden states of N texts below layer `boundary`."""

    states: npt.NDArray[np.float16]  # [tokens, H], mapped
    offsets: npt.NDArray[np.int64]  # [N + 1]

    def __len__(self) -> int:
        """Texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """`[N]` tokens of each text."""
        return np.diff(self.offsets)

    def batch(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """`[B, T, H]` float32 padded with zeros, and lengths `[B]`."""
        lengths = np.array([self.offsets[row + 1] - self.offsets[row] for row in rows])
        hidden = np.zeros((len(rows), int(lengths.max()), self.states.shape[1]), dtype=np.float32)
        for place, row in enumerate(rows):
            hidden[place, : lengths[place]] = self.states[self.offsets[row] : self.offsets[row + 1]]
        return torch.from_numpy(hidden), torch.from_numpy(lengths)


def store_hidden(
    model: E5Model,
    texts: Sequence[str],
    boundary: int,
    folder: Path,
    *,
    most: int = MAX_TOKENS,
    advance: Advance | None = None,
) -> HiddenStore:
    """The hidden states below layer `boundary`, computed once per texts and boundary; a killed run starts this anew.

    Texts are read as serving reads them, without their disguises; `most` tokens of each.
    """
    digest = hashlib.blake2b(f"{boundary} {most} {VERSION}".encode(), digest_size=10)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    folder.mkdir(parents=True, exist_ok=True)
    states, places = (folder / f"hidden-{digest.hexdigest()}.{part}.npy" for part in ("states", "offsets"))
    if not (states.is_file() and places.is_file()):
        tokenizer = build_tokenizer(model.vocabulary)
        tokenizer.enable_truncation(most)
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        tokens = [one.ids for one in tokenizer.encode_batch_fast([PREFIX + undisguise(text) for text in clean])]
        offsets = np.cumsum([0, *(len(ids) for ids in tokens)]).astype(np.int64)
        aside = states.with_suffix(".part")
        _write_states(model, tokens, offsets, (boundary, aside), advance)
        aside.replace(states)
        with places.with_suffix(".part").open("wb") as file:
            np.save(file, offsets)
            os.fsync(file.fileno())
        places.with_suffix(".part").replace(places)
    return HiddenStore(np.load(states, mmap_mode="r"), np.load(places))


@torch.no_grad()
def _write_states(
    model: E5Model,
    tokens: Sequence[Sequence[int]],
    offsets: npt.NDArray[np.int64],
    target: tuple[int, Path],
    advance: Advance | None,
) -> None:
    boundary, path = target
    hidden_size = model.shape.hidden
    words: Any = model.blocks("emb.word").reshape(model.shape.vocabulary, -1)
    places = torch.from_numpy(np.array(model.array("emb.pos") + model.array("emb.type")[0]))
    norm = [torch.from_numpy(np.array(model.array(f"emb.ln.{part}"))) for part in ("w", "b")]
    layers = [Layer(model, index) for index in range(boundary)]
    out: Any = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        path, "w+", np.float16, (int(offsets[-1]), hidden_size)
    )
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    for start in range(0, len(order), CACHE_BATCH):
        rows = order[start : start + CACHE_BATCH]
        width = max(len(tokens[row]) for row in rows)
        ids = np.full((len(rows), width), model.vocabulary.pad, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(tokens[row])] = tokens[row]
        x = torch.from_numpy(dequantise(words[ids])) + places[:width]
        x = nn.functional.layer_norm(x, (hidden_size,), norm[0], norm[1], model.shape.epsilon)
        lengths = torch.tensor([len(tokens[row]) for row in rows])
        mask = (torch.arange(width)[None, :] < lengths[:, None])[:, None, None, :]
        for layer in layers:
            x = layer(x, mask)
        for place, row in enumerate(rows):
            out[offsets[row] : offsets[row + 1]] = x[place, : len(tokens[row])].numpy().astype(np.float16)
        if advance is not None:
            advance(len(rows))
    out.flush()
