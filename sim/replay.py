"""Run a kept run again and compare it with its own history, event by event; from its middle, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sim.compiled import state
from sim.kernel.history import HistoryWriter
from sim.player import Journal, Player
from sim.report.folder import Run
from sim.report.record import RecordUnreadable
from sim.run import Progress, RunResult, play_unjudged, run
from sim.scenario.schema import Scenario
from sim.scenario.units import DURATION
from sim.shelf import Kept, Shelf
from sim.snapshot import dump, load
from sim.world.build import World
from sim.world.business import business_digest
from system.model.errors import DexError, Divergence, ScenarioError

if TYPE_CHECKING:
    from sim.report.record import RunRecord


class NoMiddle(DexError):
    """A run cannot be replayed from there: (problem, remedy)."""

    def __str__(self) -> str:
        return "; ".join(self.args)


class Rest(NamedTuple):
    """What a replay from the middle did.

    Attributes:
        from_ns: where it began (ns since start): at a snapshot, or at 0 where there was none yet.
        before: how many events the snapshot has behind it.
        events: how many were compared.
        kept_ns: when the snapshot was taken that this replay left, None when it left none.
    """

    from_ns: int
    before: int
    events: int
    kept_ns: int | None


class Replay:
    """A run's folder, ready to be run again.

    Raises:
        RecordUnreadable: the folder holds no run, or a damaged one.
        HistoryUnreadable: its history is missing.
    """

    def __init__(self, folder: Path) -> None:
        kept = Run(folder)
        self.folder = folder
        self.record: RunRecord = kept.record
        self.history = kept.history
        try:
            self.scenario = Scenario.load(kept.scenario_path)
        except ScenarioError as error:
            raise RecordUnreadable(kept.scenario_path, str(error), "run the scenario again") from None

    def play(self, progress: Progress | None = None) -> RunResult:
        """Run it again, nothing is written.

        Raises:
            Divergence: an event differs (number, expected, was), or the digests do.
            HistoryUnreadable: the history is damaged.
        """
        result = run(self.scenario, expected=self.history, progress=progress)
        for name in ("digest", "business_digest"):
            self._same(name, getattr(result.record, name))
        return result

    def play_from(self, from_ns: int, progress: Progress | None = None, shelf: Shelf | None = None) -> Rest:
        """Run it again from the last snapshot until then, and keep one at that instant.

        The first time there is none: it runs from the start, and what agents say is kept beside the snapshot.

        Raises:
            Divergence: as `play`.
            NoMiddle: such a run has no snapshots, or it ends before.
        """
        self._check(from_ns)
        shelf = shelf or Shelf(self.record, self.scenario)
        begun = shelf.latest(from_ns)
        before = begun.events if begun is not None else 0
        with HistoryWriter(None, self.history, after=before) as history:
            journal = None
            if begun is not None:
                player = load(begun.world, self.scenario, history, shelf.journal())
            else:
                player = Player(World(self.scenario, history))
                journal = Journal(player)
            world = player.world
            try:
                taking = _Taking(player, from_ns, needed=begun is None or begun.asked_ns < from_ns)
                play_unjudged(world, taking.run_until, progress)
                assert world.backend is not None
                business = business_digest(world.backend)
            finally:
                world.close()
        self._same("digest", self.history.digest)
        self._same("business_digest", business)
        if taking.taken is not None:
            shelf.keep(taking.taken)
            if journal is not None:
                shelf.keep_journal(journal.said)
        kept_ns = taking.taken.at_ns if taking.taken is not None else None
        return Rest(begun.at_ns if begun is not None else 0, before, history.count - before, kept_ns)

    def _check(self, from_ns: int) -> None:
        scenario = self.scenario
        if state() == "yes":
            problem = "compiled copies are in use, and their objects do not pickle"
            raise NoMiddle(problem, "set DEXSIM_COMPILED=0")
        if not 0 < from_ns < scenario.duration:
            within = DURATION.format(scenario.duration)
            problem = f"expected an instant before the end, {within}, was {DURATION.format(from_ns)}"
            raise NoMiddle(problem, "name an earlier one, and not the start")
        if (scenario.backend, scenario.chain) != ("memory", "model"):
            problem = f"expected backend memory and chain model, was {scenario.backend} and {scenario.chain}"
            raise NoMiddle(problem, "their state is not in this process: replay the whole run")

    def _same(self, name: str, was: str) -> None:
        expected = getattr(self.record, name)
        if expected != was:
            raise Divergence(0, f"{name} {expected}, as in run.json", was)


class _Taking:
    """Takes a snapshot on the way, at the first instant from one on at which no handler stands still."""

    def __init__(self, player: Player, asked_ns: int, *, needed: bool) -> None:
        self.player = player
        self.asked_ns = asked_ns
        self.needed = needed
        self.taken: Kept | None = None

    def run_until(self, elapsed_ns: int) -> None:
        """Play everything before this instant, and stand there."""
        player = self.player
        if self.needed and self.asked_ns < elapsed_ns:
            player.run_until(max(self.asked_ns, player.timeline.elapsed_ns))
            if player.step_to_quiet(elapsed_ns):
                at_ns, count = player.timeline.elapsed_ns, player.world.history.count
                self.taken, self.needed = Kept(self.asked_ns, at_ns, count, dump(player)), False
        player.run_until(elapsed_ns)
