"""Evidence templates: `hate={score.hate:.2f}`. Names and a fixed set of formats; no attributes, calls or indexes.

Lengths are bounded, so a template cannot blow a verdict up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.engine.leaves import SIGNAL_NAME
from policies.engine.signals import SignalValue

MAX_VALUE_CHARS: Final = 80
MAX_TEXT_CHARS: Final = 400
MAX_ITEMS: Final = 5

#: Names besides signals: the sum of a points rule, and the tests that held.
SPECIAL: Final = frozenset({"points", "hits"})

_FIELD = re.compile(rf"\{{(?P<name>{SIGNAL_NAME.pattern})(?::(?P<format>[^{{}}]*))?\}}|\{{\{{|\}}\}}|(?P<bad>[{{}}])")
_FORMAT = re.compile(r"\.[0-6][f%]|d|")


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """What is wrong with a template."""

    message: str
    hint: str = ""


def template_names(template: str) -> tuple[list[str], list[TemplateFault]]:
    """The names that the template quotes, and its faults."""
    names: list[str] = []
    faults: list[TemplateFault] = []
    for found in _FIELD.finditer(template):
        if found["bad"]:
            faults.append(
                TemplateFault(
                    f"stray {found['bad']!r} in the evidence", "write {signal} or {signal:.2f}; {{ for a brace"
                )
            )
        elif found["name"]:
            names.append(found["name"])
            if not _FORMAT.fullmatch(found["format"] or ""):
                faults.append(TemplateFault(f"{found['format'][:20]!r} is not a format", "use .2f, .0% or d"))
    return names, faults


def render(
    template: str, values: Mapping[str, SignalValue], *, points: float | None = None, hits: Sequence[str] = ()
) -> str:
    """The template with values filled in; a missing one shows as `?`. Never raises."""

    def fill(found: re.Match[str]) -> str:
        name = found["name"]
        if not name:
            return found[0][:1]
        if name == "points":
            return "?" if points is None else f"{points:g}"
        if name == "hits":
            return "; ".join(hits[:MAX_ITEMS])
        return _show(values.get(name), found["format"] or "")

    return _FIELD.sub(fill, template)[:MAX_TEXT_CHARS]


def _show(value: SignalValue | None, form: str) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        if form and (form != "d" or isinstance(value, int)):
            return format(value, form)[:MAX_VALUE_CHARS]
        return str(round(value, 4))[:MAX_VALUE_CHARS]
    if isinstance(value, tuple):
        more = f" (+{len(value) - MAX_ITEMS})" if len(value) > MAX_ITEMS else ""
        return ", ".join(v[:MAX_VALUE_CHARS] for v in value[:MAX_ITEMS]) + more
    return value[:MAX_VALUE_CHARS]
