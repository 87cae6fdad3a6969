"""Pyth's prices on a real Anvil, from a contract of fixed words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.world.anvil import Anvil
from system.adapters.evm.chainlink import ChainlinkOracle
from system.adapters.evm.pyth import GET_PRICE_UNSAFE, PythOracle, Sources
from system.adapters.evm.rpc import JsonRpc
from system.model.errors import Unavailable
from system.model.units import NS
from system.ports.oracle import Observation
from tests.rules import rule
from tests.unit.adapters.evm.aggregator import (
    FEED,
    PYTH,
    PYTH_FEED,
    REVERT,
    UPDATED_S,
    aggregator_code,
    answering,
    put_feed,
    pyth_code,
    round_of,
)

pytestmark = pytest.mark.anvil
PRICE = 6_123_456_789_012


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    with Anvil(UPDATED_S) as anvil:
        yield anvil


def latest(anvil: Anvil, code: bytes) -> list[Observation]:
    put_feed(anvil.rpc, code, PYTH)
    return PythOracle(anvil.rpc, PYTH, {"BTC": PYTH_FEED}).latest("BTC")


def test_the_selector_is_the_published_one() -> None:
    assert GET_PRICE_UNSAFE == "0x96834ad3"


@rule("ORAC-010")
@pytest.mark.parametrize(
    ("price", "conf", "exponent", "price_e6", "conf_e6"),
    [
        (PRICE, 3_061_728_394, -8, 61_234_567_890, 30_617_284),
        (12_276_250, 1_500, -5, 122_762_500, 15_000),
        (61, 1, 3, 61_000_000_000, 1_000_000_000),
    ],
)
def test_a_price_and_how_sure_it_is(
    anvil: Anvil, price: int, conf: int, exponent: int, price_e6: int, conf_e6: int
) -> None:
    seen = latest(anvil, pyth_code(price, conf, exponent, UPDATED_S))
    assert seen == [Observation("pyth", price_e6, UPDATED_S * NS, conf_e6)]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(pyth_code(0, 1, -8, UPDATED_S), id="zero"),
        pytest.param(pyth_code(-PRICE, 1, -8, UPDATED_S), id="negative"),
        pytest.param(pyth_code(PRICE, 1, -8, 0), id="never brought"),
        pytest.param(pyth_code(PRICE, 1, -(2**31), UPDATED_S), id="no such exponent"),
        pytest.param(answering((PRICE, 1, -8)), id="three words"),
        pytest.param(REVERT, id="revert"),
        pytest.param(b"", id="no contract"),
    ],
)
def test_no_observation(anvil: Anvil, code: bytes) -> None:
    assert latest(anvil, code) == []


def test_sources_are_listed_by_rank(anvil: Anvil) -> None:
    put_feed(anvil.rpc, aggregator_code(round_of(PRICE)))
    put_feed(anvil.rpc, pyth_code(PRICE, 1, -8, UPDATED_S), PYTH)
    both = Sources(PythOracle(anvil.rpc, PYTH, {"BTC": PYTH_FEED}), ChainlinkOracle(anvil.rpc, {"BTC": FEED}))
    assert [seen.source for seen in both.latest("BTC")] == ["pyth", "chainlink"]
    assert both.latest("ETH") == []


def test_nobody_listens() -> None:
    with pytest.raises(Unavailable):
        PythOracle(JsonRpc("http://127.0.0.1:9", timeout_s=1), PYTH, {"BTC": PYTH_FEED}).latest("BTC")
