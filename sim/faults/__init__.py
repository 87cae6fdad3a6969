"""Faults: one file a kind, registered here. docs/adding-a-fault.md shows how to add one."""

from __future__ import annotations

from sim.faults.base import Fault
from sim.faults.clock_skew import ClockSkew
from sim.faults.clock_step import ClockStep
from sim.faults.cold_start_storm import ColdStartStorm
from sim.faults.conflict import Conflict
from sim.faults.crash import Crash
from sim.faults.cron_late import CronLate
from sim.faults.cron_missed import CronMissed
from sim.faults.cron_twice import CronTwice
from sim.faults.dead_letter import DeadLetter
from sim.faults.delay import Delay
from sim.faults.drop import Drop
from sim.faults.duplicate import Duplicate
from sim.faults.gas_spike import GasSpike
from sim.faults.operator_gone import OperatorGone
from sim.faults.operator_key_lost import OperatorKeyLost
from sim.faults.oracle_diverging import OracleDiverging
from sim.faults.oracle_frozen import OracleFrozen
from sim.faults.oracle_stale import OracleStale
from sim.faults.oracle_unsure import OracleUnsure
from sim.faults.oracle_wrong import OracleWrong
from sim.faults.outage import Outage
from sim.faults.partial_failure import PartialFailure
from sim.faults.reorder import Reorder
from sim.faults.reorg import Reorg
from sim.faults.rpc_down import RpcDown
from sim.faults.rpc_slow import RpcSlow
from sim.faults.site import Grounds, Site
from sim.faults.socket_gone import SocketGone
from sim.faults.stale_list import StaleList
from sim.faults.stream_stall import StreamStall
from sim.faults.stuck_transaction import StuckTransaction
from sim.faults.throttle import Throttle
from sim.faults.timeout import Timeout
from sim.faults.visibility_expiry import VisibilityExpiry

FAULTS: tuple[type[Fault], ...] = (
    ClockSkew,
    ClockStep,
    ColdStartStorm,
    Conflict,
    Crash,
    CronLate,
    CronMissed,
    CronTwice,
    DeadLetter,
    Delay,
    Drop,
    Duplicate,
    GasSpike,
    OperatorGone,
    OperatorKeyLost,
    OracleDiverging,
    OracleFrozen,
    OracleStale,
    OracleUnsure,
    OracleWrong,
    Outage,
    PartialFailure,
    Reorder,
    Reorg,
    RpcDown,
    RpcSlow,
    SocketGone,
    StaleList,
    StreamStall,
    StuckTransaction,
    Throttle,
    Timeout,
    VisibilityExpiry,
)
"""Every kind a scenario may name; a new one is added to this list."""

__all__ = ["FAULTS", "Fault", "Grounds", "Site"]
