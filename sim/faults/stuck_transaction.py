"""No miner takes a transaction: it waits until a better offer replaces it."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.interference import EVERY, Crossing, Proceed


class StuckTransaction(Fault):
    """Miners leave alone what waits when a transaction is sent, until it is outbid or the fault ends."""

    fault: Literal["stuck_transaction"]

    def install(self, site: Site) -> None:
        site.interference.on_call(EVERY, "chain.send", partial(self._stick, site))
        site.end(site.chain.release)

    def _stick(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        is_news = proceed()
        if is_news and site.strikes(function=crossing.instance.function):
            site.chain.withhold()
        return is_news
