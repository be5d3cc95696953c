"""The ensemble as a detector: items from events, signals from opinions, and why a signal is not there."""

from __future__ import annotations

import pytest

from policies.engine.signals import SignalSet, SignalStatus
from streams.core.events import ContentEvent, TextPart, VideoPart
from streams.detectors.clip_safety import MAX_WINDOWS, ClipSafety
from streams.ports import ModelItem, ModelOpinion, ModelUnavailableError
from tests.factories import an_event, an_event_of, an_image, an_opinion
from tests.fakes import FakeModel, FakePictures
from triton_models.contract import MAX_TEXT_CHARS


async def detect(model: FakeModel, *events: ContentEvent, bad: frozenset[str] = frozenset()) -> list[SignalSet]:
    """What the detector says of `events`."""
    return await ClipSafety(model, FakePictures(bad)).detect(events, timeout_s=5)


def by_text(**scores: float) -> FakeModel:
    """A model whose hate score depends on the text: the first of `scores` whose name occurs in it."""

    def answer(item: ModelItem) -> ModelOpinion:
        found = [score for word, score in scores.items() if word in (item.text or "")]
        return an_opinion({"hate": found[0] if found else 0.0}, row="joint" if item.image else "text")

    return FakeModel(answer)


async def test_a_text_becomes_one_item_and_its_scores_signals() -> None:
    """Fused and source scores, severity, model and tier are there under their names, with the part they came from."""
    (found,) = await detect(by_text(bad=0.75), an_event("bad words"))
    assert found.values["score.hate"] == found.values["score.hate.text"] == 0.75
    assert found.values["severity.hate"] == 5
    assert found.origin["score.hate"] == 0
    assert (found.models, found.tier) == ({"clip_safety": "fake-1"}, "reference")


async def test_a_batch_is_one_call_and_each_event_gets_its_own_answer() -> None:
    """Events without anything to judge take no place in the call."""
    model = by_text(bad=0.9, good=0.1)
    found = await detect(model, an_event("bad"), an_event_of(TextPart(text="  ")), an_event("good"))
    assert [len(call) for call in model.calls] == [2]
    assert [one.values.get("score.hate") for one in found] == [0.9, None, 0.1]


async def test_what_an_event_does_not_have_is_absent() -> None:
    """No image is not a failure: image and joint scores are absent, the unjudged category was not run."""
    (found,) = await detect(by_text(bad=0.9), an_event("bad"))
    assert found.status("score.hate.image") is SignalStatus.ABSENT
    assert found.status("score.hate.joint") is SignalStatus.ABSENT
    assert found.status("score.drugs") is SignalStatus.NOT_RUN


async def test_an_event_with_nothing_to_judge_says_so() -> None:
    """A blank text asks the model nothing; all scores are absent, none is zero."""
    model = FakeModel()
    (found,) = await detect(model, an_event_of(TextPart(text=" \n")))
    assert model.calls == []
    assert not any(name.startswith("score.") for name in found.values)
    assert found.status("score.hate") is SignalStatus.ABSENT


async def test_the_most_severe_picture_counts_and_is_named() -> None:
    """A post with several pictures becomes several items; the worst decides and its part is kept."""
    pictures = [an_image(data=None, uri=f"file:///{n}") for n in range(3)]
    answers = iter([0.1, 0.8, 0.3])
    model = FakeModel(lambda _: an_opinion({"hate": next(answers)}, row="image"))
    (found,) = await detect(model, an_event_of(TextPart(text="caption"), *pictures))
    assert [(item.text, item.image is not None) for item in model.calls[0]] == [("caption", True)] * 3
    assert found.values["score.hate.image"] == 0.8
    assert found.origin["score.hate"] == 2


async def test_a_picture_that_cannot_be_read_is_a_failed_signal_and_the_text_is_judged() -> None:
    """The text keeps its score; the image's is missing because something broke, not because there is none."""
    event = an_event_of(TextPart(text="bad"), an_image(data=None, uri="file:///gone"))
    (found,) = await detect(by_text(bad=0.9), event, bad=frozenset({"file:///gone"}))
    assert found.values["score.hate.text"] == 0.9
    assert found.values["image.unreadable"] == 1
    gone = found.missing["score.hate.image"]
    assert (gone.status, gone.why) == (SignalStatus.FAILED, "media.missing: not there")


async def test_one_unreadable_picture_among_others_is_counted() -> None:
    """What could be read is judged; the count says that something was not."""
    event = an_event_of(an_image(data=None, uri="file:///gone"), an_image())
    (found,) = await detect(FakeModel(), event, bad=frozenset({"file:///gone"}))
    assert found.values["image.unreadable"] == 1
    assert found.values["score.hate"] == 0.25


async def test_only_unreadable_pictures_leave_the_fused_score_failed() -> None:
    """Nothing could be judged, and a policy must be able to tell that from a clean picture."""
    event = an_event_of(an_image(data=None, uri="file:///gone"))
    (found,) = await detect(FakeModel(), event, bad=frozenset({"file:///gone"}))
    assert found.status("score.hate") is SignalStatus.FAILED
    assert found.status("severity.hate") is SignalStatus.FAILED


async def test_a_long_text_is_read_in_windows() -> None:
    """Harm behind a long preface is seen, and the whole text counts as read."""
    model = by_text(bad=0.9)
    (found,) = await detect(model, an_event("x" * (MAX_TEXT_CHARS + 500) + " bad"))
    assert [len(item.text or "") for item in model.calls[0]] == [MAX_TEXT_CHARS, 704]
    assert found.values["score.hate"] == 0.9
    assert found.values["text.read_share"] == 1.0


async def test_a_word_on_the_edge_of_two_windows_is_in_one_of_them() -> None:
    """Windows overlap."""
    model = by_text(forbidden=0.9)
    (found,) = await detect(model, an_event("x" * (MAX_TEXT_CHARS - 4) + "forbidden" + "x" * 900))
    assert found.values["score.hate"] == 0.9


async def test_a_text_beyond_all_windows_says_how_much_was_read() -> None:
    """A policy can see that the end of it was not looked at."""
    model = FakeModel()
    (found,) = await detect(model, an_event("x" * 100_000))
    assert len(model.calls[0]) == MAX_WINDOWS
    assert 0.1 < float(str(found.values["text.read_share"])) < 0.2


async def test_texts_of_one_event_are_read_together() -> None:
    """Title and body are one context."""
    model = FakeModel()
    await detect(model, an_event_of(TextPart(text="title", role="title"), TextPart(text="body")))
    assert [item.text for item in model.calls[0]] == ["title\nbody"]


async def test_a_dead_model_is_a_failed_signal_for_those_who_needed_it() -> None:
    """The event with text misses its scores; the event without anything to judge is not affected."""
    model = FakeModel(failure=ModelUnavailableError("down"))
    needs, other = await detect(model, an_event("text"), an_event_of(VideoPart(uri="file:///v")))
    assert needs.status("score.hate") is SignalStatus.FAILED
    assert needs.missing["score.hate"].why == "down"
    assert needs.values["text.read_share"] == 1.0
    assert other.status("score.hate") is SignalStatus.ABSENT


async def test_a_late_model_is_a_timeout() -> None:
    """A policy may treat slow and broken differently."""
    (found,) = await detect(FakeModel(failure=ModelUnavailableError("late", timeout=True)), an_event("text"))
    assert found.status("score.hate") is SignalStatus.TIMEOUT


async def test_videos_are_counted_as_unjudged() -> None:
    """This release does not look into them, and says so."""
    (found,) = await detect(FakeModel(), an_event_of(TextPart(text="x"), VideoPart(uri="file:///v")))
    assert found.values["video.unjudged"] == 1


async def test_the_most_contradictory_pair_gives_the_joint_reading() -> None:
    """Of two pictures under one caption, the one that contradicts it more is reported."""
    readings = iter([(0.5, 0.1, 0.0), (0.2, 0.7, 0.3)])
    model = FakeModel(lambda _: an_opinion({}, joint=next(readings)))
    (found,) = await detect(model, an_event_of(TextPart(text="x"), an_image(), an_image()))
    assert [found.values[f"joint.{n}"] for n in ("alignment", "contradiction", "interaction_gain")] == [0.2, 0.7, 0.3]


async def test_every_signal_it_sets_is_declared() -> None:
    """Policies are checked against what the detector declares: nothing undeclared may appear."""
    declared = {spec.name for spec in ClipSafety.provides}
    for model in (FakeModel(), FakeModel(failure=ModelUnavailableError("down"))):
        found = await detect(model, an_event("text"), an_event_of(TextPart(text="x"), an_image()))
        for one in found:
            assert set(one.values) <= declared


@pytest.mark.parametrize(
    ("word", "status"), [("timed_out", SignalStatus.TIMEOUT), ("failed", SignalStatus.FAILED), ("ok", None)]
)
async def test_unread_text_in_a_picture_is_broken_and_not_harmless(word: str, status: SignalStatus | None) -> None:
    """Scores that the words might have given are missing and broken, never 0; the count says so beside other scores."""
    said = {"ocr": word}
    model = FakeModel(lambda _: an_opinion({"sexual": 0.1}, row="image", member_status=said))
    (found,) = await detect(model, an_event_of(an_image()))
    assert found.values["image.text_unread"] == (0 if status is None else 1)
    for name in ("score.hate", "severity.hate", "score.hate.image"):
        assert name not in found.values
        assert found.status(name) is (status or SignalStatus.NOT_RUN)
    assert found.values["score.sexual.image"] == 0.1  # what the picture itself shows
    assert found.status("score.hate.text") is SignalStatus.ABSENT
    assert found.status("score.sexual_minors") is SignalStatus.NOT_RUN


async def test_a_member_that_broke_and_left_no_score_is_no_reason_to_be_calm() -> None:
    """A text that nobody could judge is broken in all it may have had; what no member judges stays not run."""
    said = {"towers": "failed", "prompts": "failed", "ngrams": "ok"}
    model = FakeModel(lambda _: an_opinion({"harassment": 0.3}, member_status=said))
    (found,) = await detect(model, an_event("x"))
    assert found.values["score.harassment"] == 0.3  # the n-grams alone
    for name in ("score.violence", "severity.violence", "score.violence.text"):
        assert found.status(name) is SignalStatus.FAILED
    assert found.missing["score.violence"].why == "failed in the model: towers, prompts"
    assert found.status("score.violence.image") is SignalStatus.ABSENT
    assert found.status("score.sexual_minors") is SignalStatus.NOT_RUN


async def test_a_broken_picture_member_does_not_break_the_text() -> None:
    """The sexual-image classifier fails: picture and joint scores are broken, the text's gaps are as ever."""
    model = FakeModel(lambda _: an_opinion({"hate": 0.2}, member_status={"nsfw": "failed"}))
    (found,) = await detect(model, an_event_of(TextPart(text="x"), an_image()))
    assert found.values["score.hate"] == 0.2
    assert found.status("score.sexual.image") is found.status("score.sexual") is SignalStatus.FAILED
    assert found.status("score.sexual.text") is SignalStatus.NOT_RUN


async def test_a_text_is_judged_beside_a_picture_whose_words_are_unread() -> None:
    """The text's own score stands; image and joint are timed out."""
    model = FakeModel(lambda _: an_opinion({"hate": 0.2}, member_status={"ocr": "timed_out"}))
    (found,) = await detect(model, an_event_of(TextPart(text="x"), an_image()))
    assert found.values["score.hate"] == found.values["score.hate.text"] == 0.2
    assert found.status("score.hate.image") is found.status("score.hate.joint") is SignalStatus.TIMEOUT
