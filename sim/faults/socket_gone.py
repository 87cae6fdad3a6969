"""A WebSocket is gone, and its client comes back later."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from sim.scenario.units import SECOND_NS, PositiveDuration


class SocketGone(Fault):
    """A connection is gone when a message is posted to it (410); its client connects anew after a while."""

    fault: Literal["socket_gone"]
    away: PositiveDuration = 5 * SECOND_NS
    """How long the client stays away."""

    def install(self, site: Site) -> None:
        site.interference.on_call("*", "sockets.post", partial(self._post, site))

    def _post(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        connection_id = crossing.args[0]
        door = site.door
        if connection_id in site.cloud.sockets and site.strikes(connection=connection_id):
            channels, hear = door.channels_of(connection_id), site.cloud.sockets.pop(connection_id)
            site.timeline.after(self.away, door.come_back, connection_id, hear, channels)
            return False
        return proceed()
