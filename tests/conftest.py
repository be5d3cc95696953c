"""What all tests share: the servers of integration and contract tests, and how hypothesis looks for examples."""

from __future__ import annotations

import structlog
from hypothesis import settings

# With rich installed, structlog prints every local variable of a traceback: seconds for a frame that holds a bundle.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

pytest_plugins = ["tests.integration.fixtures_local"]

# No deadline per example: a busy machine is no bug, and no test here asserts a time.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")
