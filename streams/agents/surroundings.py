"""What a worker keeps beside the stream because its policies ask about it: hash banks and counters, with their tasks.

Built by the composition root; nothing here judges.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streams.adapters.counter_log import CounterLog, CounterTopics
from streams.adapters.hash_bank_files import BankStore
from streams.adapters.media import FileMedia
from streams.adapters.prints import PicturePrints
from streams.agents.counters import Ledger
from streams.agents.moderate import Moderator
from streams.core.counters import Tally
from streams.core.strikes import Strikes
from streams.detectors.account_state import AccountState
from streams.detectors.hashes import HashBanks
from streams.ports import Clock, DeclaredDetector
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Banks, counters, and what fills them."""

    banks: BankStore
    hashes: HashBanks
    counters: AccountState
    log: CounterLog | None
    ledger: Ledger | None

    @property
    def declared(self) -> list[DeclaredDetector]:
        """The detectors whose signals the policies declare."""
        return [self.hashes, self.counters]

    def join(self, moderator: Moderator) -> None:
        """Let the moderator own the tasks, and let its verdicts be counted. Needs a running loop."""
        moderator.adopt(self.banks.watch(), name="weir-banks")
        if self.log is not None and self.ledger is not None:
            moderator.adopt(self.log.run(), name="weir-counters")
            moderator.write_down(self.ledger)


def build_surroundings(settings: Settings, clock: Clock, *, bootstrap: tuple[str, ...] = ()) -> Surroundings:
    """What the settings ask for; without brokers nothing is counted. Reads the banks, so it blocks."""
    threads = ThreadPoolExecutor(settings.image_threads, thread_name_prefix="weir-prints")
    media = FileMedia(settings.media_roots, max_bytes=settings.media_max_bytes, threads=threads)
    banks = BankStore(settings.banks or settings.home / "banks")
    hashes = HashBanks(PicturePrints(media, max_pixels=settings.image_max_pixels, threads=threads), banks)
    tally, strikes = Tally(settings.counter_facts), Strikes()
    if not (bootstrap and settings.counters):
        return Surroundings(banks, hashes, AccountState(tally, strikes, None, clock), None, None)
    topics = CounterTopics(settings.policy_topic("facts"), settings.policy_topic("strikes"))
    log = CounterLog(list(bootstrap), topics, tally, strikes)
    ledger = Ledger(tally, strikes, log, facts=topics.facts, strikes_topic=topics.strikes)
    return Surroundings(banks, hashes, AccountState(tally, strikes, log, clock), log, ledger)
