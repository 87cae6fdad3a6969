"""No miner takes a transaction: it waits until a better offer replaces it."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.interference import EVERY, Crossing, Proceed
from system.model.errors import TimedOut
from system.ports.chain import PreparedTx


class StuckTransaction(Fault):
    """Miners leave alone what waits when a transaction is sent, until it is outbid or the fault ends."""

    fault: Literal["stuck_transaction"]
    first_wins: bool = False
    """Whether the better offer comes too late: a miner takes the first one, and nobody hears of the other."""

    def install(self, site: Site) -> None:
        stuck: dict[int, str] = {}  # hash by nonce
        site.interference.on_call(EVERY, "chain.send", partial(self._stick, site, stuck))
        site.end(site.chain.release)

    def _stick(self, site: Site, stuck: dict[int, str], crossing: Crossing, proceed: Proceed) -> Any:
        tx: PreparedTx = crossing.args[0]
        is_late = self.first_wins and stuck.get(tx.nonce, tx.tx_hash) != tx.tx_hash
        if is_late and site.strikes(function=crossing.instance.function, nonce=tx.nonce):
            stuck.clear()
            site.chain.release()
            raise TimedOut(f"{crossing.name}: no answer (fault {site.label})")
        is_news = proceed()
        if is_news and site.strikes(function=crossing.instance.function):
            stuck[tx.nonce] = tx.tx_hash
            site.chain.withhold()
        return is_news
