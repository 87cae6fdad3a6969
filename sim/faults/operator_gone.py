"""The operator disappears for good; a day later everybody takes out what is theirs."""

from __future__ import annotations

from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.scenario.part import Misfit
from sim.world.deploy import EXIT_DELAY_S, HEARTBEAT_S
from system.model.errors import ScenarioError
from system.model.units import NS

ESCAPE_NS = (HEARTBEAT_S + EXIT_DELAY_S) * NS
"""When everybody leaves: the Vault opens a day after the last batch, and what was sent is mined by then."""
FOREVER_NS = 10_000 * 365 * HEARTBEAT_S * NS


class OperatorGone(Fault):
    """Every function of the exchange is gone; the chain goes on, and users are alone with the contracts.

    A day later, when the Vault opens, every trader withdraws everything. It is the one fault that never
    heals: what the contracts have not settled is void, the run need not drain, and the rules that compare
    the ledger with the chain do not apply. Positions in perpetuals have no such door.
    """

    fault: Literal["operator_gone"]

    def trouble(self) -> Misfit | None:
        if self.at is None:
            return Misfit(("at",), "the operator disappears at an instant", "add `at: 10 min`")
        return None

    def install(self, site: Site) -> None:
        if site.from_ns + ESCAPE_NS >= site.grounds.end_ns:
            problem = "expected a run that goes on for a day and an hour after the operator has gone"
            raise ScenarioError(f"faults: {site.label}", problem, "raise `duration`")
        site.begin(lambda: self._disappear(site))

    def _disappear(self, site: Site) -> None:
        if not site.strikes():
            return
        for function in site.cloud.pools:
            site.cloud.crash(function, FOREVER_NS, f"fault {site.label}")
        site.grounds.abandoned = True
        site.timeline.after(ESCAPE_NS, self._escape, site)

    def _escape(self, site: Site) -> None:
        for purse in site.grounds.purses.values():
            site.chain.exit(purse.private_key)
