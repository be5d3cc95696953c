"""Policies: what Weir decides. The door: load a folder, scan texts with its lists, evaluate, explain.

Pure apart from reading the folder. Knows nothing of Kafka, Triton or models.
"""

from policies.engine.bundle import PolicyBundle
from policies.engine.errors import PolicyErrors, Problem
from policies.engine.evaluator import evaluate
from policies.engine.event_signals import EVENT_SIGNALS, event_signals
from policies.engine.explain import Explanation, explain
from policies.engine.load import list_specs, load_bundle, load_files, scan_lists
from policies.engine.model_signals import MODEL_SIGNALS, READING_SIGNALS

__all__ = [
    "EVENT_SIGNALS",
    "MODEL_SIGNALS",
    "READING_SIGNALS",
    "Explanation",
    "PolicyBundle",
    "PolicyErrors",
    "Problem",
    "evaluate",
    "event_signals",
    "explain",
    "list_specs",
    "load_bundle",
    "load_files",
    "scan_lists",
]
