"""A schedule does not fire."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.cron import SCHEDULE, CronFault, job_of
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Finish, Invoke


class CronMissed(CronFault):
    """A due start of a job never happens; the next one does."""

    fault: Literal["cron_missed"]

    def install(self, site: Site) -> None:
        site.interference.on_hop(SCHEDULE, partial(self._start, site))

    def _start(self, site: Site, due: Event, finish: Finish, carry: Invoke) -> None:
        if not self.hits(due) or not site.strikes(job=job_of(due)):
            carry(due, finish)
