"""Settings: read from the environment, checked, and never half understood."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ops.local.errors import LocalStackError
from ops.targets import SettingsError, read_settings, resolve
from streams.app import build_limits
from streams.settings import Settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, and a home of our own."""
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))


def test_the_variables_of_the_readme_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """What deployments set ends where it belongs."""
    monkeypatch.setenv("WEIR_KAFKA_BOOTSTRAP", "a:1,b:2")
    monkeypatch.setenv("WEIR_TRITON_URL", "t:8001")
    monkeypatch.setenv("WEIR_POLICIES", "/etc/weir/policies")
    monkeypatch.setenv("WEIR_GROUP", "g")
    monkeypatch.setenv("WEIR_TOPIC_PREFIX", "eu.content.")
    settings = read_settings()
    assert (settings.kafka_bootstrap, settings.triton_url, settings.group) == ("a:1,b:2", "t:8001", "g")
    assert settings.policies == Path("/etc/weir/policies")
    assert settings.topic("incoming") == "eu.content.incoming"


def test_media_roots_are_a_path_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in PATH; nothing at all means that nothing may be read."""
    assert Settings().media_roots == ()
    monkeypatch.setenv("WEIR_MEDIA_ROOTS", f"/a{os.pathsep}{os.pathsep}/b c")
    assert Settings().media_roots == (Path("/a"), Path("/b c"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEIR_BATCH_SIZE", "0"),
        ("WEIR_BATCH_SIZE", "many"),
        ("WEIR_DEADLINE_S", "0"),
        ("WEIR_DEADLETTER_SHARE", "1.5"),
        ("WEIR_BACKLOG", "-1"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """An operator reads the variable's own name, and the problem."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: Input should be"):
        read_settings()


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start, one list of what to mend."""
    monkeypatch.setenv("WEIR_BATCH_SIZE", "x")
    monkeypatch.setenv("WEIR_BACKLOG", "x")
    with pytest.raises(SettingsError, match=r"(?s)WEIR_BATCH_SIZE.*WEIR_BACKLOG"):
        read_settings()


def test_settings_do_not_change_under_a_running_worker() -> None:
    """They are read once."""
    with pytest.raises(ValidationError):
        Settings().batch_size = 5


def test_an_address_that_nothing_gives_is_a_missing_dependency() -> None:
    """The message says which variable to set and what else to do."""
    with pytest.raises(LocalStackError, match="WEIR_KAFKA_BOOTSTRAP") as caught:
        resolve(kafka=True)
    assert "weir up" in str(caught.value)


def test_every_setting_is_described() -> None:
    """`weir config` shows these lines."""
    assert all(field.description for field in Settings.model_fields.values())


def test_limits_come_from_settings() -> None:
    """Every limit of the moderator has a setting of the same name."""
    settings = Settings(batch_size=3, backlog=7, stall_s=9.0)
    limits = build_limits(settings)
    assert all(getattr(limits, name) == getattr(settings, name) for name in type(limits).__dataclass_fields__)
