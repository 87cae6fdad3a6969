"""Agents: one file a kind, registered here. docs/adding-an-agent.md shows how to add one."""

from __future__ import annotations

from sim.agents.avellaneda_stoikov import AvellanedaStoikov
from sim.agents.base import Agent
from sim.agents.basis_trader import BasisTrader
from sim.agents.cxpt_arbitrageur import CxptArbitrageur
from sim.agents.explorer import Explorer
from sim.agents.external_liquidator import ExternalLiquidator
from sim.agents.flow_replay import FlowReplay
from sim.agents.funding_arbitrageur import FundingArbitrageur
from sim.agents.glft import Glft
from sim.agents.hawkes_flow import HawkesFlow
from sim.agents.leverage_chaser import LeverageChaser
from sim.agents.manipulator import Manipulator
from sim.agents.market_maker import MarketMaker
from sim.agents.momentum import Momentum
from sim.agents.noise_taker import NoiseTaker
from sim.agents.option_maker import OptionMaker
from sim.agents.panic_withdrawer import PanicWithdrawer
from sim.agents.recorded import Recorded
from sim.agents.sniper import Sniper
from sim.agents.value import Value
from sim.agents.whale import Whale
from sim.agents.zero_intelligence import ZeroIntelligence

KINDS: tuple[type[Agent], ...] = (
    MarketMaker,
    AvellanedaStoikov,
    Glft,
    OptionMaker,
    NoiseTaker,
    ZeroIntelligence,
    HawkesFlow,
    Value,
    Momentum,
    LeverageChaser,
    PanicWithdrawer,
    FundingArbitrageur,
    BasisTrader,
    CxptArbitrageur,
    ExternalLiquidator,
    Sniper,
    Whale,
    Manipulator,
    FlowReplay,
    Explorer,
    Recorded,
)
"""Every kind a scenario may name; a new one is added here."""

__all__ = ["KINDS", "Agent", "Explorer", "MarketMaker", "NoiseTaker", "Recorded", "ZeroIntelligence"]
