"""Read a requirements lock on stdin, leave out the packages named as arguments, write the rest to stdout.

Runs in the image builds, before anything is installed: standard library only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

_NAME = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*==")


def without(lines: Iterable[str], left_out: set[str]) -> Iterator[str]:
    """The lines of a lock, less the blocks (a pin and its hashes) of the packages in `left_out`."""
    keeping = True
    for line in lines:
        found = _NAME.match(line)
        if found:
            keeping = found["name"].lower().replace("_", "-") not in left_out
        if keeping:
            yield line


def main(argv: list[str]) -> int:
    """Filter stdin to stdout; 2 when a package that should be left out is not in the lock."""
    lines = sys.stdin.readlines()
    missing = [name for name in argv if not any(line.lower().startswith(f"{name}==") for line in lines)]
    if missing:
        sys.stderr.write(f"not in the lock: {', '.join(missing)}\n")
        return 2
    sys.stdout.writelines(without(lines, set(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
