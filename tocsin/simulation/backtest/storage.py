"""The directory of a Prometheus's storage, read by an engine of our own that cannot change it."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tocsin.durations import format_duration
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.trouble import EngineTrouble
from tocsin.simulation.backtest.ticks import Window
from tocsin.supervisor import Supervisor

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""The name of a block's folder (tsdb/db.go, isBlockDir)."""
_REPLAYED = ("wal", "wbl")
"""What is not in a block yet, in the order of its arrival, and what arrived out of that order."""
STARTS_WITHIN = 300.0
"""Seconds; a write-ahead log of gigabytes is replayed before the first query is answered."""
_FLAGS = (
    "--storage.tsdb.retention.time=100y",
    "--storage.tsdb.min-block-duration=2h",
    "--storage.tsdb.max-block-duration=2h",  # no larger blocks are compacted of those that are there
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: samples of a stretch of time that nobody changes any more."""

    place: Path
    begin: int
    end: int
    """The time of its last sample."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What a directory holds."""

    directory: Path
    blocks: tuple[Block, ...]
    logs: tuple[Path, ...]
    """The write-ahead logs: the last hours, until they become a block."""

    @property
    def window(self) -> Window | None:
        """The stretch of time that is in blocks."""
        if not self.blocks:
            return None
        return Window(min(block.begin for block in self.blocks), max(block.end for block in self.blocks))


def read_storage(directory: Path) -> Storage:
    """Return what a directory holds. Raises EngineTrouble if that is no storage of a Prometheus."""
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise EngineTrouble("no storage of a Prometheus", str(directory), error.strerror or str(error)) from error
    blocks = tuple(_block(each) for each in entries if _ULID.fullmatch(each.name) and (each / "meta.json").is_file())
    logs = tuple(directory / name for name in _REPLAYED if (directory / name).is_dir())
    if not blocks and not logs:
        said = "it holds no blocks and no wal; name the folder of --storage.tsdb.path, or a snapshot of it"
        raise EngineTrouble("no storage of a Prometheus", str(directory), said)
    return Storage(directory, blocks, logs)


def _block(place: Path) -> Block:
    try:
        meta = json.loads((place / "meta.json").read_text())
        return Block(place, int(meta["minTime"]), int(meta["maxTime"]) - 1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineTrouble("a block cannot be read", str(place), f"meta.json: {error}") from error


@contextmanager
def opened(storage: Storage, *, evaluation: float, lookback: float, binary: Path | None = None) -> Iterator[Prometheus]:
    """Start an engine on a storage; it is gone, and so is all that it wrote, when the block is left.

    It works in a folder of its own, where the files of the blocks are links to the owner's, which an engine only ever
    reads; what it could write to is copied. `evaluation` is the global interval, which subqueries without a step
    have. Raises EngineTrouble.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-backtest-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        data = scratch / "data"
        data.mkdir()
        _mirror(storage, data)
        config = scratch / "prometheus.yml"
        config.write_text(f"global: {{evaluation_interval: {format_duration(evaluation)}}}\n")
        flags = (*_FLAGS, f"--query.lookback-delta={format_duration(lookback)}")
        with Supervisor("backtest", scratch / "logs", scratch=scratch) as supervisor:
            settings = PrometheusSettings(config=config, data=data, flags=flags, binary=binary, name="history")
            prometheus = Prometheus.start(supervisor, settings, seconds=STARTS_WITHIN)
            try:
                yield prometheus
            finally:
                prometheus.stop()


def _mirror(storage: Storage, data: Path) -> None:
    try:
        for block in storage.blocks:
            _mirror_block(block.place, data / block.place.name)
        for log in storage.logs:
            shutil.copytree(log, data / log.name)
    except (OSError, shutil.Error) as error:
        said = f"{error}. If its Prometheus runs, it may just have compacted: ask again, or name a snapshot"
        raise EngineTrouble("the storage cannot be read", str(storage.directory), said) from error


def _mirror_block(place: Path, mirror: Path) -> None:
    (mirror / "chunks").mkdir(parents=True)
    for name in ("meta.json", "tombstones"):
        if (place / name).is_file():
            shutil.copyfile(place / name, mirror / name)
    for file in (place / "index", *sorted((place / "chunks").iterdir())):
        (mirror / file.relative_to(place)).symlink_to(file.resolve(strict=True))


def covered(prometheus: Prometheus, storage: Storage) -> Window | None:
    """Return the stretch of time that an engine that was opened has samples of."""
    head = prometheus.api.json("/api/v1/status/tsdb").get("data", {}).get("headStats", {})
    found = [storage.window] if storage.window is not None else []
    begin, end = head.get("minTime", math.inf), head.get("maxTime", -math.inf)
    if head.get("numSeries") and begin <= end:
        found.append(Window(int(begin), int(end)))
    if not found:
        return None
    return Window(min(each.begin for each in found), max(each.end for each in found))
