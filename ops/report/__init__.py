"""A run of Weir as one HTML file that needs nothing else: what was judged, how, why, and what could not be."""

from ops.report.page import render_report
from ops.report.run import DeadLetterRow, EventRow, Outcomes, RunReport, percentile
from ops.report.thumbnails import blurred_thumbnail

__all__ = [
    "DeadLetterRow",
    "EventRow",
    "Outcomes",
    "RunReport",
    "blurred_thumbnail",
    "percentile",
    "render_report",
]
