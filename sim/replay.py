"""Run a kept run again and compare it with its own history, event by event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.report.folder import Run
from sim.report.record import RecordUnreadable
from sim.run import Progress, RunResult, run
from sim.scenario.schema import Scenario
from system.model.errors import Divergence, ScenarioError

if TYPE_CHECKING:
    from sim.report.record import RunRecord


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
            expected, was = getattr(self.record, name), getattr(result.record, name)
            if expected != was:
                raise Divergence(0, f"{name} {expected}, as in run.json", was)
        return result
