"""The operator's key is lost: its role is taken from it, and some time later another key has the role."""

from __future__ import annotations

from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.scenario.units import SECOND_NS, PositiveDuration


class OperatorKeyLost(Fault):
    """Settlement has no role on chain, until the secret holds the key of a new operator."""

    fault: Literal["operator_key_lost"]
    down: PositiveDuration = 300 * SECOND_NS
    """How long there is no operator."""

    def install(self, site: Site) -> None:
        site.begin(lambda: self._lose(site))

    def _lose(self, site: Site) -> None:
        if not site.strikes():
            return
        new_key = site.dice.randbytes(32)
        site.chain.lose_operator()
        left_ns = site.to_ns - site.timeline.elapsed_ns
        site.timeline.after(min(self.down, left_ns), site.chain.set_operator, new_key)
