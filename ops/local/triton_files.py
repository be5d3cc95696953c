"""Find the Triton server inside the nvidia-pytriton wheel and check all that it needs before it is started.

The wheel's Python code is never imported: only its files are used. Every check raises LocalStackError that names one
missing thing and its remedy, because the server itself hangs silently or says something far from the cause.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ops.local.errors import LocalStackError
from ops.local.guard import SHM

WHEEL = "nvidia-pytriton"
GLIBC_MIN = (2, 35)
SHM_INSTANCE_MIB = 30  # measured: 28 MiB a model instance after batches of 32 posts with pictures to read text in
SHM_SERVER_MIB = 4
_COUNT = re.compile(r"instance_group\b[^\]]*?\bcount\s*:\s*(\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TritonFiles:
    """Where the parts of the server lie in the wheel."""

    server: Path
    backend: Path  # folder with libtriton_python.so
    stub: Path  # the stub for the running Python
    libraries: Path

    @property
    def library_path(self) -> str:
        """For LD_LIBRARY_PATH: the wheel's libraries and the running Python's own libpython."""
        own = sysconfig.get_config_var("LIBDIR") or ""
        given = os.environ.get("LD_LIBRARY_PATH", "")
        return os.pathsep.join(part for part in (str(self.libraries), own, given) if part)


def find_triton() -> TritonFiles:
    """The server's files for this Python; LocalStackError when the wheel, or its stub for this version, is missing."""
    try:
        files = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError as exc:
        raise LocalStackError(
            f"the embedded Triton server needs the package {WHEEL}",
            hint="pip install 'weir[serve]' (Linux, x86-64), or set WEIR_TRITON_URL to a server that runs elsewhere",
        ) from exc
    site = next(
        (Path(str(f.locate())).parents[2] for f in files if f.as_posix() == "pytriton/tritonserver/bin/tritonserver"),
        None,
    )
    root = None if site is None else site / "tritonserver"
    if root is None or not root.is_dir():
        raise LocalStackError(f"the installed {WHEEL} carries no tritonserver", hint=f"reinstall {WHEEL}")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        have = ", ".join(sorted(path.name for path in stub.parents[1].iterdir()))
        raise LocalStackError(
            f"{WHEEL} has no stub for Python {version} (it has {have})", hint="use one of these Python versions"
        )
    return TritonFiles(
        server=root / "bin" / "tritonserver",
        backend=root / "backends" / "python",
        stub=stub,
        libraries=root.parents[1] / "nvidia_pytriton.libs",
    )


def check_platform() -> None:
    """This machine can run the bundled binary."""
    hint = "set WEIR_TRITON_URL to a server that runs elsewhere, or use docker-compose.yml"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise LocalStackError(
            f"the bundled Triton server is for Linux on x86-64; this is {sys.platform} on {platform.machine()}",
            hint=hint,
        )
    name, version = platform.libc_ver()
    with contextlib.suppress(ValueError):
        if name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) >= GLIBC_MIN:
            return
    wanted = ".".join(map(str, GLIBC_MIN))
    raise LocalStackError(
        f"the bundled Triton server needs glibc {wanted} or newer; this is {name} {version}", hint=hint
    )


def check_libraries(files: TritonFiles) -> None:
    """Every shared library of the server, its backend and its stub is found (`ldd`)."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return  # nothing to look with; the start timeout is the net below
    env = {**os.environ, "LD_LIBRARY_PATH": files.library_path}
    for binary in (files.server, files.backend / "libtriton_python.so", files.stub):
        report = subprocess.run([ldd, str(binary)], capture_output=True, text=True, check=False, env=env, timeout=30)
        missing = [line.split()[0] for line in report.stdout.splitlines() if "not found" in line]
        if missing:
            raise LocalStackError(f"{binary.name} misses {', '.join(missing)}", hint=_library_hint(missing[0]))


def shared_memory_mib(config: str) -> int:
    """How much shared memory the Python backend may come to use for a model with this `config.pbtxt`."""
    found = _COUNT.search(config)
    return SHM_SERVER_MIB + SHM_INSTANCE_MIB * (int(found[1]) if found else 1)


def check_shared_memory(wanted_mib: int, folder: Path = SHM) -> None:
    """Shared memory is there, writable and large enough for the Python backend."""
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise LocalStackError(f"{folder} is not a folder that we may write to", hint="mount a tmpfs there")
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < wanted_mib:
        raise LocalStackError(
            f"{folder} has {free_mib} MiB free; Triton needs {wanted_mib}",
            hint=f"in a container: --shm-size={2 * wanted_mib}m; else remove what lies there or mount it larger",
        )


def check_repository(repository: Path, model: str) -> None:
    """The model repository has the model, with a configuration and at least one version."""
    folder = repository / model
    hint = "weir model parts, then weir model assemble"
    if not (folder / "config.pbtxt").is_file():
        raise LocalStackError(f"no model {model!r} in {repository} (looked for {folder / 'config.pbtxt'})", hint=hint)
    if not any(entry.is_dir() and entry.name.isdigit() for entry in folder.iterdir()):
        raise LocalStackError(f"{folder} has no version directory: the model is not assembled", hint=hint)


def _library_hint(library: str) -> str:
    if library.startswith("libpython"):
        package = library.split(".so", maxsplit=1)[0]
        return f"install the shared library of this Python (Debian, Ubuntu: apt-get install {package})"
    return "install the system package that carries it"
