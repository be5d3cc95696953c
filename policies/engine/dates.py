"""Days of policies as points of event time. UTC only; no clock is read here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def end_of(day: date) -> float:
    """The first second, in epoch time, after the day: what expires that day still holds on it."""
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp()


def start_of(day: date) -> float:
    """The day's first second, in epoch time."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
