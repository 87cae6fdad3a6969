"""Faults: one file a kind, registered here. docs/adding-a-fault.md shows how to add one."""

from __future__ import annotations

from sim.faults.base import Fault
from sim.faults.crash import Crash
from sim.faults.duplicate import Duplicate
from sim.faults.site import Grounds, Site
from sim.faults.throttle import Throttle
from sim.faults.timeout import Timeout

FAULTS: tuple[type[Fault], ...] = (Crash, Duplicate, Throttle, Timeout)
"""Every kind a scenario may name; a new one is added to this line."""

__all__ = ["FAULTS", "Crash", "Duplicate", "Fault", "Grounds", "Site", "Throttle", "Timeout"]
