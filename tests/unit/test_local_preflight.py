"""Each thing that the local stack needs and lacks is named, with a remedy, before anything is started."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from ops.local import kafka_jars, mock_cluster, triton_files
from ops.local.errors import LocalStackError
from ops.local.triton_files import TritonFiles


def fake_program(folder: Path, name: str, script: str) -> Path:
    """A program on a PATH of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def no_package(name: str) -> NoReturn:
    """In place of `importlib.metadata.files` where a package is missing."""
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that has nothing on it but what the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "bin"


# --- Kafka ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare_path")
def test_java_is_missing() -> None:
    """Without `java` the error names it and the package that brings it."""
    with pytest.raises(LocalStackError, match=r"no `java` on PATH\n.*apt-get install default-jre-headless"):
        kafka_jars.find_java()


@pytest.mark.parametrize(
    ("told", "shown"), [('openjdk version "11.0.2"', "11"), ('java version "1.8.0"', "1"), ("?", "unknown")]
)
def test_java_is_too_old(bare_path: Path, told: str, shown: str) -> None:
    """An older Java, or one that does not say, is named with its version."""
    java = fake_program(bare_path, "java", f"echo '{told}' >&2")
    with pytest.raises(LocalStackError, match=f"needs Java 17; {java} is version {shown}"):
        kafka_jars.find_java()


def test_java_home_comes_first(bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME wins over PATH."""
    fake_program(bare_path, "java", "echo 'openjdk version \"11\"' >&2")
    wanted = fake_program(tmp_path / "jdk" / "bin", "java", "echo 'openjdk version \"21.0.1\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert kafka_jars.find_java() == str(wanted)


@pytest.mark.usefixtures("bare_path")
def test_maven_is_missing(tmp_path: Path) -> None:
    """Without `mvn` and without fetched artifacts the error names it and the package that brings it."""
    with pytest.raises(LocalStackError, match=r"no `mvn` on PATH.*\n.*apt-get install maven"):
        kafka_jars.fetch_jars(tmp_path / "cache")


@pytest.mark.usefixtures("bare_path")
def test_fetched_artifacts_need_no_maven(tmp_path: Path) -> None:
    """Once complete, the cache is used offline and without Maven."""
    folder = kafka_jars.jars_folder(tmp_path)
    folder.mkdir()
    (folder / kafka_jars.COMPLETE).touch()
    assert kafka_jars.fetch_jars(tmp_path) == folder


def test_maven_that_fails(bare_path: Path, tmp_path: Path) -> None:
    """Maven's own error lines are in the message, and the cache does not count as complete."""
    fake_program(bare_path, "mvn", "echo '[INFO] noise'; echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(LocalStackError) as caught:
        kafka_jars.fetch_jars(tmp_path / "cache")
    assert "| [ERROR] no route to host" in str(caught.value)
    assert "noise" not in str(caught.value)
    assert not (kafka_jars.jars_folder(tmp_path / "cache") / kafka_jars.COMPLETE).exists()


def test_maven_is_asked_once(bare_path: Path, tmp_path: Path) -> None:
    """The artifacts are fetched by the first call only."""
    fake_program(
        bare_path,
        "mvn",
        f'echo x >> "{tmp_path}/calls"\n'
        'for a; do case $a in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}";; esac; done',
    )
    assert kafka_jars.fetch_jars(tmp_path / "cache") == kafka_jars.fetch_jars(tmp_path / "cache")
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "x\n"


def test_cache_follows_the_pom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pom means another folder: a changed version is never served from the old one."""
    before = kafka_jars.jars_folder(tmp_path)
    pom = tmp_path / "pom.xml"
    pom.write_text(kafka_jars.POM.read_text(encoding="utf-8").replace("4.1", "4.2"), encoding="utf-8")
    monkeypatch.setattr(kafka_jars, "POM", pom)
    assert kafka_jars.jars_folder(tmp_path) != before


# --- the embedded broker -------------------------------------------------------------------------------------------


def test_confluent_kafka_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error names the extra that brings it."""
    monkeypatch.setattr(importlib.metadata, "files", no_package)
    with pytest.raises(LocalStackError, match=r"confluent-kafka\n.*weir\[local\]"):
        mock_cluster.library_path()


def test_confluent_kafka_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build against a system librdkafka has no library to load: the error says so."""
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: [])
    with pytest.raises(LocalStackError, match="no librdkafka of its own"):
        mock_cluster.library_path()


# --- Triton --------------------------------------------------------------------------------------------------------


def test_triton_wheel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error names the extra, and the setting for a server elsewhere."""
    monkeypatch.setattr(importlib.metadata, "files", no_package)
    with pytest.raises(LocalStackError, match=r"nvidia-pytriton\n.*weir\[serve\].*WEIR_TRITON_URL"):
        triton_files.find_triton()


def test_triton_wheel_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel without the binary is told from no wheel."""
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: [])
    with pytest.raises(LocalStackError, match="carries no tritonserver"):
        triton_files.find_triton()


def test_python_without_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python version for which the wheel has no stub is named, with those it has."""
    monkeypatch.setattr(sys, "version_info", SimpleNamespace(major=3, minor=99))
    with pytest.raises(LocalStackError, match=r"no stub for Python 3\.99 \(it has .*3\.11.*\)"):
        triton_files.find_triton()


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "aarch64"), ("win32", "x86_64")])
def test_platform_that_the_server_is_not_for(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    """Another system or processor is named, with what to do instead."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(LocalStackError, match=f"{system} on {machine}\n.*WEIR_TRITON_URL"):
        triton_files.check_platform()


@pytest.mark.parametrize(
    ("libc", "fine"),
    [(("glibc", "2.34"), False), (("", ""), False), (("glibc", "2.35"), True), (("glibc", "3.0"), True)],
)
def test_glibc_version(monkeypatch: pytest.MonkeyPatch, libc: tuple[str, str], fine: bool) -> None:  # noqa: FBT001
    """An older glibc, or another C library, is refused with the version that is needed."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    if fine:
        triton_files.check_platform()
    else:
        with pytest.raises(LocalStackError, match=r"needs glibc 2\.35"):
            triton_files.check_platform()


def test_shared_library_is_missing(bare_path: Path, tmp_path: Path) -> None:
    """A library that the loader will not find is named, with the package that brings it."""
    fake_program(bare_path, "ldd", "echo '\tlibpython3.12.so.1.0 => not found'; echo '\tlibc.so.6 => /lib/libc.so.6'")
    files = TritonFiles(tmp_path / "tritonserver", tmp_path, tmp_path / "stub", tmp_path)
    with pytest.raises(
        LocalStackError, match=r"tritonserver misses libpython3\.12\.so\.1\.0\n.*apt-get install libpython3\.12\)"
    ):
        triton_files.check_libraries(files)


def test_bundled_server_finds_its_libraries_here() -> None:
    """On a machine that can run it, the real files pass."""
    files = triton_files.find_triton()
    triton_files.check_libraries(files)
    assert files.stub.parent.name == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_shared_memory_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small /dev/shm is told with both sizes and the flag that containers need."""
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(2**26, 2**24, 2**20 * 48))
    with pytest.raises(LocalStackError, match=r"48 MiB free; Triton needs 64\n.*--shm-size=128m"):
        triton_files.check_shared_memory(64, tmp_path)
    triton_files.check_shared_memory(48, tmp_path)


@pytest.mark.parametrize(
    ("config", "mib"),
    [("", 34), ("instance_group [ { kind: KIND_CPU count: 1 } ]", 34), ("instance_group [\n  { count: 16 }\n]", 484)],
)
def test_shared_memory_follows_the_instances(config: str, mib: int) -> None:
    """Each instance of the model keeps its own pool: more cores need more."""
    assert triton_files.shared_memory_mib(config) == mib


def test_shared_memory_is_not_there(tmp_path: Path) -> None:
    """No /dev/shm, or one that is a file, is told."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(LocalStackError, match="not a folder that we may write to"):
            triton_files.check_shared_memory(1, folder)


def test_shared_memory_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /dev/shm that we may not write to is told (asked of the system: root may always)."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(LocalStackError, match="not a folder that we may write to"):
        triton_files.check_shared_memory(1, tmp_path)


def test_model_is_not_assembled(tmp_path: Path) -> None:
    """A configuration without a version directory is told from no model at all; both name the commands."""
    with pytest.raises(LocalStackError, match=r"no model 'm'.*\n.*weir model assemble"):
        triton_files.check_repository(tmp_path, "m")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.pbtxt").touch()
    with pytest.raises(LocalStackError, match=r"not assembled\n.*weir model assemble"):
        triton_files.check_repository(tmp_path, "m")
    (tmp_path / "m" / "1").mkdir()
    triton_files.check_repository(tmp_path, "m")


def test_pytriton_is_never_imported() -> None:
    """Finding the server's files does not run the wheel's Python code (it patches signals and needs zmq)."""
    code = (
        "import sys; from ops.local import triton_files; triton_files.find_triton(); print('pytriton' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
