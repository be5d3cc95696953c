"""Logs: one line, in one form, and never a word of content."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.telemetry import set_up_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


QUOTED = "my secret"  # named, so that no line of code in a traceback shows it


def fail_with(exc: Exception) -> None:
    """Raise it."""
    raise exc


def fail_in_a_chain(text: str) -> None:
    """Raise an error that quotes `text` while handling another one that does."""
    try:
        fail_with(KeyError(text))
    except KeyError as exc:
        raise ValueError(f"cannot use {text}") from exc


def log_a_chain(text: str) -> None:
    """Log an exception that quotes `text`."""
    try:
        fail_in_a_chain(text)
    except ValueError:
        structlog.get_logger("weir").exception("detector.failed", detector="d")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_logged_without_its_message(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Classes, chain and lines of code are there; what the exception or a variable quotes is not."""
    set_up_logging("info", form)
    log_a_chain(QUOTED)
    told = capsys.readouterr().err
    assert QUOTED not in told
    assert "detector.failed" in told
    assert "KeyError" in told
    assert "ValueError" in told
    assert "fail_in_a_chain" in told


def test_an_infrastructure_error_keeps_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """What a connection says is what an operator needs."""
    set_up_logging("info", "json")
    try:
        fail_with(ConnectionRefusedError("broker:9092 refused"))
    except ConnectionRefusedError:
        structlog.get_logger("weir").exception("publish.failed")
    assert "broker:9092 refused" in json.loads(capsys.readouterr().err)["exception"]


def test_other_libraries_come_out_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of a library is a JSON line too, and its exceptions lose their messages as well."""
    set_up_logging("info", "json")
    try:
        fail_with(KeyError(QUOTED))
    except KeyError:
        logging.getLogger("somebody").warning("trouble", exc_info=True)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"], line["level"]) == ("trouble", "somebody", "warning")
    assert QUOTED not in line["exception"]


def test_the_clients_debug_records_are_off(capsys: pytest.CaptureFixture[str]) -> None:
    """At debug aiokafka would log keys and values."""
    set_up_logging("debug", "json")
    logging.getLogger("aiokafka.producer").debug("value=%r", b"secret")
    assert capsys.readouterr().err == ""
