"""ContentEvent → Subject: what policies may know of an event. Pure."""

from __future__ import annotations

from policies.engine.subject import Subject
from policies.engine.subject import TextPart as SubjectText
from streams.core.events import Audience, Author, ContentEvent, Context, ImagePart, TextPart

_NO_CONTEXT = Context()
_NO_AUDIENCE = Audience()


def subject_of(event: ContentEvent) -> Subject:
    """The event without its bytes and transport."""
    author: Author | None = event.author
    context = event.context or _NO_CONTEXT
    audience = event.audience or _NO_AUDIENCE
    return Subject(
        event_id=event.event_id,
        content_id=event.content_id,
        kind=event.kind,
        surface=event.surface,
        locale=event.locale,
        created_at=event.created_at,
        key=event.key,
        tenant=event.tenant,
        texts=tuple(SubjectText(i, p.text, p.role) for i, p in enumerate(event.parts) if isinstance(p, TextPart)),
        image_count=sum(isinstance(part, ImagePart) for part in event.parts),
        author_id=author.id if author else None,
        author_created_at=author.created_at if author else None,
        author_verified=author.verified if author else None,
        author_kind=author.kind if author else None,
        audience_minors=audience.minors,
        audience_size=audience.size,
        quoted=context.quoted,
        parent_id=context.parent_id,
        thread_id=context.thread_id,
        parent_text=context.parent_text,
        labels=event.labels or {},
    )
