"""Real Apache Kafka (KRaft) on loopback without Docker: one or three brokers on the local JVM.

Data stays in `<home>/kafka/<n>-brokers` between starts. What is claimed about lost events is measured on this, never
on the embedded broker. Jars come from `ops/local/kafka_jars.py`, configuration from `ops/local/kafka_config.py`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.local.errors import LocalStackError
from ops.local.kafka_config import Node, new_cluster_id, server_properties
from ops.local.kafka_jars import POM, default_cache, fetch_jars, find_java
from ops.local.layout import kafka_data, run_folder
from ops.local.probe import live_brokers
from ops.local.process import Lifetime, Server, ServerCommand, check_not_running, free_ports, port_free, start_server
from ops.local.topics import TopicSpec, create_topics

NAME = "kafka"
LOG_CONFIG = POM.with_name("log4j2.xml")
START_TIMEOUT_S = 90.0
FORMAT_TIMEOUT_S = 60.0
BROKER_COUNTS = (1, 3)


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to run it."""

    heap_mib: int = 400
    port: int = 0  # of the first broker; 0: any free one
    cache: Path | None = None  # of the jars; None: the user's cache folder
    lifetime: Lifetime = Lifetime.WITH_PARENT


class RealKafka:
    """Running brokers; use as a context manager or call `stop`.

    `bootstrap` lists all of them. Brokers are numbered from 1. Raises LocalStackError when Java or the artifacts are
    missing, or when the cluster does not come up.
    """

    def __init__(self, home: Path, brokers: int = 1, options: KafkaOptions | None = None) -> None:
        if brokers not in BROKER_COUNTS:
            raise ValueError(f"brokers={brokers}: a local cluster has 1 or 3 brokers")
        self.options = options or KafkaOptions()
        self._java = find_java()
        self._jars = fetch_jars(self.options.cache or default_cache())
        self._run_folder = run_folder(home)  # one cluster per home: the data are there too
        for number in range(1, brokers + 1):
            check_not_running(self._run_folder, f"{NAME}-{number}")
        self.nodes = _layout(kafka_data(home, brokers), brokers, self.options.port)
        _format_storage(self._java, self._jars, self.nodes)
        self.servers: dict[int, Server] = {}
        try:
            for node in self.nodes:
                self._start(node)
            self.wait_ready()
        except BaseException:  # Ctrl-C too: brokers that nobody holds would stay for ever
            self.stop()
            raise

    @property
    def bootstrap(self) -> str:
        """`host:port,…` of all brokers."""
        return ",".join(node.address for node in self.nodes)

    def alive(self) -> bool:
        """Whether all its brokers run."""
        return all(server.alive() for server in self.servers.values())

    def wait_ready(self) -> None:
        """Block until every broker says that all of them are there."""
        for node in self.nodes:
            self.servers[node.number].wait_ready(lambda: self._complete(node), START_TIMEOUT_S)  # noqa: B023

    def create_topics(self, topics: Sequence[TopicSpec]) -> list[str]:
        """Create those that are not there; the names created."""
        return create_topics(self.bootstrap, topics)

    def kill(self, broker: int) -> None:
        """Kill -9 one broker."""
        self.servers[broker].kill()

    def restart(self, broker: int) -> None:
        """Start a broker again that was killed or stopped; returns when it has rejoined."""
        self.servers[broker].stop()
        node = self.nodes[broker - 1]
        self._start(node)
        self.servers[broker].wait_ready(lambda: live_brokers(node.address) > 0, START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop all brokers, together; their data stays."""
        for server in self.servers.values():
            server.ask_to_stop()
        for server in self.servers.values():
            server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _complete(self, node: Node) -> bool:
        return live_brokers(node.address) == len(self.nodes)

    def _start(self, node: Node) -> None:
        heap = self.options.heap_mib
        argv = [
            self._java,
            f"-Xmx{heap}m",
            f"-Xms{min(heap, 128)}m",
            "-XX:+UseSerialGC",  # three brokers share two cores
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={LOG_CONFIG}",
            "-cp",
            f"{self._jars}/*",
            "kafka.Kafka",
            str(node.config_file),
        ]
        command = ServerCommand(f"{NAME}-{node.number}", argv, self._run_folder, grace_s=20)
        self.servers[node.number] = start_server(command, self.options.lifetime)


def _layout(root: Path, brokers: int, wanted_port: int) -> tuple[Node, ...]:
    """The nodes with ports: those of the last start where they are still free, else new ones. Writes the files."""
    ports_file = root / "ports.json"
    try:
        ports = [int(port) for port in json.loads(ports_file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        ports = []
    if len(ports) != 2 * brokers or not all(port_free(port) for port in ports):
        ports = free_ports(2 * brokers)
    if wanted_port:
        if not port_free(wanted_port):
            raise LocalStackError(f"port {wanted_port} (Kafka) is taken", hint="choose another, or 0 for any")
        ports[0] = wanted_port
    nodes = tuple(Node(i + 1, ports[2 * i], ports[2 * i + 1], root / f"node-{i + 1}") for i in range(brokers))
    for node in nodes:
        node.folder.mkdir(parents=True, exist_ok=True)
        node.config_file.write_text(server_properties(node, nodes), encoding="utf-8")
    ports_file.write_text(json.dumps(ports), encoding="utf-8")
    return nodes


def _format_storage(java: str, jars: Path, nodes: tuple[Node, ...]) -> None:
    """Format the nodes' storage where it is not, all with one cluster id."""
    new = [node for node in nodes if not (node.data / "meta.properties").exists()]
    if not new:
        return
    if len(new) < len(nodes):  # a format that was broken off: nothing can be in there yet
        for node in nodes:
            shutil.rmtree(node.data, ignore_errors=True)
    cluster = new_cluster_id()
    for node in nodes:
        argv = [
            java,
            "-Xmx128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={LOG_CONFIG}",
        ]
        argv += ["-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(node.config_file)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=FORMAT_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise LocalStackError(
                f"Kafka's storage tool could not format {node.data} (exit code {done.returncode})",
                log_tail=(done.stdout + done.stderr).strip(),
            )
