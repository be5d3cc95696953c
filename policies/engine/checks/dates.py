"""Overrides, exceptions and rules whose end has passed: they do nothing any more, and people think they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem

SOON = timedelta(days=14)


def check(view: View) -> Iterator[Problem]:
    """EXPIRED, an error; EXPIRES-SOON, a warning."""
    for written in view.files():
        doc, file = written.doc, written.file
        dated = [
            *((("overrides", n, "expires"), "override", o.id, o.expires) for n, o in enumerate(file.overrides)),
            *((("exceptions", n, "expires"), "exception", e.id, e.expires) for n, e in enumerate(file.exceptions)),
            *((("rules", n, "expires"), "rule", r.id, r.expires) for n, r in enumerate(file.rules) if r.expires),
        ]
        for path, kind, name, day in dated:
            if day < view.today:
                hint = "remove it, or set a later day"
                yield problem(doc, path, "EXPIRED", f"{kind} {name!r} ended on {day}", hint=hint, level="error")
            elif day < view.today + SOON:
                yield problem(doc, path, "EXPIRES-SOON", f"{kind} {name!r} ends on {day}")
