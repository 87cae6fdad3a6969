"""Funding is paid by those whom it concerns, as much as their size says."""

from __future__ import annotations

from collections import defaultdict, deque

from sim.invariants.ledger import funding_ticks, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model.keys import Item
from system.model.order import BUY

_SCALE = 10**14  # size_e8 times 1e-12 USDC per base, in uUSDC


@invariant("funding_follows_sizes")
def check(state: State) -> Found:
    """Each tick takes from every position its size times the payment for one unit, and gives it on.

    The sizes are those that the trades before the tick add up to. Longs pay where the payment is above
    zero, each rounded up; shorts get it, each rounded down. By the seed's rule it is mark less index.
    Source: identity I7, domain of funding; design document section 4.3 (rule CONS-035).
    """
    ticks = sorted(funding_ticks(state), key=lambda row: (row["symbol"], row["seq"], row["boundary_ns"]))
    rows = trades(state) if ticks else []
    waiting: dict[str, deque[Item]] = defaultdict(deque)
    for trade in sorted(rows, key=lambda row: row["seq"]):
        waiting[trade["symbol"]].append(trade)
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in ticks:
        held, before = sizes[row["symbol"]], waiting[row["symbol"]]
        while before and before[0]["seq"] < row["seq"]:
            trade = before.popleft()
            signed = trade["qty_e8"] if trade["aggressor_side"] == BUY else -trade["qty_e8"]
            held[trade["taker"]] += signed
            held[trade["maker"]] -= signed
        owed = [-size * row["dF_e12"] // _SCALE for size in held.values()]
        where = f"{row['symbol']} funding of {row['boundary_ns'] // 10**9}"
        for what, expected, was in (
            ("to be paid", -sum(delta for delta in owed if delta < 0), row["paid"] + row["unpaid"]),
            ("to be received", sum(delta for delta in owed if delta > 0), row["received"] + row["haircut"]),
        ):
            if expected != was:
                yield Violation(f"{where}: {what}", f"{expected} uUSDC", str(was), abs(expected - was))
        premium = row["mark_e6"] - row["index_e6"]
        if row["model"] == "seed_literal" and row["dF_e12"] * premium < 0:
            yield Violation(f"{where}: dF_e12", f"the sign of mark less index, {premium}", str(row["dF_e12"]))
    return len(ticks)
