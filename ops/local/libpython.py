"""Whether this Python has the shared library that Triton's Python backend links. Run as a script by `make install`.

Standard library only: it runs before anything is installed. Exit code 0 when it is there; else 3, with the remedy.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from pathlib import Path


def shared_library() -> str:
    """The name of the library: `libpython3.11.so.1.0`."""
    return f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"


def present() -> bool:
    """Whether the loader finds it, or it lies beside this Python."""
    beside = Path(sysconfig.get_config_var("LIBDIR") or "/nonexistent") / shared_library()
    if beside.exists():
        return True
    try:
        ctypes.CDLL(shared_library())
    except OSError:
        return False
    return True


def main() -> int:
    """Tell, and say what to do."""
    if present():
        print(f"{shared_library()} is there")
        return 0
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(
        f"{shared_library()} is missing: the embedded Triton needs it.\n"
        f"  Debian, Ubuntu: apt-get install libpython{version}\n"
        f"  pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version}",
        file=sys.stderr,
    )
    return 3


if __name__ == "__main__":
    sys.exit(main())
