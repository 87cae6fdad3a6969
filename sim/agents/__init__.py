"""Agents: one file a kind, registered here. docs/adding-an-agent.md shows how to add one."""

from __future__ import annotations

from sim.agents.base import Agent
from sim.agents.market_maker import MarketMaker
from sim.agents.noise_taker import NoiseTaker
from sim.agents.recorded import Recorded
from sim.agents.zero_intelligence import ZeroIntelligence

KINDS: tuple[type[Agent], ...] = (MarketMaker, NoiseTaker, ZeroIntelligence, Recorded)
"""Every kind a scenario may name; a new one is added to this line."""

__all__ = ["KINDS", "Agent", "MarketMaker", "NoiseTaker", "Recorded", "ZeroIntelligence"]
