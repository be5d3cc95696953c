"""Fine-tuning the upper text layers: stages, losses, an average of the weights, and checkpoints that survive kill -9.

One step is a function of the recipe, the data and the step's number: batches come from a permutation seeded by the
epoch, there is no dropout, and a checkpoint holds all that the next step reads. So a run that was killed and started
again ends in the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.parts import E5Model
from triton_models.training.checkpoint import save_checkpoint
from triton_models.training.finetune_batches import Step, steps_of
from triton_models.training.finetune_debias import LocaleAdversary
from triton_models.training.finetune_log import Log
from triton_models.training.finetune_losses import FinetuneData, Losses, Networks
from triton_models.training.finetune_recipe import FinetuneRecipe
from triton_models.training.progress import Progress
from triton_models.training.text_layers import HiddenStore, TextLayers, store_hidden
from triton_models.training.unfreeze import Unfrozen, unfreeze

CHECKPOINT: Final = "checkpoint.pt"
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What came out."""

    changed: Mapping[str, Array]  # the part's tensor names -> averaged values
    head_weight: Array  # [C, H]
    head_bias: Array  # [C]
    steps: int
    trainable: Sequence[int]  # parameters that moved, per stage


def finetune(model: E5Model, data: FinetuneData, recipe: FinetuneRecipe, work: Path, progress: Progress) -> Finetuned:
    """Runs, or goes on with, the recipe; the averaged weights. Kept in `work` under the recipe's key.

    A `model` with changed tensors is an earlier release's tower: training goes on from there, and what must stay is
    still what the pretrained part says.
    """
    torch.manual_seed(recipe.seed)
    layers = model.shape.layers
    unfrozen = [unfreeze(stage, layers, recipe.layer_decay) for stage in recipe.stages]
    boundary = min([one.first for one in unfrozen] + [layer_of(name) for name in model.changed])
    for warning in recipe.warnings:
        progress.note(f"warning: {warning}")
    with progress.stage("lower layers", len(data.texts) + len(data.replay)) as advance:
        store = store_hidden(model, data.texts, boundary, work, most=recipe.max_tokens, advance=advance)
        replay = _replay(model, data, boundary, work, recipe)
        advance(len(data.replay))
    run = _Run(model, unfrozen, boundary, Losses(recipe, store, replay, data))
    progress.note(f"computing in {'bfloat16' if run.half else 'float32'}")
    key = run_key(model, recipe)
    log = Log(work / f"finetune-{key}.csv")
    done = run.resume(work / f"{key}-{CHECKPOINT}")
    log.cut(done)
    if done:
        progress.note(f"going on at step {done}")
    steps = list(steps_of(recipe, store.lengths, data.family_of()))
    with progress.stage("fine-tune", len(steps)) as advance:
        advance(done)
        for step in steps[done:]:
            log.write(step.number, run.take(step))
            if (step.number + 1) % recipe.checkpoint_steps == 0 or step.number + 1 == len(steps):
                run.save(work / f"{key}-{CHECKPOINT}", step.number + 1)
            advance(1)
    log.draw()
    return run.result(len(steps))


def _replay(
    model: E5Model, data: FinetuneData, boundary: int, work: Path, recipe: FinetuneRecipe
) -> HiddenStore | None:
    if not data.replay or not recipe.losses.replay:
        return None
    return store_hidden(model, data.replay, boundary, work, most=recipe.max_tokens)


def layer_of(name: str) -> int:
    """The layer of one of the part's tensors: 11 for `l11.q.w`."""
    return int(name.split(".", maxsplit=1)[0][1:])


def run_key(model: E5Model, recipe: FinetuneRecipe) -> str:
    """A short hash of all that changes the result beside the data: the recipe, and the release that it starts from."""
    if not model.changed:
        return recipe.key
    digest = hashlib.blake2b(recipe.key.encode(), digest_size=8)
    for name in sorted(model.changed):
        digest.update(name.encode() + model.array(name).tobytes())
    return digest.hexdigest()


def runs_in_half(precision: str) -> bool:
    """Whether to compute in bfloat16: as the recipe says, or where this processor has it in hardware."""
    return precision == "bf16" or (precision == "auto" and bool(torch.cpu._is_avx512_bf16_supported()))  # noqa: SLF001 - there is no public way to ask


def _adversary(losses: Losses, size: int) -> LocaleAdversary | None:
    """Who reads the language, where the recipe asks for `reversal`; it is no part of what comes out."""
    return LocaleAdversary(size, losses.data.locales) if losses.recipe.losses.reversal else None


class _Run:
    """Everything that one step changes."""

    def __init__(self, model: E5Model, unfrozen: Sequence[Unfrozen], boundary: int, losses: Losses) -> None:
        self.recipe, self.unfrozen, self.boundary = losses.recipe, unfrozen, boundary
        self.half = runs_in_half(self.recipe.precision)
        self.losses = losses
        self.net = TextLayers(model, boundary)
        self.start = TextLayers(replace(model, changed={}), boundary).requires_grad_(requires_grad=False)
        self.head = nn.Linear(model.shape.hidden, losses.data.targets.shape[1])
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -2.0)
        self.adversary = _adversary(losses, model.shape.hidden)
        self.mean = {name: value.detach().clone() for name, value in self._named().items()}
        self.optimiser: torch.optim.Optimizer | None = None
        self.stage = -1
        self.trainable: list[int] = []

    def take(self, step: Step) -> dict[str, float]:
        """One step; its figures for the log."""
        if step.stage != self.stage:
            self._enter(step.stage)
        optimiser = self._optimiser()
        rate = self._rate(step.share)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        figures: dict[str, float] = {}
        pieces = np.array_split(np.array(step.rows), min(self.recipe.accumulate, len(step.rows)))
        for piece in pieces:
            for name, loss in self._back(piece.tolist(), step.number).items():
                figures[name] = figures.get(name, 0.0) + loss / len(pieces)
        moving = [value for group in optimiser.param_groups for value in group["params"]]
        figures["gradient"] = float(nn.utils.clip_grad_norm_(moving, self.recipe.clip))
        figures["rate"] = float(optimiser.param_groups[0]["lr"])
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, value in self._named().items():
                self.mean[name].lerp_(value, 1.0 - self.recipe.ema)
        return {"stage": float(step.stage), **figures}

    def _back(self, rows: Sequence[int], draw: int) -> dict[str, float]:
        """Takes the losses of one piece of the batch back through the network; their values."""
        frozen = self.unfrozen[self.stage].first - self.boundary
        nets = Networks(self.net, self.start, self.head, self.adversary)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            parts = self.losses.of(rows, nets, frozen, draw=draw)
        share = len(rows) / self.recipe.batch if self.recipe.accumulate > 1 else 1.0
        (share * torch.stack(list(parts.values())).sum()).backward()  # type: ignore[no-untyped-call]
        return {name: float(value.detach()) for name, value in parts.items()}

    def _enter(self, stage: int) -> None:
        """Sets what may move in `stage`, and a fresh optimiser for it."""
        own, rates = self.recipe.stages[stage], self.unfrozen[stage].rates
        self.net.requires_grad_(requires_grad=False)
        head_rate = own.learning_rate if own.share == 0 else own.head_learning_rate
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters()), "peak": head_rate}]
        if self.adversary is not None:
            groups.append({"params": list(self.adversary.parameters()), "peak": head_rate})
        for layer, rate in sorted(rates.items()):
            members = list(self.net.layers[f"l{layer}"].requires_grad_(requires_grad=True).parameters())
            groups.append({"params": members, "peak": rate})
        self.optimiser = torch.optim.AdamW(groups, lr=1.0, weight_decay=self.recipe.weight_decay, foreach=False)
        self.stage = stage
        self.trainable.append(sum(value.numel() for group in groups for value in group["params"]))

    def _rate(self, share: float) -> float:
        """Up in a straight line, then down by a cosine; never 0, so that every step teaches."""
        warm = self.recipe.warmup_share
        if share < warm:
            return max(share / warm, 0.05)
        return max(0.5 * (1 + math.cos(math.pi * (share - warm) / (1 - warm))), 0.05)

    def _optimiser(self) -> torch.optim.Optimizer:
        if self.optimiser is None:
            raise RuntimeError("no stage was entered")
        return self.optimiser

    def _named(self) -> dict[str, torch.Tensor]:
        head = {f"head.{name}": value for name, value in self.head.named_parameters()}
        return {**self.net.part_names(), **head}

    def save(self, path: Path, steps: int) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "steps": steps,
            "stage": self.stage,
            "trainable": self.trainable,
            "net": self.net.state_dict(),
            "head": self.head.state_dict(),
            "mean": self.mean,
            "optimiser": self._optimiser().state_dict(),
        }
        if self.adversary is not None:
            state["adversary"] = self.adversary.state_dict()
        save_checkpoint(path, state)

    def resume(self, path: Path) -> int:
        """Takes the checkpoint up; the number of steps that are done."""
        if not path.is_file():
            return 0
        state = torch.load(path, weights_only=True)
        self._enter(state["stage"])
        self.trainable = list(state["trainable"])
        self.net.load_state_dict(state["net"])
        self.head.load_state_dict(state["head"])
        self.mean = state["mean"]
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
        self._optimiser().load_state_dict(state["optimiser"])
        return int(state["steps"])

    def result(self, steps: int) -> Finetuned:
        """The averaged weights of every layer that is no longer the part's own."""
        found = {name: np.array(value.numpy()) for name, value in self.mean.items()}
        head = {name: found.pop(f"head.{name}") for name in ("weight", "bias")}
        return Finetuned(found, head["weight"], head["bias"], steps, tuple(self.trainable))
