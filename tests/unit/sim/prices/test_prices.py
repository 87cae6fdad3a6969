"""Price paths, and the oracle networks that publish them."""

import math
from itertools import pairwise
from random import Random

import pytest

from sim.world.prices import PROCESSES, Gbm, OraclePrices
from sim.world.prices.oracle import CHAINLINK_HEARTBEAT_NS
from tests.unit.sim.exchange import START_NS

SECOND_NS = 10**9


class Steps:
    """A path given by (from ns, price)."""

    def __init__(self, *steps: tuple[int, int]) -> None:
        self.steps = steps

    def at(self, now_ns: int) -> int:
        return [price for since_ns, price in self.steps if since_ns <= now_ns][-1]


def gbm(**how: str) -> Gbm:
    return Gbm.model_validate({"process": "gbm", "start": "60_000 USDC", **how})


def test_begins_at_its_start_and_stands_still_within_a_step() -> None:
    path = gbm(step="10 s").path(START_NS, Random("a"))

    assert path.at(START_NS) == path.at(START_NS + 10 * SECOND_NS - 1) == 60_000_000_000
    assert path.at(START_NS + 10 * SECOND_NS) != 60_000_000_000
    assert path.at(START_NS - 1) == 60_000_000_000


def test_the_order_of_asking_does_not_matter() -> None:
    instants = [START_NS + step * SECOND_NS for step in (500, 3, 77, 0, 499)]
    forward = gbm().path(START_NS, Random("a"))
    backward = gbm().path(START_NS, Random("a"))

    assert [forward.at(i) for i in instants] == [backward.at(i) for i in reversed(instants)][::-1]


def test_returns_have_the_volatility_asked_for() -> None:
    path = gbm(volatility="60 %/y").path(START_NS, Random("b"))
    prices = [path.at(START_NS + step * SECOND_NS) for step in range(20_001)]
    returns = [math.log(after / before) for before, after in pairwise(prices)]
    sigma = math.sqrt(sum(r * r for r in returns) / len(returns))

    assert sigma * math.sqrt(365 * 86_400) == pytest.approx(0.6, rel=0.02)


def test_without_volatility_it_grows_by_its_drift() -> None:
    path = gbm(volatility="0 %/y", drift="10 %/y", step="1 h").path(START_NS, Random("c"))

    year = path.at(START_NS + 365 * 86_400 * SECOND_NS)
    assert year == pytest.approx(60_000_000_000 * math.exp(0.1), rel=1e-6)


def test_a_price_is_always_above_zero() -> None:
    path = gbm(start="0.000001 USDC", volatility="900 %/y", drift="-9000 %/y", step="30 d").path(
        START_NS, Random("d")
    )

    assert path.at(START_NS + 3_650 * 86_400 * SECOND_NS) == 1


def oracle(path: Steps, after_ns: int) -> OraclePrices:
    return OraclePrices({"BTC": path}, START_NS, lambda: START_NS + after_ns)


def test_pyth_publishes_every_second() -> None:
    path = Steps((0, 100), (START_NS + 2 * SECOND_NS, 200))

    assert oracle(path, 2 * SECOND_NS - 1).latest("BTC")[0] == ("pyth", 100, START_NS + SECOND_NS, 0)
    assert oracle(path, 2 * SECOND_NS).latest("BTC")[0] == ("pyth", 200, START_NS + 2 * SECOND_NS, 0)


def test_pyth_says_how_sure_it_is() -> None:
    prices = OraclePrices({"BTC": Steps((0, 2_000_000))}, START_NS, lambda: START_NS, {"BTC": 500})

    assert [seen.conf_e6 for seen in prices.latest("BTC")] == [1_000, 0]


def test_chainlink_waits_for_half_a_percent() -> None:
    small = Steps((0, 10_000), (START_NS + 30 * SECOND_NS, 10_049))
    large = Steps((0, 10_000), (START_NS + 30 * SECOND_NS, 10_050))

    assert oracle(small, 60 * SECOND_NS).latest("BTC")[1] == ("chainlink", 10_000, START_NS, 0)
    assert oracle(large, 60 * SECOND_NS).latest("BTC")[1] == (
        "chainlink",
        10_050,
        START_NS + 30 * SECOND_NS,
        0,
    )


def test_chainlink_speaks_once_an_hour_at_least() -> None:
    path = Steps((0, 10_000), (START_NS + SECOND_NS, 10_001))

    assert oracle(path, CHAINLINK_HEARTBEAT_NS).latest("BTC")[1] == (
        "chainlink",
        10_001,
        START_NS + CHAINLINK_HEARTBEAT_NS,
        0,
    )


def test_nobody_answers_for_an_unknown_asset() -> None:
    assert oracle(Steps((0, 1)), 0).latest("ETH") == []
    assert oracle(Steps((0, 1)), 0).price_e6("BTC") == 1


def test_every_process_says_what_it_is() -> None:
    for process in PROCESSES:
        assert process.__doc__
        assert all(field.description for name, field in process.model_fields.items() if name != "process")
