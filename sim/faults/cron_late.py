"""A schedule fires late."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.cron import SCHEDULE, CronFault, job_of
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.units import SECOND_NS, PositiveDuration


class CronLate(CronFault):
    """A due start of a job happens later, maybe after the next one."""

    fault: Literal["cron_late"]
    by: PositiveDuration = 90 * SECOND_NS
    """How late."""

    def install(self, site: Site) -> None:
        site.interference.on_hop(SCHEDULE, partial(self._start, site))

    def _start(self, site: Site, due: Event, finish: Finish, carry: Invoke) -> None:
        if self.hits(due) and site.strikes(job=job_of(due)):
            site.cloud.later(self.by, carry, due, finish)
        else:
            carry(due, finish)
