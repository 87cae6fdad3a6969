"""Faults: one file a kind, registered here. docs/adding-a-fault.md shows how to add one."""

from __future__ import annotations

from sim.faults.base import Fault
from sim.faults.crash import Crash
from sim.faults.duplicate import Duplicate
from sim.faults.gas_spike import GasSpike
from sim.faults.operator_key_lost import OperatorKeyLost
from sim.faults.reorg import Reorg
from sim.faults.rpc_down import RpcDown
from sim.faults.rpc_slow import RpcSlow
from sim.faults.site import Grounds, Site
from sim.faults.stuck_transaction import StuckTransaction
from sim.faults.throttle import Throttle
from sim.faults.timeout import Timeout

FAULTS: tuple[type[Fault], ...] = (
    Crash,
    Duplicate,
    GasSpike,
    OperatorKeyLost,
    Reorg,
    RpcDown,
    RpcSlow,
    StuckTransaction,
    Throttle,
    Timeout,
)
"""Every kind a scenario may name; a new one is added to this line."""

__all__ = [
    "FAULTS",
    "Crash",
    "Duplicate",
    "Fault",
    "GasSpike",
    "Grounds",
    "OperatorKeyLost",
    "Reorg",
    "RpcDown",
    "RpcSlow",
    "Site",
    "StuckTransaction",
    "Throttle",
    "Timeout",
]
