"""Nothing stays on the way to the chain."""

from __future__ import annotations

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.trade import CONFIRMED


@invariant("every_trade_settled", at_end_only=True)
def check(state: State) -> Found:
    """After the drain each trade is CONFIRMED, in exactly one confirmed batch.

    A trade that the contract skipped is broken, too: matcher and contract then disagree about a
    fill, and the ledger has money that the Vault does not.
    Source: steps 9 and 10 of docs/walk.md (docs/rules/settlement.md).
    """
    batches = {row["PK"]: row for row in state.items(keys.SETTLEMENTS) if row["PK"].startswith("BATCH#")}
    trades = state.items(keys.TRADES)
    for row in trades:
        if row["settlementStatus"] != CONFIRMED:
            where = f"{row['symbol']} trade {row['trade_no']}"
            yield Violation(where, CONFIRMED, str(row["settlementStatus"]))
    for pk, batch in batches.items():
        if batch["status"] != CONFIRMED:
            yield Violation(f"batch {pk}", CONFIRMED, str(batch["status"]))
    return len(trades)
