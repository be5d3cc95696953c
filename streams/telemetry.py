"""structlog, set up once: one line of JSON per record in deployments, readable lines on a terminal.

Logs hold ids, codes and numbers. Content, URIs and secrets never reach a logger.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO, cast

import msgspec
import structlog

#: Packages whose exceptions speak of connections and sizes; the message of any other may quote content.
_PLAIN_SPOKEN: Final = frozenset({"aiokafka", "faust", "grpc", "mode", "tritonclient"})

MetricName = Literal[
    # Records whose work is done: acknowledged by the broker. Labels: outcome (judged | dead_letter).
    "weir_events_total",
    # Verdicts by what they say. Labels: action.
    "weir_verdicts_total",
    # Rules that matched, in shadow too. Labels: rule, standing (matched | shadow | undecided).
    "weir_rules_total",
    # Dead letters. Labels: fault (producer | weir), code.
    "weir_dead_letters_total",
    # Verdicts that had to do without some signals. Labels: status (failed | timeout | stale).
    "weir_degraded_total",
    # Seconds an event took in a stage, as a histogram. Labels: stage (decode | signals | decide | total).
    "weir_stage_seconds",
    # Events taken from Kafka and not yet acknowledged.
    "weir_events_pending",
    # Records in the topic after the last one that is finished. Labels: partition.
    "weir_consumer_lag",
    # 1 for the bundle that judges. Labels: bundle (name@version#hash).
    "weir_policy_info",
    # How often another bundle came into force, and how often one was refused, since the start.
    "weir_policy_swaps_total",
    "weir_policy_refusals_total",
    # 1 while the newest bundle that was offered is a refused one: the one in force is older than somebody thinks.
    "weir_policy_refused",
    # Hashes in a bank (labels: bank, kind), whether it cannot be read, and how many entries are in quarantine.
    "weir_bank_hashes",
    "weir_bank_broken",
    "weir_bank_quarantined",
    # 1 while counters are right; the events they remember; the authors with strikes.
    "weir_counters_ready",
    "weir_counter_facts",
    "weir_counter_authors",
    # 1 while the model is not asked because it is down.
    "weir_model_down",
]
"""Every metric, for Prometheus. Names and labels are never renamed; the values of labels are few, and never content."""


def without_content(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: an exception becomes its class and our lines of code, never a message or a variable."""
    given = event.pop("exc_info", None)
    exc = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(exc, BaseException):
        event["exception"] = "".join(_told(exc)).rstrip()
    return event


def _told(exc: BaseException) -> list[str]:
    """The chain of exceptions, the first cause first, as Python prints it."""
    before = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    chain = [*_told(before), "then:\n"] if before is not None else []
    name = f"{type(exc).__module__}.{type(exc).__qualname__}".removeprefix("builtins.")
    plain = isinstance(exc, OSError) or name.split(".")[0] in _PLAIN_SPOKEN
    return [*chain, *traceback.format_tb(exc.__traceback__), f"{name}: {exc}\n" if plain else f"{name}\n"]


class CurrentStderr:
    """Standard error as it is when something is written: a logger is kept, what it writes to may be exchanged."""

    def write(self, text: str) -> int:
        """Write `text`."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


def _json(line: Any, **_options: Any) -> str:
    """The line as JSON, six times cheaper than the standard library: there is one for every event."""
    return msgspec.json.encode(line, enc_hook=repr).decode()


def set_up_logging(level: str, form: str) -> None:
    """Send structlog and the standard library's loggers to stderr in one form: `json`, `console` or `auto`."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(serializer=_json)
    errors = [without_content]
    structlog.configure(
        processors=[*shared, *errors, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", CurrentStderr())),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, last],
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
    )
    handler = logging.StreamHandler(CurrentStderr())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # At DEBUG it builds a record with key and value for every send: content in logs, and half the throughput.
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
