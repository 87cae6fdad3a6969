"""A contract that has ended has paid what it promised."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.market import MarketKind, MarketState
from system.model.order import BUY
from system.model.units import QTY_SCALE


@invariant("options_pay_the_payoff")
def check(state: State) -> Found:
    """Whoever traded an option that is closed has realised the payoff of what was left, and the premiums.

    The payoff is that of the settlement price of the market: of a call what it is above the strike, up to
    the cap, of a put what it is below. Nothing of a position is left, and the profits add up to zero.
    Source: cash settlement, design document section 4.4; capped calls (rules EXPI-005, CONS-038).
    """
    closed = {
        row["symbol"]: row["settle_e6"]
        for row in state.items(keys.MARKETS)
        if row["SK"] == keys.META and row["status"] == MarketState.CLOSED.value and row.get("settle_e6")
    }
    worth: dict[tuple[str, str], int] = defaultdict(int)
    for trade in trades(state):
        symbol = trade["symbol"]
        spec = state.specs[symbol]
        if symbol not in closed or spec.kind is not MarketKind.OPTION:
            continue
        above = closed[symbol] - spec.strike_e6
        called = min(max(above, 0), spec.cap_e6 - spec.strike_e6)
        payoff_e6 = called if spec.option_type == "CALL" else max(-above, 0)
        gained = payoff_e6 * trade["qty_e8"] // QTY_SCALE - trade["notional"]
        sides = ("taker", "maker") if trade["aggressor_side"] == BUY else ("maker", "taker")
        worth[trade[sides[0]], symbol] += gained
        worth[trade[sides[1]], symbol] -= gained
    looked_at = 0
    for row in state.items(keys.POSITIONS):
        place = (row["trader"], row["symbol"])
        if place not in worth:
            continue
        looked_at += 1
        where = f"trader {row['trader']}: {row['symbol']}"
        if row["size_e8"] or row["margin"]:
            yield Violation(where, "nothing left, it is closed", f"{row['size_e8']}, lock {row['margin']}")
        if row["realised"] != worth[place]:
            size = abs(row["realised"] - worth[place])
            yield Violation(f"{where}: realised", f"{worth[place]} uUSDC", str(row["realised"]), size)
    return looked_at
