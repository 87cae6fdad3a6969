"""Nothing stays on the way to the chain."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from sim.invariants import ledger
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.trade import CONFIRMED, LEDGER


@invariant("every_trade_settled", at_end_only=True)
def check(state: State) -> Found:
    """After the drain each trade is CONFIRMED, in exactly one batch that was deep enough to be final.

    A trade that the contract skipped is broken, too: matcher and contract then disagree about a
    fill, and the ledger has money that the Vault does not. The trades of a market whose terms say
    `settlement: ledger` are in no batch.
    Source: steps 9 and 10 of docs/walk.md (rule CONS-014).
    """
    trades = ledger.trades(state)
    yield from _depths(state)
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in state.items(keys.SETTLEMENTS):
        if row["PK"].startswith("BATCH#"):
            for pk, sk in row["trades"]:
                members[pk, sk].append(row["number"])
            if row["status"] != CONFIRMED:
                yield Violation(f"batch {row['number']}", CONFIRMED, str(row["status"]))
    for row in trades:
        where = f"{row['symbol']} trade {row['trade_no']}"
        on_chain = state.specs[row["symbol"]].settlement == "chain" and row["tradeType"] == "TRADE"
        expected = CONFIRMED if on_chain else LEDGER
        if row["settlementStatus"] != expected:
            yield Violation(where, expected, str(row["settlementStatus"]))
        batches = members.pop((row["PK"], row["SK"]), [])
        if not on_chain:
            if batches:
                yield Violation(where, "in no batch", f"in batches {batches}")
        elif batches != [row.get("batch")]:
            yield Violation(where, f"in batch {row.get('batch')} alone", f"in batches {batches}")
    for (pk, sk), batches in members.items():
        yield Violation(f"batch {batches[0]}", "trades of the table", f"a trade {pk} {sk} that is not there")
    return len(trades)


def _depths(state: State) -> Iterator[Violation]:
    """See that a batch was not final before its own block had come and as many on top as it takes."""
    if state.history is None:
        return
    blocks_ns = [state.start_ns + event["t"] for _, event in state.history.of_kind("block")]
    for row in state.items(keys.SETTLEMENTS):
        if not row["PK"].startswith("BATCH#") or row["status"] != CONFIRMED:
            continue
        made, final = (bisect_right(blocks_ns, row[name]) for name in ("created_ns", "confirmed_ns"))
        if final - made < state.confirmations + 1:
            expected = f"its own block and {state.confirmations} on top of it before it is final"
            yield Violation(f"batch {row['number']}", expected, f"{final - made} blocks in all")
