"""What all tests share: the servers of integration and contract tests, and how hypothesis looks for examples."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.integration.fixtures_local"]

# No deadline per example: a busy machine is no bug, and no test here asserts a time.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")
