"""Plain YAML values → a pydantic model, with pydantic's complaints turned into located problems that help.

Knows no particular file; `loader` says which model a file is.
"""

from __future__ import annotations

import types
import typing
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from policies.engine.errors import choices_hint, suggest
from policies.engine.yaml_nodes import Document, Path

Model = TypeVar("Model", bound=BaseModel)

_EXPLAINED = frozenset({"YAML-ALIAS", "YAML-TAG", "AMBIGUOUS-VALUE", "YAML-TOO-DEEP"})
_KIND = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "date_type": "a date like 2027-06-30",
    "date_from_datetime_parsing": "a date like 2027-06-30",
}


def read_shape(doc: Document, model: type[Model], *, at: Path = ()) -> Model | None:
    """`doc.value` as `model`, or None after reporting every fault of it."""
    try:
        return model.model_validate(doc.value)
    except ValidationError as exc:
        # where the reader of the YAML has said already what is wrong
        explained = {(p.line, p.column) for p in doc.problems if p.code in _EXPLAINED}
        seen: set[tuple[Path, str]] = set()
        for error in exc.errors(include_url=False):
            path = _real_path(doc, (*at, *error["loc"]))
            key = (path, error["type"] if error["type"] in ("extra_forbidden", "missing") else "value")
            at_mark = doc.mark(path)
            if key not in seen and (at_mark.line, at_mark.column) not in explained:
                seen.add(key)
                _report(doc, model, error, path=path)
    return None


def _real_path(doc: Document, loc: tuple[int | str, ...]) -> Path:
    """`loc` without the steps that pydantic adds for unions, keys and validators."""
    path: Path = ()
    last = len(loc) - 1
    for n, step in enumerate(loc):
        if (*path, step) in doc.values or (*path, step) in doc.keys or (n == last and step != "[key]"):
            path = (*path, step)
    while path and path not in doc.values and path not in doc.keys and path[:-1] not in doc.values:
        path = path[:-1]
    return path


def _report(doc: Document, model: type[BaseModel], error: ErrorDetails, *, path: Path) -> None:
    kind, given = error["type"], error.get("input")
    name = str(path[-1]) if path else "the file"
    if kind == "extra_forbidden":
        known = sorted(_fields(model, path[:-1]))
        doc.report(path, "UNKNOWN-KEY", f"{_cut(name)} is not a key here", hint=choices_hint(name, known), key=True)
    elif kind == "missing":
        doc.report(path[:-1], "MISSING-KEY", f"{name!r} is missing" + _where(path[:-1]))
    elif kind in _KIND:
        if path not in doc.values and path not in doc.keys:
            path = path[:-1]
        hint = (
            f'put it in quotes: "{_cut(given, bare=True)}"'
            if kind == "string_type" and isinstance(given, (int, float))
            else ""
        )
        doc.report(path, "WRONG-TYPE", f"{name!r} must be {_KIND[kind]}, not {_describe(given)}", hint=hint)
    elif kind == "literal_error":
        choices = [
            c.strip().strip("'") for c in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")
        ]
        hint = suggest(str(given), choices) or "one of: " + ", ".join(choices)
        doc.report(path, "BAD-VALUE", f"{name!r} cannot be {_cut(given)}", hint=hint)
    else:
        doc.report(path, "BAD-VALUE", f"{name!r} cannot be {_cut(given)}", hint=_plain(error))


def _plain(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        if "A-Z][" in str(context.get("pattern")):
            return "write it in CAPITALS_WITH_UNDERSCORES"
        return "use small letters, digits, - and _ (and dots in ids)"
    for start, text in _PLAIN.items():
        if error["type"].startswith(start):
            return text.format(**context)
    return error["msg"].lower()


_PLAIN = {
    "value_error": "{error}",
    "too_short": "at least {min_length} needed",
    "string_too_short": "it must not be empty",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a plain number",
}


def _where(path: Path) -> str:
    if not path:
        return ""
    if isinstance(path[-1], int) and len(path) > 1:
        return f" in {str(path[-2]).rstrip('s')} {path[-1] + 1}"
    return f" in {path[-1]!r}"


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {_cut(value)}"
    return "a list" if isinstance(value, list) else "keys and values"


def _cut(value: object, *, bare: bool = False) -> str:
    text = value if isinstance(value, str) else _describe(value) if not isinstance(value, (int, float)) else str(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    return short if bare else repr(short)


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that may stand at `path` of `model`."""
    kind: object = model
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next((f.annotation for n, f in kind.model_fields.items() if (f.alias or n) == step), None)
        else:
            kind = _inner(kind)
        kind = _unwrap(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [f.alias or n for n, f in kind.model_fields.items()]
    return []


def _unwrap(kind: object) -> object:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        for choice in typing.get_args(kind):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                return choice
        return next((c for c in typing.get_args(kind) if c is not type(None)), None)
    return kind


def _inner(kind: object) -> object:
    args = typing.get_args(kind)
    return args[-1] if args else None
