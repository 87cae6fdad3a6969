"""Twins that remember less do the same business, and a memory that decides is found."""

from typing import Any

import pytest

from sim.client import Desk
from sim.shadow import TWINS, plain, shadow
from system.feed.fan_out import FanOut
from system.matcher.handler import Matcher, _Batch
from tests.simulation.scenes import small

SETTINGS = (
    "start=2025-05-03T23:59:20Z",
    "duration=90 s",
    "markets.0.funding=seed_literal",
    "markets.0.funding_interval=1 min",
    "markets.0.initial_margin=10 %",
    "markets.0.insurance=1_000 USDC",
    "agents.2={kind: explorer, count: 2, funds: 20_000 USDC, rate: 2 /s}",
    "events=[{at: 40 s, oracle_shock: {asset: BTC, move: -9 %}}]",
)


@pytest.mark.parametrize("seed", [1, 2])
def test_twins_agree(seed: int) -> None:
    heard: list[str] = []

    found = shadow(small(seed, *SETTINGS), lambda each: heard.append(each.twin.name))

    assert heard == [twin.name for twin in TWINS]
    assert [(each.agrees, each.parting) for each in found] == [(True, None)] * len(TWINS)
    assert all(each.events > 500 for each in found)


def test_a_memory_that_decides_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matcher that does not store the last price: the next mark is another after a restart."""
    sit_down = Matcher._sit_down

    def forgetful(matcher: Matcher, symbol: str, now_ns: int) -> Any:
        seat = sit_down(matcher, symbol, now_ns)
        seat.engine.last_e6 = seat.engine.house.state.last_e6
        return seat

    monkeypatch.setattr(Matcher, "_sit_down", forgetful)

    first, _ = shadow(small(1, *SETTINGS))

    assert not first.agrees
    assert first.parting is not None
    assert first.parting.left != first.parting.right


def test_a_feed_whose_memory_decides_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fan-out that leaves out a channel's fifth message, as it counts in its memory."""
    read = FanOut._of

    def forgetful(feed: FanOut, channel: str, now_ns: int) -> list[str]:
        counts: dict[str, int] = feed.__dict__.setdefault("counts", {})
        counts[channel] = counts.get(channel, 0) + 1
        return [] if counts[channel] == 5 else read(feed, channel, now_ns)

    monkeypatch.setattr(FanOut, "_of", forgetful)

    first, _ = shadow(small(1, *SETTINGS))

    assert (first.twin.name, first.agrees) == ("restart before every step", False)


def test_news_that_follow_from_a_memory_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matcher that tells trades from the eleventh since it sat down on: the rows are right."""
    record = _Batch._record

    def late(batch: _Batch, trade: Any) -> None:
        record(batch, trade)
        told = batch.prints.pop()
        batch.seat.told = getattr(batch.seat, "told", 0) + 1  # type: ignore[attr-defined]
        if batch.seat.told > 10:  # type: ignore[attr-defined]
            batch.prints.append(told)

    monkeypatch.setattr(_Batch, "_record", late)
    monkeypatch.setattr(Desk, "_hear", lambda _desk, _raw: None)  # else agents trade by what they hear

    first, _ = shadow(small(1, *SETTINGS))

    assert not first.agrees
    assert first.parting is not None
    assert first.parting.left is not None
    assert first.parting.left["e"] == "publish"


def test_twins_are_played_without_faults() -> None:
    scenario = plain(small(1, "interleaving=ports", "faults=[{fault: throttle}]"))

    assert (scenario.faults, scenario.interleaving) == ((), "atomic")
