"""What a command asks of the engine, and where its steps may be cut into transactions."""

from __future__ import annotations

from typing import Any

from system.matcher import steps
from system.model.errors import RejectReason
from system.model.market import MarketState

_NO_CUT = (steps.EndReason.REPLACED.value, RejectReason.PRICE_BAND.value)
_WHOLE = (steps.MoveMargin, steps.Level, steps.Insure, steps.Convert)


def step_command(kind: str, item: dict[str, Any]) -> steps.Command:
    """Return what a command's row or message asks of the engine."""
    if kind == "CANCEL":
        if target := item["target"]:
            return steps.Cancel(target.rpartition(":")[2], item["trader"])
        return steps.CancelBelow(item["trader"], item["nonce_floor"])
    if kind == "STATE":
        return steps.SetState(MarketState(item["state"]))
    if kind == "MARK":
        return steps.Mark(item["index_e6"], item["accepted_ns"], item["valid"], item["standing"])
    if kind == "FUNDING":
        return steps.Funding(item["boundary_ns"])
    if kind == "EXPIRE":
        return steps.Expire(item["price_e6"])
    if kind == "LIQUIDATE":
        return steps.Liquidate(tuple(item["called"]))
    if kind == "MARGIN":
        return steps.MoveMargin(item["trader"], item["amount"])
    if kind == "LEVEL":
        return steps.Level(item["trader"], item["to"], item["amount"], item["keeps_ppm"])
    if kind in ("MINT", "REDEEM"):
        return steps.Convert(item["trader"], item["amount"])
    assert kind == "INSURE", kind
    return steps.Insure(item["trader"], item["amount"])


def no_cut_after(command: steps.Command, step: steps.Step) -> bool:
    """Tell whether the next step must be in the same transaction. Rule: COMM-004.

    An order has just ended for another one that replaces it, or at the band: a successor would find
    the old one gone and refuse the new one, or not calm the market. Or money moves by a command that
    says in its row alone that it was done: cut off from it, it would be done twice.
    """
    if type(command) in _WHOLE:
        return True
    return type(step) is steps.Done and step.order.reason in _NO_CUT
