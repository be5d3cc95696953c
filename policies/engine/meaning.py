"""Whether one comparison can be meant: the signal exists, the types fit, the number can be reached.

Works on one leaf at a time; what a whole rule implies is `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from policies.engine.conditions import LeafSite
from policies.engine.errors import choices_hint, suggest
from policies.engine.event_signals import find_spec
from policies.engine.leaves import Leaf, Threshold, format_value
from policies.engine.signals import Catalogue, SignalSpec
from policies.engine.yaml_nodes import Document

ORDERED = frozenset({"<", "<=", ">", ">="})


def qualify(policy: str, threshold: str) -> str:
    """The threshold's name in the bundle: `hate/hate.mid`."""
    return f"{policy}/{threshold}"


def check_leaf(
    catalogue: Catalogue, thresholds: Mapping[str, float], policy: str, *, doc: Document, site: LeafSite
) -> Leaf | None:
    """The leaf with its threshold qualified, or None after reporting why it cannot be meant."""
    leaf = site.leaf
    spec = find_spec(catalogue, leaf.signal)
    if spec is None:
        hint = choices_hint(leaf.signal, list(catalogue))
        message = f"no detector or list provides {leaf.signal!r}"
        doc.report(site.path, "UNKNOWN-SIGNAL", message, hint=hint)
    number: object = leaf.value
    if isinstance(leaf.value, Threshold):
        full = qualify(policy, leaf.value.name)
        number = thresholds.get(full)
        if number is None:
            known = [name.partition("/")[2] for name in thresholds if name.startswith(f"{policy}/")]
            hint = suggest(leaf.value.name, known)
            message = f"this policy has no threshold {leaf.value.name!r}"
            doc.report(site.path, "UNKNOWN-THRESHOLD", message, hint=hint)
        leaf = replace(leaf, value=Threshold(full))
    if spec is None or number is None:
        return None
    fault = _type_fault(spec, leaf, number)
    if fault:
        doc.report(site.path, "WRONG-COMPARISON", fault[0], hint=fault[1])
        return None
    outside = _range_fault(spec, leaf, number)
    if outside:
        doc.report(site.path, "NEVER-TRUE" if outside[2] else "ALWAYS-TRUE", outside[0], hint=outside[1])
        return None
    return leaf


def _type_fault(spec: SignalSpec, leaf: Leaf, value: object) -> tuple[str, str] | None:
    """What does not fit between the signal's type and the comparison, and how to write it."""
    name, op = leaf.signal, leaf.op
    if op == "in":
        words = isinstance(leaf.value, tuple) and isinstance(leaf.value[0], str)
        good = spec.type in (("str", "strs") if words else ("int",))
        return None if good else (f"{name} is {_KIND[spec.type]}, the list holds {'words' if words else 'numbers'}", "")
    if spec.type == "strs":
        return f"{name} is several words", f'write {name} in ["..."]'
    if spec.type == "bool":
        good = isinstance(value, bool) and op in ("==", "!=")
        return None if good else (f"{name} is true or false", f"write {name} == true")
    if spec.type == "str":
        good = isinstance(value, str) and op in ("==", "!=")
        hint = f'write {name} == "..." or {name} in ["..."]'
        return None if good else (f"{name} is a word, it cannot be compared so", hint)
    return _number_fault(spec, leaf, value)


def _number_fault(spec: SignalSpec, leaf: Leaf, value: object) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{leaf.signal} is a number, {format_value(leaf.value)} is not", ""
    if spec.type == "float" and leaf.op in ("==", "!="):
        return f"{leaf.signal} is measured, it is never exactly {format_value(leaf.value)}", "use >= or <"
    return None


_KIND = {"bool": "true or false", "int": "a number", "float": "a number", "str": "a word", "strs": "several words"}


def _range_fault(spec: SignalSpec, leaf: Leaf, value: object) -> tuple[str, str, bool] | None:
    if spec.enum:
        words = leaf.value if isinstance(leaf.value, tuple) else (value,)
        for word in words:
            if word not in spec.enum:
                return f"{leaf.signal} is never {word!r}", choices_hint(str(word), spec.enum), True
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    low, high = spec.minimum, spec.maximum
    text = f"{leaf.signal} is {_range(low, high)}"
    above = high is not None and (
        value > high or (leaf.op == ">" and value >= high) or (leaf.op == "==" and value > high)
    )
    below = low is not None and (value < low or (leaf.op == "<" and value <= low))
    if above and leaf.op in (">", ">=", "=="):
        return f"{text}, so {leaf.op} {value:g} is never true", "", True
    if below and leaf.op in ("<", "<=", "=="):
        return f"{text}, so {leaf.op} {value:g} is never true", "", True
    always = (
        (leaf.op == ">=" and low is not None and value <= low)
        or (leaf.op == "<=" and high is not None and value >= high)
        or (leaf.op == ">" and low is not None and value < low)
        or (leaf.op == "<" and high is not None and value > high)
    )
    if always:
        return f"{text}, so {leaf.op} {value:g} is always true", "", False
    return None


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"
