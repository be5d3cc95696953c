"""A replay as one HTML page: no script, no outside file, everything from the recordings escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from ops.replay.compare import Quality, Replay
from ops.replay.stats import Share
from policies.engine.taxonomy import Action

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd}
td{white-space:nowrap}th{vertical-align:bottom;text-align:left}th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}.bad{color:#a00}.good{color:#070}code{background:#f3f3f3;padding:0 .2rem;overflow-wrap:anywhere}
svg{display:block;margin:.5rem 0}svg text{font-size:12px;fill:#555}
.old{fill:#999}.new{fill:#2463b0}i.old,i.new{display:inline-block;width:.8em;height:.8em;background:#999}i.new{background:#2463b0}
"""
_LEGEND = "<p><i class=old></i> before &nbsp; <i class=new></i> after</p>"


def render_page(replay: Replay, broken: Sequence[str] | None) -> str:
    """The page; `broken` are the gate's complaints, None when there was no gate."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'><title>Policy replay</title>",
        f"<style>{_STYLE}</style><h1>Policy replay</h1>",
        f"<p><code>{escape(replay.old)}</code> → <code>{escape(replay.new)}</code></p>",
        _gate(broken),
        _summary(replay),
        f"<h2>Actions</h2>{_LEGEND}",
        _action_bars(replay),
        _table(["before", "after", "events"], [[a, b, str(n)] for (a, b), n in sorted(replay.moves.items())]),
        "<h2>Rules</h2>",
        _rules(replay),
        *(_slices(replay, name) for name in ("locale", "surface", "tenant")),
        f"<h2>Review queues, events per hour</h2>{_LEGEND}",
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


def _action_bars(replay: Replay) -> str:
    """For each action but the mildest, which would hide the others, how many events get it."""
    counts = {"old": Counter[str](), "new": Counter[str]()}
    for (before, after), events in replay.moves.items():
        counts["old"][before] += events
        counts["new"][after] += events
    shown = [a for a in Action if a is not Action.ALLOW and any(side[a.word] for side in counts.values())]
    if not shown:
        return "<p>No event gets more than allow.</p>"
    top = max(side[a.word] for side in counts.values() for a in shown)
    bars = []
    for n, action in enumerate(shown):
        bars.append(f'<text x="0" y="{n * 34 + 20}">{action.word}</text>')
        for offset, side in ((2, "old"), (16, "new")):
            count, y = counts[side][action.word], n * 34 + offset
            width = round(300 * count / top, 1)
            bars.append(f'<rect class="{side}" x="60" y="{y}" width="{width}" height="13"/>')
            bars.append(f'<text x="{width + 66}" y="{y + 11}">{count}</text>')
    return f'<div class=wide><svg width="400" height="{len(shown) * 34}" role="img">{"".join(bars)}</svg></div>'


def _bars(hours: Sequence[int], old: Counter[int], new: Counter[int]) -> str:
    """Pairs of bars for the last 96 hours that have events, with the highest number and the first and last hour."""
    shown = hours[-96:]
    top = max([1, *(old[h] for h in shown), *(new[h] for h in shown)])
    step = 9 if len(shown) > 24 else 24
    wide = step // 2 - 1
    bars = [f'<text x="0" y="12">{top}</text><text x="0" y="92">0</text>']
    for n, hour in enumerate(shown):
        for offset, count, side in ((0, old[hour], "old"), (wide, new[hour], "new")):
            height = round(80 * count / top, 1)
            x, y = 40 + n * step + offset, round(92 - height, 1)
            bars.append(f'<rect class="{side}" x="{x}" y="{y}" width="{wide}" height="{height}"/>')
        bars.append(f"<title>{top} is the highest bar</title>" if n == 0 else "")
    right = 40 + max(len(shown) * step, 60)
    bars.append(f'<line x1="40" x2="{right}" y1="92.5" y2="92.5" stroke="#999"/>')
    if shown:
        first, last = (datetime.fromtimestamp(h * 3600, UTC) for h in (shown[0], shown[-1]))
        span = f"{first:%Y-%m-%d %H:00}" + (f" to {last:%Y-%m-%d %H:00}" if last > first else "") + " UTC"
        bars.append(f'<text x="40" y="108">{span}, hours with events</text>')
    return f'<div class=wide><svg width="{max(right, 480)}" height="114" role="img">{"".join(bars)}</svg></div>'


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
    numbers = [n > 0 and all(row[n].isdigit() for row in rows) for n in range(len(head))]
    top = "".join(
        f"<th{' class=n' if number else ''}>{escape(h)}</th>" for number, h in zip(numbers, head, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if number else ''}>{escape(c)}</td>" for number, c in zip(numbers, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"
