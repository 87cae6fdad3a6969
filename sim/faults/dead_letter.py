"""Messages fail until the queue gives up on them; an operator puts them back."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Failed, Finish, Invoke
from system.model.errors import Unavailable
from system.model.units import NS

HOP = "commands -> matcher"
_MOST = 10
_HOUR_NS = 3_600 * NS
ROUNDS = 3


class DeadLetter(Fault):
    """No batch can be served for so long that messages end in the dead letter queue; then all are put back.

    The queue gives up after ten deliveries a visibility timeout apart: let it last a quarter of an hour.
    """

    fault: Literal["dead_letter"]

    def install(self, site: Site) -> None:
        site.interference.on_hop(HOP, partial(self._refuse, site))
        site.end(partial(self._redrive, site, ROUNDS))

    def _refuse(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        records = event["Records"]
        # other queues take this hop too: only a FIFO queue holds commands
        if "MessageGroupId" in records[0]["attributes"] and site.strikes(hop=HOP, messages=len(records)):
            finish(Failed(Unavailable(f"{HOP}: fails (fault {site.label})")))
        else:
            carry(event, finish)

    def _redrive(self, site: Site, rounds: int) -> None:
        """Start SQS's message move task, from the dead letter queue back to its source, and look again later.

        What is in flight at the end of the fault may have used up its deliveries.
        """
        backend, template = site.cloud.backend, site.cloud.template
        commands = template.queue(template.commands_queue)
        dead = commands.dead_letter
        if rounds > 1:
            site.cloud.later(commands.visibility_s * NS + NS, self._redrive, site, rounds - 1)
        while records := backend.receive(dead, _MOST, _HOUR_NS):
            for record in records:
                attributes = record["attributes"]
                group, dedup_id = attributes["MessageGroupId"], attributes["MessageDeduplicationId"]
                backend.queue.send(record["body"], group, f"{dedup_id}-again")
                backend.delete(dead, record["receiptHandle"])
            site.note(redriven=len(records))
        site.cloud.wake_commands()
