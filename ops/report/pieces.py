"""The pieces of the page as HTML. Everything that comes from outside passes through `esc`, at the place of use."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ops.report.evidence import evidence_words
from ops.report.run import DeadLetterRow, EventRow, Outcomes
from policies.engine.verdict import CategoryResult, Verdict

TOP_CATEGORIES = 3


def esc(value: object) -> str:
    """`value` as text that is safe inside elements and quoted attributes; control characters become U+FFFD."""
    text = "".join(c if c.isprintable() or c == " " else "\ufffd" for c in str(value))
    return escape(text, quote=True)


def words(name: str) -> str:
    """`spam_scam` as people write it."""
    return name.replace("_", " ")


def tiles(outcomes: Outcomes) -> str:
    """The figures, large."""
    share = f"{outcomes.flagged / outcomes.verdicts:.0%} of verdicts" if outcomes.verdicts else "no verdicts"
    entries = [
        ("Events", str(outcomes.events), f"{outcomes.verdicts} verdicts", ""),
        ("Flagged", str(outcomes.flagged), share, "warn" if outcomes.flagged else ""),
        ("Dead letters", str(outcomes.dead_letters), "kept with their bytes", ""),
        ("Unanswered", str(outcomes.missing), "neither verdict nor dead letter", "bad" if outcomes.missing else "good"),
        ("Latency p50", _ms(outcomes.p50_ms), "event to verdict", ""),
        ("Latency p95", _ms(outcomes.p95_ms), "event to verdict", ""),
    ]
    if outcomes.degraded:
        entries.append(("Degraded", str(outcomes.degraded), "judged with signals missing", "warn"))
    made = (
        f'<li class="tile {kind}"><span class="name">{esc(name)}</span><span class="figure">{esc(figure)}</span>'
        f'<span class="under">{esc(under)}</span></li>'
        for name, figure, under, kind in entries
    )
    return f'<ul class="tiles">{"".join(made)}</ul>'


def action_bar(outcomes: Outcomes) -> str:
    """How many events met which action, as one bar with a legend."""
    total = max(1, outcomes.verdicts)
    present = [(word, count) for word, count in outcomes.actions.items() if count]
    # Widths as SVG attributes: the page's policy forbids style attributes.
    at, bars = 0.0, []
    for word, count in present:
        width = 100 * count / total
        bars.append(f'<rect class="fill-{word}" x="{at:.3f}" y="0" width="{width:.3f}" height="10"/>')
        at += width
    legend = "".join(
        f'<li><span class="dot bg-{esc(word)}"></span>{esc(word)} <b>{count}</b></li>'
        for word, count in outcomes.actions.items()
    )
    told = esc(", ".join(f"{count} {word}" for word, count in present) or "no verdicts")
    return (
        '<div class="panel"><h2>Actions</h2>'
        f'<svg class="stack" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{told}">'
        f'{"".join(bars)}</svg><ul class="legend">{legend}</ul>{_top_rules(outcomes)}</div>'
    )


def _top_rules(outcomes: Outcomes) -> str:
    lines = "".join(
        f'<li><code>{esc(rule)}</code><span class="number">{count}</span></li>' for rule, count in outcomes.rules
    )
    return f'<h3>Rules that matched most</h3><ul class="top">{lines}</ul>' if lines else ""


def category_overview(outcomes: Outcomes) -> str:
    """In how many events each category was found."""
    most = max(1, *outcomes.categories.values())
    lines = "".join(
        f'<li><span class="name">{esc(words(name))}</span>{_bar(count / most)}<span class="number">{count}</span></li>'
        for name, count in outcomes.categories.items()
    )
    return f'<div class="panel"><h2>Categories found <small>score ≥ 0.5</small></h2><ul class="bars">{lines}</ul></div>'


def filters(outcomes: Outcomes) -> str:
    """Controls that the script brings to life; without it all rows show."""
    chips = "".join(
        f'<button type="button" class="chip" data-action="{esc(word)}" aria-pressed="false">'
        f'<span class="dot bg-{esc(word)}"></span>{esc(word)} <b>{count}</b></button>'
        for word, count in outcomes.actions.items()
        if count
    )
    return (
        '<form class="filters" role="search" hidden><label class="find"><span>Filter</span>'
        '<input type="search" id="find" placeholder="rule, category, locale, id …" autocomplete="off"></label>'
        f'<div class="chips" role="group" aria-label="Actions">{chips}</div>'
        '<p id="shown" role="status" aria-live="polite"></p></form>'
    )


def verdict_table(rows: Sequence[EventRow]) -> str:
    """One line an event; what led to its verdict unfolds."""
    if not rows:
        return '<p class="empty">No verdict arrived.</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Sample", "Action", "Categories", "Why", "Latency"))
    return (
        '<div class="scroll"><table class="verdicts"><caption class="hidden">Verdicts in order of arrival</caption>'
        f"<thead><tr>{head}</tr></thead>{''.join(_event(row) for row in rows)}</table></div>"
        '<p class="empty" id="none" hidden>No verdict matches the filter.</p>'
    )


def dead_letter_table(rows: Sequence[DeadLetterRow]) -> str:
    """What could not be judged, and why."""
    if not rows:
        return '<p class="empty">None: every record was an event.</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Record", "Code", "What was wrong", "Bytes", "From"))
    lines = "".join(
        f"<tr><td>{esc(row.note)}</td><td><code>{esc(row.code)}</code>{_fault(row.fault)}</td><td>{esc(row.detail)}</td>"
        f'<td class="number">{row.size_bytes:,}</td><td><code class="quiet">{esc(row.where)}</code></td></tr>'
        for row in rows
    )
    return (
        '<div class="scroll"><table class="dead"><caption class="hidden">Dead letters with their reasons</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _fault(fault: str) -> str:
    return "" if fault == "producer" else f' <span class="tag bad">{esc(fault)}</span>'


def _event(row: EventRow) -> str:
    verdict = row.verdict
    tags = "".join(
        f'<span class="tag">{esc(tag)}</span>' for tag in (verdict.kind, verdict.surface, verdict.locale) if tag
    )
    texts = "".join(f'<p class="masked">{esc(text)}</p>' for text in row.texts if text)
    pictures = "".join(_picture(url) for url in row.thumbnails)
    found = (
        f"{row.note} {verdict.event_id} {verdict.action} {verdict.kind} {verdict.surface} {verdict.locale} "
        + " ".join(
            [*(m.rule for m in verdict.matches), *verdict.reasons, *verdict.labels]
            + [c.name for c in verdict.categories if c.score is not None and c.score >= 0.5]
        )
    )
    action = esc(verdict.action)
    severity = f'<span class="severity">severity {verdict.severity}</span>' if verdict.severity else ""
    queue = f'<span class="severity">queue {esc(verdict.review_queue)}</span>' if verdict.review_queue else ""
    return (
        f'<tbody data-action="{action}" data-find="{esc(found.lower())}"><tr><td><div class="sample">'
        f'<div class="pictures">{pictures}</div>'
        f'<div><p class="note">{esc(row.note)}</p>{texts}<p class="tags">{tags}</p></div></div></td>'
        f'<td><span class="action bg-{action}">{action}</span>{severity}{queue}</td>'
        f"<td>{_categories(verdict)}</td><td>{_rules(verdict)}</td>"
        f'<td class="number">{_ms(row.latency_ms)}</td></tr>'
        f'<tr class="more"><td colspan="5"><details><summary>Details'
        f'<span class="hidden"> of {esc(verdict.event_id)}</span></summary>{_details(row)}</details></td></tr></tbody>'
    )


def _picture(url: str) -> str:
    if not url:
        return '<span class="picture gone" role="img" aria-label="picture that could not be read">?</span>'
    return f'<img class="picture" src="{esc(url)}" alt="blurred picture" width="44" height="44" loading="lazy">'


def _categories(verdict: Verdict) -> str:
    judged = sorted((c for c in verdict.categories if c.score is not None), key=lambda c: c.score or 0, reverse=True)
    if not judged:
        return '<p class="quiet">abstained</p>'
    return f'<ul class="bars">{"".join(_category(c) for c in judged[:TOP_CATEGORIES])}</ul>'


def _category(result: CategoryResult) -> str:
    score = result.score or 0.0
    kind = "high" if score >= 0.5 else ""
    return (
        f'<li class="{kind}"><span class="name">{esc(words(result.name))}</span>{_bar(score)}'
        f'<span class="number">{score:.2f}</span></li>'
    )


def _rules(verdict: Verdict) -> str:
    if not verdict.matches:
        return '<p class="quiet">no rule matched</p>'
    rules = "".join(
        f'<li><code>{esc(match.rule)}</code> <span class="quiet">→ {esc(match.action)}</span></li>'
        for match in verdict.matches
    )
    return f'<ul class="rules">{rules}</ul>'


def _details(row: EventRow) -> str:
    verdict = row.verdict
    pieces = [
        ("Evidence", [line for match in verdict.matches for line in evidence_words(match)]),
        ("Reasons", list(verdict.reasons)),
        ("Labels", list(verdict.labels)),
        ("In shadow", [f"{one.rule} would {one.action}" for one in verdict.shadow]),
        ("Suppressed", [f"{one.rule} by {one.exception}" for one in verdict.suppressed]),
        ("Undecided", [f"{one.rule} without {', '.join(one.missing)}: {one.why}" for one in verdict.undecided]),
        ("Degraded", [f"{len(one.signals)} signals {one.status}: {one.why}" for one in verdict.degraded]),
        ("All scores", [_score_words(result) for result in verdict.categories]),
        ("Text with image", _joint_words(verdict)),
        ("Timings", [f"{name} {ms:.1f} ms" for name, ms in row.timings_ms.items()]),
        ("Ids", [f"event {verdict.event_id}", f"content {verdict.content_id}", f"verdict {verdict.verdict_id}"]),
        ("Source", [row.source]),
    ]
    return "<dl>" + "".join(_piece(name, lines) for name, lines in pieces if any(lines)) + "</dl>"


def _piece(name: str, lines: Sequence[str]) -> str:
    return f"<div><dt>{esc(name)}</dt>{''.join(f'<dd>{esc(line)}</dd>' for line in lines if line)}</div>"


def _score_words(result: CategoryResult) -> str:
    if result.score is None:
        return f"{words(result.name)}: abstained"
    origin = f" from {', '.join(result.sources)}" if result.sources else ""
    severity = f", severity {result.severity}" if result.severity is not None else ""
    return f"{words(result.name)}: {result.score:.3f}{severity}{origin}"


def _joint_words(verdict: Verdict) -> list[str]:
    if verdict.joint is None:
        return []
    named = [("alignment", verdict.joint.alignment), ("contradiction", verdict.joint.contradiction)]
    named.append(("interaction gain", verdict.joint.interaction_gain))
    return [f"{name} {value:.2f}" for name, value in named if value is not None]


def _bar(share: float) -> str:
    width = 100 * min(1.0, max(0.0, share))
    return (
        '<svg class="bar-of" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="6"/><rect class="fill" width="{width:.1f}" height="6"/></svg>'
    )


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1_000 else f"{value / 1000:,.1f} s"
