"""The embedded Triton server: the real tritonserver from the nvidia-pytriton wheel, on loopback only.

Starts it under a guard with its own backends folder, its own shared-memory prefix and one model; waits until that
model answers ready. What the server needs is checked in `ops/local/triton_files.py`; what dead servers left behind
is removed by `ops/local/shared_memory.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.local.errors import LocalStackError
from ops.local.guard import MARK
from ops.local.process import (
    LOOPBACK,
    Lifetime,
    Server,
    ServerCommand,
    check_not_running,
    folder_for,
    free_ports,
    log_tail,
    port_free,
    python_path,
    start_server,
)
from ops.local.shared_memory import sweep
from ops.local.triton_files import (
    TritonFiles,
    check_libraries,
    check_platform,
    check_repository,
    check_shared_memory,
    find_triton,
    shared_memory_mib,
)
from triton_models.contract import MODEL_NAME

NAME = "triton"
START_ATTEMPTS = 3  # free ports can be taken between the look and the start
PORT_TAKEN = "already in use"  # in the server's log


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """The three listeners; 0 means any free port."""

    http: int = 0
    grpc: int = 0
    metrics: int = 0

    def chosen(self) -> TritonPorts:
        """The same with free ports in place of zeros; LocalStackError when a wanted port is taken."""
        for name, port in (("http", self.http), ("grpc", self.grpc), ("metrics", self.metrics)):
            if port and not port_free(port):
                raise LocalStackError(f"port {port} (Triton {name}) is taken", hint="choose another, or 0 for any")
        free = iter(free_ports(3))
        return TritonPorts(self.http or next(free), self.grpc or next(free), self.metrics or next(free))


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """How to run the server."""

    model: str = MODEL_NAME
    ports: TritonPorts = field(default_factory=TritonPorts)
    start_timeout_s: float = 90.0
    lifetime: Lifetime = Lifetime.WITH_PARENT
    env: Mapping[str, str] = field(default_factory=dict)


class EmbeddedTriton:
    """A running server with `model` loaded; use as a context manager or call `stop`.

    `grpc_url`, `http_url`, `metrics_url` are `host:port`. Raises LocalStackError with the remedy, or with the end of
    the server's log when it does not come up in time.
    """

    def __init__(self, home: Path, repository: Path, options: TritonOptions | None = None) -> None:
        self.options = options or TritonOptions()
        files = preflight(repository, self.options.model)
        folder = folder_for(home, self.options.lifetime)
        check_not_running(folder, NAME)
        sweep()
        backends = prepare_backends(files, folder)
        for attempt in range(1, START_ATTEMPTS + 1):
            self.ports = self.options.ports.chosen()
            self.server = _start(files, backends, repository, self.options, self.ports, folder)
            try:
                self.server.wait_ready(self.ready, self.options.start_timeout_s, hint="see the log's last lines")
            except LocalStackError as error:
                if attempt == START_ATTEMPTS or PORT_TAKEN not in error.log_tail:
                    raise
            else:
                return

    @property
    def grpc_url(self) -> str:
        """`host:port` of inference by gRPC."""
        return f"{LOOPBACK}:{self.ports.grpc}"

    @property
    def http_url(self) -> str:
        """`host:port` of inference and health by HTTP."""
        return f"{LOOPBACK}:{self.ports.http}"

    @property
    def metrics_url(self) -> str:
        """`host:port` of the Prometheus metrics."""
        return f"{LOOPBACK}:{self.ports.metrics}"

    @property
    def log(self) -> str:
        """The end of the server's log."""
        return log_tail(self.server.command.log)

    def ready(self) -> bool:
        """Whether the server says that the model is ready; it says so too when its stub is dead, so infer to know."""
        return model_ready(self.http_url, self.options.model)

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self.server.alive()

    def kill(self) -> None:
        """Kill -9 the server, as a crash would."""
        self.server.kill()

    def stop(self) -> None:
        """End the server and its stubs and remove its shared memory."""
        self.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def preflight(repository: Path, model: str) -> TritonFiles:
    """Check everything that can be missing, cheapest first; LocalStackError names it and the remedy."""
    check_platform()
    files = find_triton()
    check_libraries(files)
    check_repository(repository, model)
    check_shared_memory(shared_memory_mib((repository / model / "config.pbtxt").read_text(encoding="utf-8")))
    return files


def model_ready(http_url: str, model: str, timeout_s: float = 2.0) -> bool:
    """Whether a Triton server at `host:port` answers that `model` is ready."""
    try:
        with urllib.request.urlopen(f"http://{http_url}/v2/models/{model}/ready", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def prepare_backends(files: TritonFiles, folder: Path) -> Path:
    """A backends folder whose Python backend has the stub of the running Python beside it; its path.

    Links, not copies: the server takes the backend's folder from the path that it is given.
    """
    python = folder / "backends" / "python"
    shutil.rmtree(python, ignore_errors=True)
    python.mkdir(parents=True)
    for source in (*files.backend.iterdir(), files.stub):
        if source.is_file():
            (python / source.name).symlink_to(source)
    return python.parent


def _start(
    files: TritonFiles, backends: Path, repository: Path, options: TritonOptions, ports: TritonPorts, folder: Path
) -> Server:
    argv = [
        str(files.server),
        f"--model-repository={repository.resolve()}",
        "--model-control-mode=explicit",
        f"--load-model={options.model}",
        "--disable-auto-complete-config",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name={MARK}-",
        f"--http-address={LOOPBACK}",
        f"--grpc-address={LOOPBACK}",
        f"--metrics-address={LOOPBACK}",
        f"--http-port={ports.http}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-port={ports.metrics}",
        "--exit-timeout-secs=8",
        "--log-verbose=0",
    ]
    return start_server(ServerCommand(NAME, argv, folder, server_env(files, options.env)), options.lifetime)


def server_env(files: TritonFiles, extra: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: this Python first on PATH, the project importable, one thread per instance."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]),
        "LD_LIBRARY_PATH": files.library_path,
        "PYTHONPATH": python_path(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **extra,
    }
