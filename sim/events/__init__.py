"""What happens to the world at a given time: one file a kind, a field of `Event` each.

An event is no fault: nothing breaks, and nothing heals. Prices leap, administrators act.
"""

from sim.events.base import Event
from sim.events.market_action import MarketAction
from sim.events.oracle_shock import OracleShock, shocked

__all__ = ["Event", "MarketAction", "OracleShock", "shocked"]
