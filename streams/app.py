"""The composition root: settings → adapters → detectors → pipeline → Faust app. The one place that knows them all."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import faust
from mode import Service

from policies import EVENT_SIGNALS, load_bundle
from policies.engine.signals import Catalogue
from streams.adapters.clock import SystemClock
from streams.adapters.media import FileMedia, Pictures
from streams.adapters.policy_files import FolderPolicySource
from streams.adapters.policy_library import FixedPolicies, library_folder
from streams.adapters.policy_topic import TopicPolicySource
from streams.adapters.recorder import SignalRecorder
from streams.adapters.status_server import serve_pages
from streams.adapters.triton import TritonModel
from streams.agents.direct import DirectConsumer, DirectOptions
from streams.agents.letters import Topics
from streams.agents.moderate import Crash, Limits, Moderator
from streams.agents.runtime import FaustOutbox, attach
from streams.agents.status import StatusPages
from streams.agents.surroundings import Surroundings, build_surroundings
from streams.detectors.clip_safety import ClipSafety
from streams.pipeline import Deps
from streams.ports import Detector, ModelClient, PolicySource
from streams.settings import Settings

#: How long a worker that follows the fleet's pointer waits for it before it judges by what it has.
FIRST_POINTER_S = 30.0


def worker_name(settings: Settings) -> str:
    """How this worker is called in headers and logs."""
    return settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"


def build_detectors(settings: Settings, model: ModelClient) -> list[Detector]:
    """Every detector; a new family of signals is one line here."""
    threads = ThreadPoolExecutor(settings.image_threads, thread_name_prefix="weir-media")
    media = FileMedia(settings.media_roots, max_bytes=settings.media_max_bytes, threads=threads)
    pictures = Pictures(media, max_pixels=settings.image_max_pixels, threads=threads, read_text=settings.image_text)
    return [ClipSafety(model, pictures)]


def catalogue() -> Catalogue:
    """What policies may name: the event's own fields and what the detectors declare."""
    return Catalogue.of(EVENT_SIGNALS, ClipSafety.provides)


def build_policies(settings: Settings) -> PolicySource:
    """The policies in force; PolicyErrors, with every problem of every file, when they cannot be used."""
    return FixedPolicies(load_bundle(settings.policies or library_folder(), catalogue()))


def build_followed_policies(settings: Settings) -> FolderPolicySource:
    """The same for a worker: follows the folder once its `watch` runs, and outlives a folder that breaks."""
    folder = settings.policies or library_folder()
    keep = settings.home / "run" / "policies" / f"{settings.group}.last-good"
    return FolderPolicySource(folder, catalogue(), keep=keep if settings.policies else None)


def build_fleet_policies(settings: Settings) -> TopicPolicySource:
    """The bundle that the fleet's pointer names; the folder (or the library) until there is one."""
    seed = load_bundle(settings.policies or library_folder(), catalogue())
    return TopicPolicySource(
        list(_brokers(settings)),
        settings.policy_topic("bundles"),
        seed,
        catalogue(),
        key=settings.policy_key.get_secret_value().encode(),
        keep=settings.home / "run" / "policies" / f"{settings.group}.fleet",
    )


def build_deps(
    settings: Settings,
    model: ModelClient,
    policies: PolicySource | None = None,
    *,
    surroundings: Surroundings | None = None,
) -> Deps:
    """What the pipeline works with. Call it inside the running loop: the model's client belongs to one."""
    source = policies or build_policies(settings)
    clock = SystemClock()
    beside = surroundings or build_surroundings(settings, clock)
    return Deps(build_detectors(settings, model), source, clock, settings.deadline_s, beside.declared)


def build_recorder(settings: Settings) -> SignalRecorder | None:
    """What keeps a sample of the judgements for `weir policy replay`; None when nothing is to be kept."""
    if settings.record is None:
        return None
    return SignalRecorder(
        settings.record,
        settings.record_share,
        SystemClock(),
        worker=worker_name(settings),
        form=settings.record_format,
    )


def build_model(settings: Settings) -> TritonModel:
    """The client of the served ensemble."""
    return TritonModel(settings.triton_url, in_flight=settings.triton_in_flight, deadline_s=settings.triton_deadline_s)


def build_limits(settings: Settings) -> Limits:
    """The moderator's limits."""
    return Limits(
        batch_size=settings.batch_size,
        batch_wait_s=settings.batch_wait_s,
        batches_in_flight=settings.batches_in_flight,
        backlog=settings.backlog,
        publish_timeout_s=settings.publish_timeout_s,
        stall_s=settings.stall_s,
        deadletter_share=settings.deadletter_share,
        deadletter_window=settings.deadletter_window,
    )


class WorkerApp(faust.App):
    """A Faust app with services of ours that start after its producer and stop before it."""

    ours: tuple[Service, ...] = ()

    async def on_started(self) -> None:
        """Start ours last."""
        await super().on_started()
        for service in self.ours:
            await self.add_runtime_dependency(service)


async def build_moderator(settings: Settings, app: faust.App, crash: Crash) -> Moderator:
    """The moderator of a deployed worker, with all its detectors. Call it inside the running loop."""
    fleet = build_fleet_policies(settings) if settings.policy_source == "topic" else None
    policies = fleet or build_followed_policies(settings)
    beside = build_surroundings(settings, SystemClock(), bootstrap=_brokers(settings))
    model = build_model(settings)
    deps = build_deps(settings, model, policies, surroundings=beside)
    recorder = build_recorder(settings)
    moderator = moderator_of(settings, replace(deps, recorder=recorder), app, crash)
    moderator.adopt(policies.watch(), name="weir-policies")
    if recorder is not None:
        moderator.adopt(recorder.run(), name="weir-recorder")
    beside.join(moderator)
    if settings.status_address:
        pages = StatusPages(
            worker_name(settings), deps.clock, deps.clock.time(), policies, moderator, beside,
            lambda: model.down, lambda: _lag(app),
        )  # fmt: skip
        moderator.adopt(serve_pages(settings.status_address, pages.routes()), name="weir-status")
    if fleet is not None:
        await fleet.settled(timeout_s=FIRST_POINTER_S)
    return moderator


def _lag(app: faust.App) -> dict[int, int]:
    consumers = [service for service in getattr(app, "ours", ()) if isinstance(service, DirectConsumer)]
    return consumers[0].lag() if consumers else {}


def moderator_of(settings: Settings, deps: Deps, app: faust.App, crash: Crash) -> Moderator:
    """A moderator that judges with `deps` and publishes through the app's producer."""
    topics = Topics(settings.topic("verdicts"), settings.topic("flagged"), settings.topic("deadletter"))
    limits, name = build_limits(settings), worker_name(settings)
    return Moderator(deps, FaustOutbox(app), topics, limits, worker=name, crash=crash)


MakeModerator = Callable[[Settings, faust.App, Crash], Awaitable[Moderator]]
"""How a worker gets its moderator; a bench of the stream alone takes one without detectors."""


def build_app(settings: Settings, crash: Crash, *, moderator: MakeModerator = build_moderator) -> faust.App:
    """The Faust app of a worker: with a consumer of our own, or with Faust's (`WEIR_CONSUMER`, decision 0005)."""
    app = WorkerApp(settings.group, **_faust_options(settings))

    async def make() -> Moderator:
        return await moderator(settings, app, crash)

    if settings.consumer == "agent":
        attach(app, settings.topic("incoming"), make, crash=crash, drain_s=settings.drain_s)
    else:
        app.producer_only = True
        app.ours = (DirectConsumer(_direct_options(settings), make, crash),)
    return app


def _brokers(settings: Settings) -> tuple[str, ...]:
    return tuple(address.strip() for address in settings.kafka_bootstrap.split(","))


def _rebalance_s(settings: Settings) -> float:
    return max(60.0, settings.deadline_s * 3)  # longer than the longest batch


def _direct_options(settings: Settings) -> DirectOptions:
    return DirectOptions(
        bootstrap=_brokers(settings),
        group=settings.group,
        topic=settings.topic("incoming"),
        drain_s=settings.drain_s,
        session_timeout_s=settings.session_timeout_s,
        rebalance_timeout_s=_rebalance_s(settings),
        lag_warn_s=settings.lag_warn_s,
    )


def _faust_options(settings: Settings) -> dict[str, Any]:
    """Every option that differs from Faust's default has its reason in FACTS."""
    return {
        "broker": [f"kafka://{address}" for address in _brokers(settings)],
        "datadir": settings.home / "run" / "faust" / settings.group,
        "autodiscover": False,
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "reply_create_topic": False,
        "stream_wait_empty": True,
        "stream_buffer_maxsize": 256,
        "broker_commit_interval": 0.5,
        "broker_max_poll_records": 500,
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": 2,
        "broker_request_timeout": 60,
        "broker_rebalance_timeout": int(_rebalance_s(settings)),
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": 8 * 1024 * 1024,
        "producer_acks": -1,
        "producer_request_timeout": settings.publish_timeout_s,
        "producer_max_request_size": 64 * 1024 * 1024,
        "producer_linger": 0,
    }
