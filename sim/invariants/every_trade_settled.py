"""Nothing stays on the way to the chain."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sim.invariants import ledger
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.trade import CONFIRMED, LEDGER
from system.settlement.batching import PREPARED, SIGNED, SUBMITTED, batch_key


@invariant("every_trade_settled", at_end_only=True)
def check(state: State) -> Found:
    """After the drain each trade is CONFIRMED, in exactly one batch that was deep enough to be final.

    A trade that the contract skipped is broken, too: matcher and contract then disagree about a
    fill, and the ledger has money that the Vault does not. The trades of a market whose terms say
    `settlement: ledger` are in no batch. No batch was signed with the nonce of the one before it, or an
    earlier one, while that was on its way: only one of them could be mined, or in the wrong order.
    Source: steps 9 and 10 of docs/walk.md (rule CONS-014).
    """
    trades = ledger.trades(state)
    yield from _depths(state)
    yield from _nonces(state)
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


class _Signature(NamedTuple):
    status: str
    sender: str
    nonce: int

    def is_under_way(self) -> bool:
        return self.status in (SIGNED, SUBMITTED)


def _nonces(state: State) -> Iterator[Violation]:
    """See that a batch that is signed anew keeps behind the one before it, as that was since it could be."""
    if state.history is None:
        return
    told: dict[str, list[_Signature]] = defaultdict(lambda: [_Signature(PREPARED, "", 0)])  # by batch
    since: dict[str, int] = {}  # by batch: how much was told of the one before when it was last PREPARED
    for number, event in state.history.of_kind("tx"):
        for write in event["w"]:
            pk = write[2]["PK"] if write[0] == "put" else write[2]
            fields = write[2] if write[0] == "put" else write[4] if write[0] == "upd" else {}
            if write[1] != keys.SETTLEMENTS or "status" not in fields or not pk.startswith("BATCH#"):
                continue
            mine, before = told[pk], told[batch_key(int(pk[6:]) - 1).pk]
            last = mine[-1]
            now = _Signature(
                fields["status"], fields.get("sender", last.sender), fields.get("nonce", last.nonce)
            )
            if (last.status, now.status) == (PREPARED, SIGNED):
                ahead = before[since.get(pk, 1) - 1 :]
                if all(
                    one.is_under_way() and one.sender == now.sender and one.nonce >= now.nonce
                    for one in ahead
                ):
                    where = f"event {number}, batch {int(pk[6:])}"
                    yield Violation(
                        where, f"a nonce above {ahead[-1].nonce}, of the one before", str(now.nonce)
                    )
            if now.status == PREPARED:
                since[pk] = len(before)
            mine.append(now)
