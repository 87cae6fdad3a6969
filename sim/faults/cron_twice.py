"""A schedule fires twice."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.cron import SCHEDULE, CronFault, job_of
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.units import Duration


class CronTwice(CronFault):
    """A due start of a job happens twice: EventBridge promises at least once."""

    fault: Literal["cron_twice"]
    after: Duration = 0
    """How much later the second start comes; at once when left out."""

    def install(self, site: Site) -> None:
        site.interference.on_hop(SCHEDULE, partial(self._start, site))

    def _start(self, site: Site, due: Event, finish: Finish, carry: Invoke) -> None:
        carry(due, finish)
        if self.hits(due) and site.strikes(job=job_of(due)):
            site.cloud.later(self.after, carry, due, finish)
