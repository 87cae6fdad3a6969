"""Chainlink's rounds as prices, on a real Anvil with an aggregator of fixed words."""

from collections.abc import Iterator

import pytest

from sim.world.anvil import Anvil
from system.adapters.evm.chainlink import DECIMALS, LATEST_ROUND_DATA, ChainlinkOracle
from system.adapters.evm.rpc import JsonRpc, RpcError
from system.model.errors import Unavailable
from system.model.units import NS
from system.ports.oracle import Observation
from tests.unit.adapters.evm.aggregator import (
    FEED,
    REVERT,
    ROUND,
    UPDATED_S,
    aggregator_code,
    put_feed,
    round_of,
)

pytestmark = pytest.mark.anvil
PRICE = 6_123_456_789_012  # 61,234.56789012 dollars in eight decimals


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    with Anvil(UPDATED_S) as anvil:
        yield anvil


def latest(anvil: Anvil, code: bytes) -> list[Observation]:
    put_feed(anvil.rpc, code)
    return ChainlinkOracle(anvil.rpc, {"BTC": FEED}).latest("BTC")


def test_selectors_are_the_published_ones() -> None:
    assert (LATEST_ROUND_DATA, DECIMALS) == ("0xfeaf968c", "0x313ce567")


@pytest.mark.parametrize(
    ("answer", "decimals", "price_e6"),
    [
        (PRICE, 8, 61_234_567_890),
        (61_234_567_890_123_456_789_012, 18, 61_234_567_890),
        (61_234, 0, 61_234_000_000),
        (100, 8, 1),
    ],
)
def test_a_price(anvil: Anvil, answer: int, decimals: int, price_e6: int) -> None:
    code = aggregator_code(round_of(answer), decimals)
    assert latest(anvil, code) == [Observation("chainlink", price_e6, UPDATED_S * NS)]


def test_a_carried_over_answer_of_a_later_round_counts(anvil: Anvil) -> None:
    assert latest(anvil, aggregator_code(round_of(PRICE, answered_in=ROUND + 1)))


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(aggregator_code(round_of(0)), id="zero"),
        pytest.param(aggregator_code(round_of(-PRICE)), id="negative"),
        pytest.param(aggregator_code(round_of(99)), id="below a millionth"),
        pytest.param(aggregator_code(round_of(PRICE, updated_s=0)), id="no round yet"),
        pytest.param(aggregator_code(round_of(PRICE, answered_in=ROUND - 1)), id="answered before"),
        pytest.param(aggregator_code(round_of(PRICE)[:4]), id="four words"),
        pytest.param(aggregator_code(round_of(PRICE), decimals=10**30), id="no aggregator"),
        pytest.param(REVERT, id="revert"),
        pytest.param(b"", id="no contract"),
    ],
)
def test_no_observation(anvil: Anvil, code: bytes) -> None:
    assert latest(anvil, code) == []


def test_a_round_that_reverts_after_decimals_were_told(anvil: Anvil) -> None:
    oracle = ChainlinkOracle(anvil.rpc, {"BTC": FEED})
    put_feed(anvil.rpc, aggregator_code(round_of(PRICE)))
    assert oracle.latest("BTC")
    put_feed(anvil.rpc, REVERT)
    assert oracle.latest("BTC") == []


def test_decimals_are_read_once(anvil: Anvil) -> None:
    oracle = ChainlinkOracle(anvil.rpc, {"BTC": FEED})
    put_feed(anvil.rpc, aggregator_code(round_of(PRICE), decimals=8))
    oracle.latest("BTC")
    put_feed(anvil.rpc, aggregator_code(round_of(PRICE + 100), decimals=3))
    assert [seen.price_e6 for seen in oracle.latest("BTC")] == [61_234_567_891]


def test_decimals_that_were_not_told_are_asked_for_again(anvil: Anvil) -> None:
    oracle = ChainlinkOracle(anvil.rpc, {"BTC": FEED})
    put_feed(anvil.rpc, REVERT)
    assert oracle.latest("BTC") == []
    put_feed(anvil.rpc, aggregator_code(round_of(PRICE)))
    assert oracle.latest("BTC")


def test_an_asset_without_a_feed_asks_nobody() -> None:
    assert ChainlinkOracle(JsonRpc("http://127.0.0.1:9", timeout_s=1), {"BTC": FEED}).latest("ETH") == []


def test_nobody_listens() -> None:
    with pytest.raises(Unavailable):
        ChainlinkOracle(JsonRpc("http://127.0.0.1:9", timeout_s=1), {"BTC": FEED}).latest("BTC")


def test_a_refusal_that_is_no_revert_is_an_error(anvil: Anvil) -> None:
    with pytest.raises(RpcError):
        ChainlinkOracle(anvil.rpc, {"BTC": "0x12"}).latest("BTC")
