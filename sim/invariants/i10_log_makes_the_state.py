"""What was written down is all that was done."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation

Rows = dict[str, dict[tuple[str, str], dict[str, Any]]]


@invariant("I10_log_makes_the_state", at_end_only=True)
def check(state: State) -> Found:
    """The log of writes, carried out again from nothing, makes every row of every table, to the byte.

    So the history is the whole of what happened to the tables: nothing reached them beside it, and
    nothing that it tells of was lost. That the log of commands makes the same history is what
    `dexsim replay` shows. A row whose time to live is over may be gone.
    Source: identity I10 (rule CONS-039); event sourcing (Fowler 2005), the log as the authority.
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    expected: Rows = defaultdict(dict)
    for _, event in state.history.of_kind("tx"):
        for write in event["w"]:
            _carry_out(expected[write[1]], write)
    looked_at = 0
    for table, rows in sorted(expected.items()):
        kept = {(row["PK"], row["SK"]): row for row in state.items(table)}
        for key in sorted({*rows, *kept}):
            looked_at += 1
            made, was = rows.get(key), kept.get(key)
            if was is None and made is not None and _expired(made, state.now_ns):
                continue
            if made is None or was is None:
                there = ("no row", "a row") if made is None else ("a row", "none")
                yield Violation(f"{table} {key[0]} {key[1]}", f"{there[0]}, by the log", there[1])
                continue
            for name in sorted({*made, *was}):
                left, right = made.get(name), _plain(was.get(name))
                if left != right:
                    size = abs(left - right) if type(left) is type(right) is int else 1
                    where = f"{table} {key[0]} {key[1]}: {name}"
                    yield Violation(where, f"{left}, by the log", str(right), size)
    return looked_at


def _carry_out(rows: dict[tuple[str, str], dict[str, Any]], write: list[Any]) -> None:
    if write[0] == "put":
        row = write[2]
        rows[row["PK"], row["SK"]] = row
        return
    pk, sk = write[2], write[3]
    if write[0] == "del":
        rows.pop((pk, sk), None)
        return
    row = rows.setdefault((pk, sk), {"PK": pk, "SK": sk})
    row |= write[4]
    for name, amount in write[5].items():
        row[name] = row.get(name, 0) + amount
    for name in write[6] if len(write) > 6 else ():
        row.pop(name, None)


def _plain(value: Any) -> Any:
    """Return a value as the history tells it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _expired(row: dict[str, Any], now_ns: int) -> bool:
    ttl_s: int | None = row.get("ttl")
    return ttl_s is not None and ttl_s * 1_000_000_000 <= now_ns
