"""The composition root: settings → adapters → detectors → pipeline → Faust app. The one place that knows them all."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import faust

from policies import EVENT_SIGNALS, load_bundle
from policies.engine.signals import Catalogue
from streams.adapters.clock import SystemClock
from streams.adapters.media import FileMedia, Pictures
from streams.adapters.policy_library import FixedPolicies, library_folder
from streams.adapters.triton import TritonModel
from streams.agents.letters import Topics
from streams.agents.moderate import Crash, Limits, Moderator
from streams.agents.runtime import FaustOutbox, attach
from streams.detectors.clip_safety import ClipSafety
from streams.pipeline import Deps
from streams.ports import Detector, ModelClient, PolicySource
from streams.settings import Settings


def worker_name(settings: Settings) -> str:
    """How this worker is called in headers and logs."""
    return settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"


def build_detectors(settings: Settings, model: ModelClient) -> list[Detector]:
    """Every detector; a new family of signals is one line here."""
    threads = ThreadPoolExecutor(settings.image_threads, thread_name_prefix="weir-media")
    media = FileMedia(settings.media_roots, max_bytes=settings.media_max_bytes, threads=threads)
    pictures = Pictures(media, max_pixels=settings.image_max_pixels, threads=threads)
    return [ClipSafety(model, pictures)]


def catalogue() -> Catalogue:
    """What policies may name: the event's own fields and what the detectors declare."""
    return Catalogue.of(EVENT_SIGNALS, ClipSafety.provides)


def build_policies(settings: Settings) -> PolicySource:
    """The policies in force; PolicyErrors, with every problem of every file, when they cannot be used."""
    return FixedPolicies(load_bundle(settings.policies or library_folder(), catalogue()))


def build_deps(settings: Settings, model: ModelClient) -> Deps:
    """What the pipeline works with. Call it inside the running loop: the model's client belongs to one."""
    return Deps(build_detectors(settings, model), build_policies(settings), SystemClock(), settings.deadline_s)


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


def build_app(settings: Settings, crash: Crash) -> faust.App:
    """The Faust app of a worker. Every option that differs from Faust's default has its reason in FACTS."""
    app = faust.App(
        settings.group,
        broker=[f"kafka://{address.strip()}" for address in settings.kafka_bootstrap.split(",")],
        datadir=settings.home / "run" / "faust" / settings.group,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        stream_wait_empty=True,
        stream_buffer_maxsize=256,
        broker_commit_interval=0.5,
        broker_max_poll_records=500,
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        broker_request_timeout=60,
        broker_rebalance_timeout=max(60, int(settings.deadline_s * 3)),
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=8 * 1024 * 1024,
        producer_acks=-1,
        producer_request_timeout=settings.publish_timeout_s,
        producer_max_request_size=64 * 1024 * 1024,
        producer_linger=0,
    )
    topics = Topics(settings.topic("verdicts"), settings.topic("flagged"), settings.topic("deadletter"))

    async def make(running: faust.App) -> Moderator:
        deps = build_deps(settings, build_model(settings))
        outbox = FaustOutbox(running)
        return Moderator(deps, outbox, topics, build_limits(settings), worker=worker_name(settings), crash=crash)

    attach(app, settings.topic("incoming"), make, drain_s=settings.drain_s)
    return app
