"""Part of a batch is given back although it was served."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Failed, Finish, Invoke

HOP = "commands -> matcher"


class PartialFailure(Fault):
    """The end of a batch is reported as failed (batchItemFailures), and comes again."""

    fault: Literal["partial_failure"]

    def install(self, site: Site) -> None:
        site.interference.on_hop(HOP, partial(self._report, site))

    def _report(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        records = event["Records"]

        def less(result: Any) -> None:
            if isinstance(result, Failed) or not site.strikes(hop=HOP, messages=len(records)):
                finish(result)
                return
            # from a message on, all: a FIFO group may not go on behind one that failed
            failed = [record["messageId"] for record in records[site.dice.randrange(len(records)) :]]
            # what the function itself reports as failed stays failed
            failed += [each["itemIdentifier"] for each in (result or {}).get("batchItemFailures", ())]
            names = dict.fromkeys(failed)
            finish({"batchItemFailures": [{"itemIdentifier": name} for name in names]})

        carry(event, less)
