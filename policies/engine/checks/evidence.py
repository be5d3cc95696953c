"""Evidence that would put personal data or a person's words into verdicts, which are kept and read by many."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem
from policies.engine.evidence import template_names

PERSONAL = ("labels.", "author.id", "author.name", "author.email", "author.ip", "text.body", "ocr.text")


def check(view: View) -> Iterator[Problem]:
    """PERSONAL-EVIDENCE; QUOTED-MATCHES where a pattern's match would be quoted."""
    for rule, doc, path in view.rules():
        for name in template_names(rule.evidence)[0]:
            if name.startswith(PERSONAL):
                message = f"the evidence of {rule.id!r} quotes {name}, which may be personal data"
                yield problem(doc, (*path, "evidence"), "PERSONAL-EVIDENCE", message, hint="leave it out")
