"""Where snapshots of runs are kept: below build/, never in a run's folder.

A snapshot is Python's pickle, which does what it says, and run folders are handed on. So a checkout keeps
its own, made by its own replays, and finds them by what they are made of: the run, the code, the packages.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from sim.compiled.finder import ROOT, fingerprint, python
from sim.player import Said
from sim.report.record import RunRecord
from sim.scenario.schema import Scenario

HOME = ROOT / "build" / "snapshots"
MOST_RUNS = 16
"""Snapshots of so many runs are kept; the oldest make room."""
_JOURNAL = "journal"
_SOURCES = ("sim/**/*.py", "system/**/*.py", "system/template.yaml", "requirements.lock")


class Kept(NamedTuple):
    """A snapshot.

    Attributes:
        asked_ns, at_ns: when it was asked for, and when it could be taken (ns since start).
        events: how many came before.
        world: the world as it stood.
    """

    asked_ns: int
    at_ns: int
    events: int
    world: bytes


class Shelf:
    """The snapshots of one run, and the journal of its agents' words."""

    def __init__(self, record: RunRecord, scenario: Scenario, home: Path = HOME) -> None:
        name = blake2b(digest_size=16)
        for part in (_code(), record.digest, scenario.resolved_yaml()):
            name.update(part.encode() + b"\0")
        self.folder = home / name.hexdigest()

    def latest(self, until_ns: int) -> Kept | None:
        """Return the last snapshot that was asked for until then, None where there is none."""
        if not (self.folder / _JOURNAL).is_file():
            return None
        asked = [int(file.stem) for file in self.folder.glob("*.snapshot") if file.stem.isdigit()]
        asked_ns = max((ns for ns in asked if ns <= until_ns), default=None)
        return None if asked_ns is None else Kept(*_read(self._file(asked_ns)))

    def journal(self) -> list[Said]:
        """Return all that agents said in the whole run."""
        said: list[Said] = _read(self.folder / _JOURNAL)
        return said

    def keep(self, kept: Kept) -> None:
        """Keep a snapshot."""
        _write(self._file(kept.asked_ns), tuple(kept))

    def keep_journal(self, said: Sequence[Said]) -> None:
        """Keep the journal; from then on the run's snapshots can be used."""
        _write(self.folder / _JOURNAL, list(said))
        runs = sorted(self.folder.parent.iterdir(), key=lambda run: run.stat().st_mtime_ns, reverse=True)
        for run in runs[MOST_RUNS:]:
            shutil.rmtree(run, ignore_errors=True)

    def _file(self, asked_ns: int) -> Path:
        return self.folder / f"{asked_ns}.snapshot"


def _write(file: Path, thing: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".part")
    packed = pickle.dumps(thing, protocol=5)
    fresh.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(packed))
    fresh.replace(file)  # whole or not at all


def _read(file: Path) -> Any:
    return pickle.loads(zstandard.ZstdDecompressor().decompress(file.read_bytes()))


@cache
def _code() -> str:
    """Return a digest of everything that a snapshot's meaning depends on but the run itself."""
    files = sorted(file for pattern in _SOURCES for file in ROOT.glob(pattern))
    said = "\n".join([python(), *(f"{file.relative_to(ROOT)} {fingerprint(file)}" for file in files)])
    return blake2b(said.encode(), digest_size=16).hexdigest()
