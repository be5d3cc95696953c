"""Lists: three views, word edges by script, spans of the original text, patterns, domains, URLs."""

from __future__ import annotations

import pytest

from policies import scan_lists
from policies.engine.lists import applies_to
from policies.engine.signals import SignalSet
from policies.engine.subject import TextPart
from tests.policy_folders import a_bundle_of

BUNDLE = a_bundle_of(
    lists__phrases="""
        list: phrases
        kind: keywords
        version: "1"
        owner: t
        entries:
          en: [grape, cat]
          de: [maß]
          ru: [слово]
          ja: [死ね]
          ko: [바보]
          "*": [f*ck, 🖕]
        allow: [cat flap]
    """,
    lists__rated="""
        list: rated
        kind: keywords
        version: "1"
        owner: t
        entries: {en: [{term: mildly, severity: 1}, {term: wildly, severity: 5, note: bad}]}
    """,
    lists__patterns="""
        list: patterns
        kind: patterns
        version: "1"
        owner: t
        entries: {"*": ['\\bcall\\s+\\+?\\d{6,}'], de: ['\\bruf\\s+an\\b']}
    """,
    lists__places="""
        list: places
        kind: domains
        version: "1"
        owner: t
        entries: {"*": [evil.example, пример.example]}
    """,
    lists__links="""
        list: links
        kind: urls
        version: "1"
        owner: t
        entries: {"*": [chat.example/invite/, Video.example/Bad]}
    """,
)


def scan(*texts: str, locale: str = "en") -> SignalSet:
    """The `list.*` signals of some texts."""
    return scan_lists(BUNDLE, [TextPart(n, text) for n, text in enumerate(texts)], locale)


def found(name: str, text: str, locale: str = "en") -> list[str]:
    """The pieces of the text that the list found."""
    spans = scan(text, locale=locale).spans.get(f"list.{name}.hits", ())
    return [text[s.start : s.end] for s in spans]


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("a badword.", "badword"),
        ("BADWORD", "badword".upper()),
        ("ｂａｄｗｏｒｄ", "ｂａｄｗｏｒｄ"),
        ("two badwords", "badword"),
        ("bаdwоrd", "bаdwоrd"),  # Cyrillic а and о
        ("bad\u200bword", "bad\u200bword"),
        ("b\u0336a\u0336d\u0336w\u0336o\u0336r\u0336d\u0336", "b\u0336a\u0336d\u0336w\u0336o\u0336r\u0336d"),
        ("bádwörd", "bádwörd"),
        ("b4dw0rd!", "b4dw0rd"),
        ("b@dword", "b@dword"),
        ("b a d w o r d", "b a d w o r d"),
        ("b.a.d.w.o.r.d", "b.a.d.w.o.r.d"),
        ("baaaadword", "baaaadword"),
        ("badwordddd", "badwordddd"),
        ("badword88", "badword"),
        ("such a worse phrase indeed", "worse phrase"),
        ("#badword", "badword"),
    ],
)
def test_disguises_are_seen_through(text: str, piece: str) -> None:
    """And the span is the piece of the original text."""
    assert found("slurs", text) == [piece]


@pytest.mark.parametrize("text", ["badwordsmith", "abadword", "embad wordless", "worse-phrase", ""])
def test_words_end_at_their_edges(text: str) -> None:
    """A longer word is another word."""
    assert found("slurs", text) == []


def test_a_list_that_is_not_explicit_knows_no_leet() -> None:
    """Ordinary lists look through look-alikes and invisible characters only."""
    assert found("phrases", "gr4pe and g r a p e") == []
    assert found("phrases", "grаpe") == ["grаpe"]


def test_scripts_without_spaces_have_no_word_edges() -> None:
    """Chinese and Japanese match inside of a sentence, and a Latin letter beside them is an edge."""
    assert found("slurs", "你这个坏词啊", "zh") == ["坏词"]
    assert found("phrases", "もう死ねよ", "ja") == ["死ね"]
    assert found("slurs", "这badword啊", "en") == ["badword"]


def test_entries_are_read_in_the_declared_language() -> None:
    """An undetermined locale is read in all of them."""
    assert found("slurs", "übelwort badword", "de-AT") == ["übelwort"]
    assert found("slurs", "übelwort badword", "en-GB") == ["badword"]
    assert found("slurs", "übelwort badword", "und") == ["übelwort", "badword"]
    assert found("slurs", "übelwort", "DE_at") == ["übelwort"]


@pytest.mark.parametrize(
    ("language", "locale"), [("no", "nb-NO"), ("no", "nn"), ("zh", "yue-HK"), ("nb", "no"), ("fil", "tl")]
)
def test_a_language_is_known_by_its_other_codes(language: str, locale: str) -> None:
    """Whichever of them the list or the event uses."""
    assert applies_to(language, locale)
    assert not applies_to(language, "de")


def test_letters_that_belong_to_a_language_are_kept() -> None:
    """ü is not u in German, ß folds to ss, and a Russian word stays Russian."""
    assert found("slurs", "ubelwort", "de") == []
    assert found("phrases", "das MASS ist voll", "de") == ["MASS"]
    assert found("phrases", "это слово", "ru") == ["слово"]


def test_signs_and_emoji_may_be_entries() -> None:
    """A whole sign has an edge on both sides."""
    assert found("phrases", "oh f*ck you🖕now") == ["f*ck", "🖕"]


def test_an_innocent_phrase_excuses_its_entry_only_inside() -> None:
    """The cat outside of the flap is still found."""
    assert found("phrases", "a cat flap and a cat") == ["cat"]


def test_hits_matches_and_severity() -> None:
    """Hits are places, matches are entries, severity is the worst entry's."""
    signals = scan("badword and badword", "wildly mildly")
    assert signals.values["list.slurs.hits"] == 2
    assert signals.values["list.slurs.matches"] == ("badword",)
    assert signals.values["list.rated.severity"] == 5
    assert [s.part for s in signals.spans["list.rated.hits"]] == [1, 1]
    assert signals.origin["list.rated.hits"] == 1


def test_nothing_to_read_is_not_nothing_found() -> None:
    """Without text there are no list signals; with a harmless text they are 0."""
    assert scan().values == {}
    assert scan("good morning").values["list.slurs.hits"] == 0


def test_patterns_are_found_with_their_spans() -> None:
    """Case-folded, by RE2, in the declared language."""
    assert found("patterns", "please CALL +123456789 now") == ["CALL +123456789"]
    assert found("patterns", "Ruf an!", "de") == ["Ruf an"]
    assert found("patterns", "Ruf an!", "en") == []


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x?y=1",
        "see evil.example.",
        "www.EVIL.example",
        "http://user@login.evil.example:8080/",
        "evil[.]example",
        "evil[dot]example",
    ],
)
def test_a_domain_fits_its_subdomains_however_it_is_written(text: str) -> None:
    """With a scheme or without, defanged or not."""
    assert scan(text).values["list.places.matches"] == ("evil.example",)


@pytest.mark.parametrize("text", ["evil.example.org", "notevil.example", "evil example", "evil.examples"])
def test_a_domain_does_not_fit_others(text: str) -> None:
    """Only whole labels, from the right."""
    assert scan(text).values["list.places.hits"] == 0


def test_urls_fit_by_path_prefix() -> None:
    """Host and the path's beginning, without case."""
    assert scan("https://www.chat.example/invite/abc").values["list.links.hits"] == 1
    assert scan("https://chat.example/help").values["list.links.hits"] == 0
    assert scan("video.example/BAD/1").values["list.links.matches"] == ("Video.example/Bad",)


def test_a_pattern_that_would_run_for_ever_elsewhere_is_quick() -> None:
    """The scan of a hostile text ends; a timeout of the test run would show otherwise."""
    text = "call " + "+1" * 20_000 + "a" * 20_000
    assert scan(text).values["list.patterns.hits"] == 0
