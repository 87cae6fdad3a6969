"""The operator disappears for good; a day later everybody takes out what is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.scenario.part import Misfit
from sim.world.deploy import CLAIM_DELAY_S, EXIT_DELAY_S, HEARTBEAT_S
from system.model.errors import ScenarioError
from system.model.units import NS

ESCAPE_NS = (HEARTBEAT_S + EXIT_DELAY_S) * NS
"""When everybody leaves: the Vault opens a day after the last batch, and what was sent is mined by then."""
PATIENCE_NS = 600 * NS
"""Between two steps of leaving: what one sends is mined before the next."""
CLAIM_NS = ESCAPE_NS + CLAIM_DELAY_S * NS + 2 * PATIENCE_NS
LEFT_NS = CLAIM_NS + 2 * PATIENCE_NS
"""When everybody is out."""
FOREVER_NS = 10_000 * 365 * HEARTBEAT_S * NS


class OperatorGone(Fault):
    """Every function of the exchange is gone; the chain goes on, and users are alone with the contracts.

    A day later, when the Vault opens, every trader withdraws what is free, and somebody ends the perpetuals.
    An hour after that everybody claims what positions were worth, and withdraws it too. It is the one fault
    that never heals: what the contracts have not settled is void, the run need not drain, and the rules that
    compare the ledger with the chain do not apply.
    """

    fault: Literal["operator_gone"]

    def trouble(self) -> Misfit | None:
        if self.at is None:
            return Misfit(("at",), "the operator disappears at an instant", "add `at: 10 min`")
        return None

    def install(self, site: Site) -> None:
        if site.from_ns + LEFT_NS >= site.grounds.end_ns:
            problem = "expected a run that goes on for 27 hours after the operator has gone"
            raise ScenarioError(f"faults: {site.label}", problem, "raise `duration`")
        site.begin(lambda: self._disappear(site))

    def _disappear(self, site: Site) -> None:
        if not site.strikes():
            return
        for function in site.cloud.pools:
            site.cloud.crash(function, FOREVER_NS, f"fault {site.label}")
        site.grounds.abandoned = True
        chain, keys = site.chain, [purse.private_key for purse in site.grounds.purses.values()]
        steps: list[tuple[int, Callable[[bytes], None]]] = [
            (ESCAPE_NS, chain.exit),
            (ESCAPE_NS + PATIENCE_NS, chain.record_deficits),
            (CLAIM_NS, chain.claim),
            (CLAIM_NS + PATIENCE_NS, chain.exit),
        ]
        site.timeline.after(ESCAPE_NS, chain.close_out, keys[0])
        for delay_ns, step in steps:
            site.timeline.after(delay_ns, _each, step, keys)


def _each(step: Callable[[bytes], None], keys: list[bytes]) -> None:
    for private_key in keys:
        step(private_key)
