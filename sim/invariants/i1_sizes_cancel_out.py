"""Longs and shorts are two sides of the same contracts."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import open_positions
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys


@invariant("I1_sizes_cancel_out")
def check(state: State) -> Found:
    """The sizes of all positions in a contract add up to zero; its open interest is the sum of the longs.

    It is no more than the market's cap.

    Every contract that somebody is long, somebody else is short. A sum other than zero means
    that one side of a trade was lost or counted twice. The open interest that the matcher keeps
    on its lease row must be what the positions say.
    Source: identity I1, conservation of contracts (rule CONS-001).
    """
    sizes: dict[str, int] = defaultdict(int)
    longs: dict[str, int] = defaultdict(int)
    for row in open_positions(state):
        sizes[row["symbol"]] += row["size_e8"]
        longs[row["symbol"]] += max(row["size_e8"], 0)
    for symbol, size_e8 in sizes.items():
        if size_e8:
            yield Violation(f"{symbol}: sum of sizes", "0", f"{size_e8} e-8", abs(size_e8))
    for row in state.items(keys.MATCHER_LEASES):
        symbol = row["PK"][7:]
        if symbol not in sizes:
            continue
        kept, counted = row.get("open_interest_e8", 0), longs[symbol]
        if kept != counted:
            yield Violation(f"{symbol}: open interest", f"{counted} e-8", f"{kept} e-8", abs(kept - counted))
        cap = state.specs[symbol].oi_cap_e8
        if cap and counted > cap:
            yield Violation(f"{symbol}: open interest", f"at most {cap} e-8", f"{counted} e-8", counted - cap)
    return len(sizes)
