"""What faults of schedules share: which start is meant."""

from __future__ import annotations

from abc import ABC
from typing import Annotated, Any

from pydantic import AfterValidator

from sim.faults.base import Fault
from sim.kernel.interference import EVERY
from sim.kernel.plumbing import Event
from sim.kernel.template.stack import load_template
from sim.scenario.part import suggest
from sim.scenario.units import UnitError

SCHEDULE = "schedule -> job"


def _job(name: str) -> str:
    known = [EVERY, *dict.fromkeys(_started_by(schedule) for schedule in load_template().schedules())]
    if name not in known:
        raise UnitError(f"no schedule starts `{name}`", suggest(name, known))
    return name


def _started_by(schedule: Any) -> str:
    """Return the name of the function that a schedule starts, or of the queue that it ticks."""
    if not schedule.function:
        return str(schedule.queue)
    functions = {each.logical_id: each.name for each in load_template().functions()}
    return functions[schedule.function]


def job_of(due: Event) -> str:
    """Return what a due start is of: a function's name, or a queue's."""
    return _started_by(due["schedule"])


JobName = Annotated[str, AfterValidator(_job)]
"""A function that a schedule starts, or a queue that one ticks; `*` for all."""


class CronFault(Fault, ABC):
    """A fault of schedules."""

    target: JobName = EVERY
    """Which job, by its function's name or the queue that its ticks go through."""

    def hits(self, due: Event) -> bool:
        """Tell whether this start is meant."""
        return self.target in (EVERY, job_of(due))
