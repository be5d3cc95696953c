"""The error of the local stack: something that it depends on is missing, broken or down.

Commands turn it into exit code 3. Wrong use of a command is not this error.
"""

from __future__ import annotations


class LocalStackError(Exception):
    """A dependency of the local stack is missing or down; says what, and what to do about it."""

    def __init__(self, what: str, *, hint: str = "", log_tail: str = "") -> None:
        self.what = what
        self.hint = hint
        self.log_tail = log_tail
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        if self.log_tail:
            lines.append("  the end of its log:")
            lines.extend(f"    | {line}" for line in self.log_tail.splitlines())
        return "\n".join(lines)
