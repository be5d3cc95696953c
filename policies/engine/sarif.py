"""Problems as SARIF 2.1.0, which code reviews show beside the line. A plain mapping; writing it is the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies.engine.errors import Problem


def to_sarif(problems: Sequence[Problem], *, version: str) -> dict[str, Any]:
    """The problems as one SARIF run of the tool `weir policy check`."""
    codes = sorted({p.code for p in problems})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "weir policy check",
                        "version": version,
                        "rules": [{"id": code, "name": _pascal(code)} for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(p, codes.index(p.code)) for p in problems],
            }
        ],
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": problem.file.replace("\\", "/")},
                    "region": {"startLine": problem.line, "startColumn": problem.column},
                }
            }
        ],
    }


def _pascal(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("-"))
