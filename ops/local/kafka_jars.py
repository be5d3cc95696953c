"""Fetch the Apache Kafka broker's artifacts with Maven, once, into a cache that all states share.

The versions are in `ops/kafka/pom.xml`; another pom gets another cache folder. Nothing is downloaded when the folder
is complete. Also checks the Java that will run it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.local.errors import LocalStackError

POM = Path(__file__).resolve().parents[1] / "kafka" / "pom.xml"
JAVA_MIN = 17  # Kafka 4 brokers
COMPLETE = "complete"
_DOWNLOADED = re.compile(r"Downloaded from \S+ \S+/(?P<file>[^/\s]+\.jar)")


def default_cache() -> Path:
    """Where fetched things that can be fetched again live: `$XDG_CACHE_HOME/weir`, else `~/.cache/weir`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "weir"


def find_java() -> str:
    """The `java` to run, of version 17 or later: from JAVA_HOME, else from PATH. LocalStackError without one."""
    hint = f"install a JRE {JAVA_MIN} or later (Debian, Ubuntu: apt-get install default-jre-headless)"
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise LocalStackError("Apache Kafka needs Java, and there is no `java` on PATH", hint=hint)
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA_MIN:
        version = found[1] if found else "unknown"
        raise LocalStackError(f"Apache Kafka 4 needs Java {JAVA_MIN}; {java} is version {version}", hint=hint)
    return java


def jars_folder(cache: Path) -> Path:
    """Where the artifacts of the present pom belong."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return cache / f"kafka-{digest}"


def fetch_jars(cache: Path) -> Path:
    """The folder with the broker's jars, fetched if it is not complete. Blocks; shows progress on a terminal.

    Raises LocalStackError without Maven or when it fails.
    """
    folder = jars_folder(cache)
    if (folder / COMPLETE).exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be fetching the same
        if not (folder / COMPLETE).exists():
            _copy_dependencies(_find_maven(), folder)
            (folder / COMPLETE).touch()
    return folder


def _find_maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalStackError(
            "the Apache Kafka artifacts are not fetched yet, and there is no `mvn` on PATH to fetch them",
            hint="install Maven (Debian, Ubuntu: apt-get install maven)",
        )
    return maven


def _copy_dependencies(maven: str, folder: Path) -> None:
    argv = [maven, "--batch-mode", "--file", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    lines: list[str] = []
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("Apache Kafka: asking Maven")
        count = 0
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                found = _DOWNLOADED.search(line)
                if found:
                    count += 1
                    progress.update(task, description=f"Apache Kafka: {count} jars, {found['file']}")
    if process.returncode:
        raise LocalStackError(
            f"Maven could not fetch the Apache Kafka artifacts (exit code {process.returncode})",
            hint="is the network up, and does Maven reach its repository?",
            log_tail="\n".join(line for line in lines[-40:] if "ERROR" in line) or "\n".join(lines[-10:]),
        )
