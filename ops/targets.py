"""Settings with the addresses filled in: what the environment says, else the stack that `weir up` started."""

from __future__ import annotations

from pydantic import ValidationError

from ops.local.errors import LocalStackError
from ops.local.state import RunFolder
from streams.settings import Settings


class SettingsError(Exception):
    """A setting has a value that cannot be used; every such setting is named."""


def read_settings() -> Settings:
    """The settings of the environment; SettingsError names each wrong variable, its problem, and nothing secret."""
    try:
        return Settings()
    except ValidationError as exc:
        lines = [f"WEIR_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in exc.errors()]
        raise SettingsError("settings cannot be used:\n  " + "\n  ".join(lines)) from exc


def resolve(*, kafka: bool = False, triton: bool = False) -> Settings:
    """The settings with the wanted addresses; LocalStackError when one is neither set nor running here."""
    settings = read_settings()
    found: dict[str, str] = {}
    if kafka and not settings.kafka_bootstrap:
        found["kafka_bootstrap"] = running_address(settings, "kafka", "bootstrap", "WEIR_KAFKA_BOOTSTRAP")
    if triton and not settings.triton_url:
        found["triton_url"] = running_address(settings, "triton", "grpc", "WEIR_TRITON_URL")
    return settings.model_copy(update=found)


def running_address(settings: Settings, service: str, address: str, variable: str) -> str:
    """The address of a service of the local stack; LocalStackError with what to do when it does not run."""
    state = RunFolder(settings.home).running(service)
    if state is None or address not in state.addresses:
        raise LocalStackError(
            f"no {service} is known: {variable} is not set and none runs here",
            hint=f"set {variable}, or start the local stack with `weir up`",
        )
    return state.addresses[address]
