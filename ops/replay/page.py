"""A replay as one HTML page: no script, no outside file, everything from the recordings escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from ops.replay.compare import Quality, Replay
from ops.replay.stats import Share

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#a00}.good{color:#070}code{background:#f3f3f3;padding:0 .2rem}
svg{display:block;margin:.5rem 0}
"""  # noqa: E501  # a style sheet


def render_page(replay: Replay, broken: Sequence[str] | None) -> str:
    """The page; `broken` are the gate's complaints, None when there was no gate."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Policy replay</title>",
        f"<style>{_STYLE}</style><h1>Policy replay</h1>",
        f"<p><code>{escape(replay.old)}</code> → <code>{escape(replay.new)}</code></p>",
        _gate(broken),
        _summary(replay),
        "<h2>Actions</h2>",
        _table(["before", "after", "events"], [[a, b, str(n)] for (a, b), n in sorted(replay.moves.items())]),
        "<h2>Rules</h2>",
        _rules(replay),
        *(_slices(replay, name) for name in ("locale", "surface", "tenant")),
        "<h2>Review queues, events per hour</h2>",
        *_queues(replay),
        "<h2>Against reviewers' labels</h2>",
        _quality(replay),
        "<h2>Some changed events</h2>",
        _table(["event", "before", "after"], [list(row) for row in replay.examples]),
    ]
    return "\n".join(parts) + "</html>\n"


def _summary(replay: Replay) -> str:
    share = Share(replay.changed, replay.events)
    counts = f"{replay.stricter} stricter, {replay.looser} looser ({share})"
    return f"<p>{replay.events} events; {replay.changed} get another action: {counts}.</p>"


def _gate(broken: Sequence[str] | None) -> str:
    if broken is None:
        return ""
    if not broken:
        return "<p class=good>The gate is passed.</p>"
    return (
        "<p class=bad>The gate is not passed:</p><ul class=bad>"
        + "".join(f"<li>{escape(text)}</li>" for text in broken)
        + "</ul>"
    )


def _rules(replay: Replay) -> str:
    rows = [
        [name, *(str(n) for n in (r.old, r.new, r.only_old, r.only_new, r.old_shadow, r.new_shadow, r.new_undecided))]
        for name, r in sorted(replay.rules.items(), key=lambda item: (-(item[1].only_old + item[1].only_new), item[0]))
        if r.old or r.new or r.old_shadow or r.new_shadow or r.new_undecided
    ]
    head = ["rule", "before", "after", "only before", "only after", "shadow before", "shadow after", "undecided after"]
    return _table(head, rows)


def _slices(replay: Replay, name: str) -> str:
    found = replay.slices.get(name, {})
    rows = [
        [value, str(s.events), str(s.stricter), str(s.looser), str(Share(s.stricter + s.looser, s.events))]
        for value, s in sorted(found.items(), key=lambda item: -item[1].events)[:40]
    ]
    return f"<h2>By {name}</h2>" + _table([name, "events", "stricter", "looser", "share changed"], rows)


def _queues(replay: Replay) -> Iterable[str]:
    for name in sorted(replay.old_queues.keys() | replay.new_queues.keys()):
        old, new = replay.old_queues.get(name, Counter()), replay.new_queues.get(name, Counter())
        yield f"<p>{escape(name)}: {_load(old, replay)} before, {_load(new, replay)} after</p>"
        yield _bars(sorted(replay.hours), old, new)


def _load(queue: Counter[int], replay: Replay) -> str:
    hours = max(1, len(replay.hours))
    return f"{sum(queue.values()) / hours:.1f} on average and {max(queue.values(), default=0)} in the fullest hour"


def _bars(hours: Sequence[int], old: Counter[int], new: Counter[int]) -> str:
    """Pairs of bars, grey before and blue after; the last 96 hours."""
    shown = hours[-96:]
    top = max([1, *(old[h] for h in shown), *(new[h] for h in shown)])
    width = 9
    bars = []
    for n, hour in enumerate(shown):
        for offset, count, colour in ((0, old[hour], "#aaa"), (4, new[hour], "#2463b0")):
            height = round(80 * count / top, 1)
            bars.append(
                f'<rect x="{n * width + offset}" y="{84 - height}" width="4" height="{height}" fill="{colour}"/>'
            )
    title = f"<title>{top} is the highest bar</title>"
    return f'<svg width="{max(60, len(shown) * width)}" height="86" role="img">{title}{"".join(bars)}</svg>'


def _quality(replay: Replay) -> str:
    if not replay.new_quality:
        return "<p>The recordings carry no labels.</p>"
    rows = [
        [
            category,
            str(replay.old_quality.get(category, Quality()).precision),
            str(found.precision),
            str(replay.old_quality.get(category, Quality()).recall),
            str(found.recall),
        ]
        for category, found in sorted(replay.new_quality.items())
    ]
    return _table(["category", "precision before", "after", "recall before", "after"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if c.isdigit() else ''}>{escape(c)}</td>" for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
