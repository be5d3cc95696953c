"""Exit codes of the `weir` command, the same for every sub-command."""

from __future__ import annotations

from typing import Final

OK: Final = 0
NO: Final = 1  # the answer is no: a check failed, a gate refused
MISUSED: Final = 2  # used wrongly: arguments, settings, files
MISSING: Final = 3  # a dependency is missing or down
INTERRUPTED: Final = 130  # Ctrl-C, as shells count it
