"""ONNX Runtime sessions as Weir runs them: one thread, no spinning, no arena that only grows.

Instances, not threads, use the cores: one instance with two threads was measured at .73 of two with one.
"""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort


def open_session(path: Path) -> ort.InferenceSession:
    """A session over the graph in `path`, whose external weights lie beside it; onnxruntime's exceptions pass."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI, uint8 times int8 overflows 16 bits: the weights are then rewritten to uint8, as exact but slower.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
