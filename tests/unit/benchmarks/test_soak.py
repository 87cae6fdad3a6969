"""The soak is clean as it ships, and each identity catches the bug that was planted for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from benchmarks import soak
from system.matcher import fills, forced, funding, house, matching, plans
from system.matcher.steps import Accounts, Moved
from tests.rules import rule

Patch = Callable[[pytest.MonkeyPatch], None]


def wrapped(module: Any, name: str, change: Callable[[Any], Any]) -> Patch:
    """Return a bug: what a function gives is changed."""
    real = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *a, **k: change(real(*a, **k)))


def more_size(effect: Any) -> Any:
    return effect._replace(size_e8=effect.size_e8 + 1) if effect is not None else None


def less_lock(effect: Any) -> Any:
    return effect._replace(margin=max(0, effect.margin - 1))


def dust_kept(done: Any) -> Any:
    return done._replace(dust=-1)


def cheap(hold: int) -> int:
    return hold - 1 if hold else hold


def free_fund(accounts: Accounts) -> Accounts:
    return msgspec.structs.replace(accounts, insurance=accounts.insurance + 1)


def lost_move(step: Moved) -> Moved:
    return msgspec.structs.replace(step, margin=step.margin + 1)


def cost_slips(close: Any) -> Any:
    return msgspec.structs.replace(close, cost=close.cost + 1)


BUGS: dict[str, Patch] = {
    "I1: a fill makes contracts": wrapped(fills, "fill_effect", more_size),
    "I2: a forced close loses cost": wrapped(forced, "close_out", cost_slips),
    "I3, I9: the fund gets what nobody paid": wrapped(house.House, "book_fund", free_fund),
    "I5: a resting order holds too little": wrapped(matching, "hold_resting", cheap),
    "I6, I8: a writer locks too little": wrapped(fills, "option_fill", less_lock),
    "I7: dust is taken from nowhere": wrapped(funding, "apply_funding", dust_kept),
    "I9: a plan moves margin twice": wrapped(plans, "_move", lost_move),
}


@rule("CONS-001", "CONS-002", "CONS-003", "CONS-005", "CONS-007", "CONS-008", "CONS-009")
def test_the_soak_is_clean() -> None:
    figures = soak.soak(commands=12_000, seed=5, sample=3_000)
    assert figures["markets"] >= 30
    assert figures["full_checks"] == 4
    assert figures["replays"] >= 30


@rule("CONS-021")
@pytest.mark.parametrize("name", list(BUGS))
def test_a_planted_bug_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[name](monkeypatch)
    with pytest.raises(AssertionError):
        soak.soak(commands=20_000, seed=5, sample=500)


@rule("CONS-021")
def test_a_replay_that_differs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I10: something in the engine that is no part of the log."""
    real, calls = house.House.take, [0]

    def forgetful(self: Any, mark: Any, *args: Any, **how: Any) -> bool:
        calls[0] += 1
        return real(self, mark._replace(index_e6=mark.index_e6 + calls[0] % 7), *args, **how)

    monkeypatch.setattr(house.House, "take", forgetful)
    with pytest.raises(AssertionError):
        soak.soak(commands=6_000, seed=5, sample=3_000)
