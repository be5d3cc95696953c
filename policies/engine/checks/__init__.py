"""What is unwise in a bundle that could be used: one lint a file, each `check(view) -> problems`.

`ALL` is the order in which they run. A lint never raises and never changes anything.
"""

from policies.engine.checks.checker import ALL, run_checks

__all__ = ["ALL", "run_checks"]
