"""A model for Triton's Python backend that gives back what it gets, and misbehaves on request; needs no weights."""

from __future__ import annotations

from pathlib import Path

ECHO_MODEL = "echo"

_CONFIG = """\
name: "echo"
backend: "python"
max_batch_size: 32
input [ { name: "IN" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_STRING dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""

_MODEL = '''\
"""Gives back its input, once the project and its packages can be imported in the stub."""

import numpy  # the environment of the tests is the stub's
import triton_python_backend_utils as pb_utils

import triton_models.contract  # the project is importable in the stub


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            given = pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", given)]))
        return answers
'''

_BROKEN_MODEL = """\
raise RuntimeError("this model cannot be loaded, on purpose")
"""


_SLOW_MODEL = """\
import time

time.sleep(60)  # as if it loaded for a minute
"""


def write_slow_repository(folder: Path) -> Path:
    """A model repository whose model loads for longer than any test waits; its path."""
    return _write(folder, _SLOW_MODEL)


def write_echo_repository(folder: Path) -> Path:
    """A model repository with the echo model; its path."""
    return _write(folder, _MODEL)


def write_broken_repository(folder: Path) -> Path:
    """The same with a model that fails while it loads; its path."""
    return _write(folder, _BROKEN_MODEL)


def _write(folder: Path, model: str) -> Path:
    version = folder / ECHO_MODEL / "1"
    version.mkdir(parents=True)
    (folder / ECHO_MODEL / "config.pbtxt").write_text(_CONFIG, encoding="utf-8")
    (version / "model.py").write_text(model, encoding="utf-8")
    return folder
