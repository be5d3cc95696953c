"""A model with the ensemble's contract and no weights: it answers with the numbers in its version directory."""

from __future__ import annotations

import json
from pathlib import Path

from triton_models import contract

_MODEL = '''\
"""Answers every item with the score of scores.json; fails to load, or while it runs, when that says so."""

import json
import time
from pathlib import Path

import numpy
import triton_python_backend_utils as pb_utils

from triton_models import contract


class TritonPythonModel:
    def initialize(self, args):
        folder = Path(args["model_repository"]) / args["model_version"]
        self.said = json.loads((folder / "scores.json").read_text())
        if self.said.get("fails") == "load":
            raise RuntimeError("this version cannot be loaded, on purpose")
        if self.said.get("fails") == "production" and args["model_name"] == contract.MODEL_NAME:
            raise RuntimeError("this version cannot be loaded for production, on purpose")

    def execute(self, requests):
        answers = []
        for request in requests:
            if self.said.get("fails") == "infer":
                answers.append(pb_utils.InferenceResponse(error=pb_utils.TritonError("on purpose")))
                continue
            count = len(pb_utils.get_input_tensor_by_name(request, contract.MASK).as_numpy())
            time.sleep(self.said.get("seconds", 0.0))
            scores = numpy.full((count, len(contract.ROWS), len(contract.LABELS)), self.said["score"], numpy.float32)
            release = numpy.full((count, 1), self.said["release"].encode(), dtype=object)
            tensors = [pb_utils.Tensor(contract.SCORES, scores), pb_utils.Tensor(contract.RELEASE, release)]
            answers.append(pb_utils.InferenceResponse(tensors))
        return answers
'''


def write_tiny_version(folder: Path, *, score: float, release: str = "tiny-1", fails: str = "") -> Path:
    """A version directory that answers with `score`; `fails` is load, production or infer."""
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_MODEL, encoding="utf-8")
    said = {"score": score, "release": f"{release} reference", "fails": fails}
    (folder / "scores.json").write_text(json.dumps(said), encoding="utf-8")
    card = {"release": release, "tier": "reference", "members": [], "quality": {"auroc": score}}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def write_tiny_repository(folder: Path) -> Path:
    """A model repository with version 1, which answers 0.9; its path."""
    model = folder / contract.MODEL_NAME
    write_tiny_version(model / "1", score=0.9)
    inputs = ", ".join(_tensor(name, kind, dims) for name, (kind, dims) in contract.INPUTS.items())
    outputs = ", ".join(_tensor(name, kind, dims) for name, (kind, dims) in contract.OUTPUTS.items())
    (model / "config.pbtxt").write_text(
        f'name: "{contract.MODEL_NAME}"\nbackend: "python"\nmax_batch_size: {contract.MAX_BATCH}\n'
        f"input [ {inputs} ]\noutput [ {outputs} ]\n"
        "instance_group [ { kind: KIND_CPU count: 1 } ]\n",
        encoding="utf-8",
    )
    return folder


def _tensor(name: str, kind: str, dims: tuple[int, ...]) -> str:
    return f'{{ name: "{name}" data_type: {kind} dims: [ {", ".join(map(str, dims))} ] }}'
