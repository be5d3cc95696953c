"""structlog, set up once: one line of JSON per record in deployments, readable lines on a terminal.

Logs hold ids, codes and numbers. Content, URIs and secrets never reach a logger.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def set_up_logging(level: str, form: str) -> None:
    """Send structlog and the standard library's loggers to stderr in one form: `json`, `console` or `auto`."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    errors = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, *errors, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, last],
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # At DEBUG it builds a record with key and value for every send: content in logs, and half the throughput.
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
