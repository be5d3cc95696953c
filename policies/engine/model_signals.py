"""The catalogue of what the served ensemble says, so that policies can be checked without a model.

The detector `clip_safety` (streams/detectors) fills these; names come from `signals.model_signal_names`.
"""

from __future__ import annotations

from typing import Final

from policies.engine.signals import SignalSpec, model_signal_names
from policies.engine.taxonomy import CATEGORIES, MAX_SEVERITY, MODALITIES, NEVER_MODELLED

MODEL_OWNER: Final = "clip_safety"

_JOINT = {
    "alignment": "how well text and image go together, as a percentile of benign posts",
    "contradiction": "how much text and image contradict each other",
    "interaction_gain": "how much more harmful both together are than the worse of the two alone",
}


def _specs() -> tuple[SignalSpec, ...]:
    made: list[SignalSpec] = []
    modelled = [c for c in CATEGORIES if c not in NEVER_MODELLED]
    for category, names in model_signal_names(modelled).items():
        fused, *_, severity = names
        made.append(_unit(fused, f"calibrated probability of {category}"))
        made += [
            _unit(
                f"{fused}.{m}",
                f"the same from the {m} alone" if m != "joint" else "the same from both read together",
                m,
            )
            for m in MODALITIES
        ]
        made.append(SignalSpec(severity, "int", f"severity of {category}", MODEL_OWNER, 0, MAX_SEVERITY))
        made.append(_unit(f"disagreement.{category}", f"how far the members' opinions of {category} lie apart"))
    for name, text in _JOINT.items():
        low = -1.0 if name == "interaction_gain" else 0.0
        made.append(SignalSpec(f"joint.{name}", "float", text, MODEL_OWNER, low, 1.0, modality="joint"))
    text = "pictures whose text could not be read, or not in time"
    made.append(SignalSpec("image.text_unread", "int", text, MODEL_OWNER, 0, modality="image"))
    return tuple(made)


def _unit(name: str, text: str, modality: str = "event") -> SignalSpec:
    kind = {"text": "text", "image": "image", "joint": "joint"}.get(modality, "event")
    return SignalSpec(name, "float", text, MODEL_OWNER, 0.0, 1.0, modality=kind)  # type: ignore[arg-type]  # one of the four words


MODEL_SIGNALS: Final[tuple[SignalSpec, ...]] = _specs()
"""`score.*`, `severity.*`, `disagreement.*`, `joint.*` and `image.text_unread`; none for what is never modelled."""

READING_OWNER: Final = "clip_safety.reading"
"""Known without the model's answer, so these do not count when a profile asks whether the model is down."""

READING_SIGNALS: Final[tuple[SignalSpec, ...]] = (
    SignalSpec(
        "text.read_share", "float", "share of the text that the model read", READING_OWNER, 0, 1, modality="text"
    ),
    SignalSpec("image.unreadable", "int", "pictures that could not be read", READING_OWNER, 0, modality="image"),
    SignalSpec("video.unjudged", "int", "videos, which nothing looks into", READING_OWNER, 0, modality="image"),
)
"""What the detector says of its own reading."""
