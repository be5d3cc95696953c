"""Which device a release runs on: the configuration written, the providers asked for, and no CPU in silence."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.commands import model as model_command
from ops.exits import MISUSED
from triton_models import assemble as assembling
from triton_models.assemble import TEMPLATE, AssembleOptions, config_for, configured_device
from triton_models.release_store import CONFIG, pinned_versions, with_pin
from triton_models.serving import sessions
from triton_models.serving.sessions import CPU, CUDA, Device, DeviceError, device_of, on_device, providers_for

PLAIN = (TEMPLATE / "config.pbtxt").read_text(encoding="utf-8")
GPU = Device("cuda")
EITHER = Device("cuda", allow_cpu=True)


class FakeRuntime:
    """Stands in for onnxruntime: what it has, and what a session really runs on."""

    def __init__(self, available: Sequence[str], starts: Sequence[str] | None = None) -> None:
        self.available, self.starts = available, starts
        self.asked: list[Any] = []
        self.SessionOptions = lambda: SimpleNamespace(add_session_config_entry=lambda *_: None)

    def get_available_providers(self) -> Sequence[str]:
        """What is compiled in."""
        return self.available

    def InferenceSession(self, _path: str, _options: object, *, providers: Sequence[Any]) -> Any:  # noqa: N802 - theirs
        """A session on what starts, or on all that is asked for."""
        self.asked.append(providers)
        names = [one if isinstance(one, str) else one[0] for one in providers]
        return SimpleNamespace(get_providers=lambda: list(self.starts or names))


def use(monkeypatch: pytest.MonkeyPatch, available: Sequence[str], starts: Sequence[str] | None = None) -> FakeRuntime:
    """The stand-in in onnxruntime's place."""
    runtime = FakeRuntime(available, starts)
    monkeypatch.setattr(sessions, "ort", runtime)
    return runtime


def test_the_cpus_configuration_is_the_template() -> None:
    """Nothing but the number of instances differs, byte for byte."""
    assert config_for(PLAIN, 1, Device()) == PLAIN
    assert config_for(PLAIN, 3, Device()) == PLAIN.replace("count: 1", "count: 3")


def test_a_gpus_configuration_says_kind_and_device() -> None:
    """GPU instances, or any kind where the CPU will do, and the parameters from which the model chooses."""
    strict, lax = config_for(PLAIN, 2, GPU), config_for(PLAIN, 1, EITHER)
    assert "count: 2 kind: KIND_GPU" in strict
    assert "kind: KIND_AUTO" in lax
    assert 'parameters { key: "device" value: { string_value: "cuda" } }' in strict
    assert 'parameters { key: "allow_cpu" value: { string_value: "false" } }' in strict
    assert 'key: "allow_cpu" value: { string_value: "true" }' in lax
    assert "KIND_CPU" not in strict + lax


@pytest.mark.parametrize("device", [Device(), GPU, EITHER])
def test_what_was_configured_is_read_back(tmp_path: Path, device: Device) -> None:
    """A promotion's pin does not hide the device, and the device does not hide the pin."""
    (tmp_path / CONFIG).write_text(with_pin(config_for(PLAIN, 1, device), [2]), encoding="utf-8")
    assert configured_device(tmp_path / CONFIG) == device
    assert pinned_versions(tmp_path / CONFIG) == (2,)
    assert configured_device(tmp_path / "nothing") == Device()


def test_the_device_stays_until_another_is_asked_for(tmp_path: Path) -> None:
    """Assembling again without a word about the device (as `weir up` does) keeps it."""
    assembling._write_config(tmp_path, AssembleOptions(device=GPU))
    assert "count: 1 kind: KIND_GPU" in (tmp_path / CONFIG).read_text(encoding="utf-8")
    assembling._write_config(tmp_path, AssembleOptions(instances=2))
    assert "count: 2 kind: KIND_GPU" in (tmp_path / CONFIG).read_text(encoding="utf-8")
    assembling._write_config(tmp_path, AssembleOptions(instances=1, device=Device()))
    assert (tmp_path / CONFIG).read_text(encoding="utf-8") == PLAIN


def test_cuda_comes_first_and_the_cpu_second() -> None:
    """On the GPU of the instance's number; graph nodes that CUDA has no kernel for run on the CPU."""
    first, second = providers_for(Device("cuda", 3), [CUDA, CPU])
    assert isinstance(first, tuple)
    assert first[0] == CUDA
    assert first[1]["device_id"] == "3"
    assert second == CPU
    assert providers_for(Device(), [CUDA, CPU]) == [CPU]


def test_no_cuda_is_an_error_unless_the_cpu_is_allowed() -> None:
    """The message names what there is and what to install; with `allow_cpu` it is the CPU."""
    with pytest.raises(DeviceError, match=r"only CPUExecutionProvider; hint: install onnxruntime-gpu"):
        providers_for(GPU, [CPU])
    assert providers_for(EITHER, [CPU]) == [CPU]


def test_a_silent_fallback_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA is compiled in but its libraries do not load: it would go on with the CPU; we do not, unless allowed."""
    use(monkeypatch, [CUDA, CPU], starts=[CPU])
    with on_device(GPU), pytest.raises(DeviceError, match=r"text\.onnx: CUDA did not start"):
        sessions.open_session(Path("text.onnx"))
    with on_device(EITHER) as opened:
        sessions.open_session(Path("text.onnx"))
    assert opened.sentence() == f"device cuda asked for, running on {CPU}"


def test_what_runs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph opened on the device is counted with its provider; outside nothing changes."""
    runtime = use(monkeypatch, [CUDA, CPU])
    with on_device(GPU) as opened:
        sessions.open_session(Path("a/text.onnx"))
        sessions.open_session(Path("a/image.onnx"))
    assert opened.providers == {"text.onnx": CUDA, "image.onnx": CUDA}
    sessions.open_session(Path("a/text.onnx"))
    assert runtime.asked[-1] == [CPU]
    assert len(opened.providers) == 2


def test_parameters_choose_the_device() -> None:
    """As Triton hands them over; an unknown device is refused by name."""
    assert device_of({}, "0") == Device()
    said = {"device": {"string_value": "cuda"}, "allow_cpu": {"string_value": "true"}}
    assert device_of(said, "2") == Device("cuda", 2, allow_cpu=True)
    with pytest.raises(ValueError, match="'tpu'; expected cpu or cuda"):
        device_of({"device": {"string_value": "tpu"}}, "0")


class FakeEnsemble:
    """Counts what it is warmed up with; opens one graph when it is loaded."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def warm_up(self) -> None:
        """The usual one."""
        self.sizes.append(1)

    def infer(self, items: Sequence[object]) -> None:
        """A larger one."""
        self.sizes.append(len(items))


def started(monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str]) -> tuple[FakeEnsemble, list[str]]:
    """The model as Triton's stub starts it; what it was warmed up with, and its log."""
    log: list[str] = []
    stub = ModuleType("triton_python_backend_utils")
    stub.Logger = SimpleNamespace(log_info=log.append, log_warn=log.append)  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, stub.__name__, stub)
    spec = importlib.util.spec_from_file_location("served_model", TEMPLATE / "1" / "model.py")
    if spec is None or spec.loader is None:
        raise ImportError("model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ensemble = FakeEnsemble()

    def load(directory: Path) -> FakeEnsemble:
        sessions.open_session(directory / "text.onnx")
        return ensemble

    monkeypatch.setattr(module.Ensemble, "load", load)
    config = {"parameters": {name: {"string_value": value} for name, value in parameters.items()}}
    given = {"model_repository": "r", "model_version": "7", "model_instance_device_id": "1"}
    module.TritonPythonModel().initialize({**given, "model_config": json.dumps(config)})
    return ensemble, log


def test_the_model_tells_its_provider_and_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the GPU: large batches before the first request, and one line in the server's log."""
    runtime = use(monkeypatch, [CUDA, CPU])
    ensemble, log = started(monkeypatch, {"device": "cuda", "allow_cpu": "false"})
    assert ensemble.sizes == [1, 8, 32]
    assert log == [f"clip_safety version 7: device cuda asked for, running on {CUDA}"]
    assert runtime.asked[0][0][1]["device_id"] == "1"


def test_the_model_on_the_cpu_starts_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """One item, no line, the one provider."""
    runtime = use(monkeypatch, [CUDA, CPU])
    ensemble, log = started(monkeypatch, {})
    assert (ensemble.sizes, log, runtime.asked) == ([1], [], [[CPU]])


def test_the_model_does_not_load_without_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading fails, so that Triton keeps what it serves, and the reason is in its answer."""
    use(monkeypatch, [CPU])
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        started(monkeypatch, {"device": "cuda", "allow_cpu": "false"})


def test_allow_cpu_goes_with_cuda() -> None:
    """Alone it would mean nothing, and is misuse."""
    result = CliRunner().invoke(model_command.app, ["assemble", "--allow-cpu"])
    assert result.exit_code == MISUSED
    assert "--device cuda" in result.output
