"""Noise takers and zero-intelligence traders: rates, directions, and orders that are accepted."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sim.agents import KINDS, Agent, NoiseTaker, ZeroIntelligence
from sim.client import Desk
from tests.unit.sim.exchange import FUNDS, MARK_E6, SPECS, TinyExchange

SECOND_NS = 10**9
ROOT = Path(__file__).parents[4]


def taker(**how: Any) -> NoiseTaker:
    return NoiseTaker.model_validate({"kind": "noise_taker", "funds": "1 USDC", "rate": "0.5 /s", **how})


def gambler(**how: Any) -> ZeroIntelligence:
    return ZeroIntelligence.model_validate(
        {"kind": "zero_intelligence", "funds": "1 USDC", "rate": "10 /s", **how}
    )


def live(
    agent: Agent, seconds: int, funds: dict[str, int] = FUNDS, name: str = "ann"
) -> tuple[TinyExchange, Desk]:
    exchange = TinyExchange()
    desk = exchange.desk(name, funds)
    exchange.env.process(agent.live(desk))
    exchange.env.run(until=seconds * SECOND_NS)
    return exchange, desk


def test_a_taker_takes_at_its_rate_and_never_rests() -> None:
    exchange, desk = live(taker(), 1_000)
    orders = exchange.orders()

    # 500 expected, standard deviation 22
    assert 430 < len(orders) < 570
    assert {body.get("tif", "IOC") for body in orders} == {"IOC"}
    assert desk.rejected == 0
    kinds = Counter(body["type"] for body in orders)
    assert 0.4 < kinds["market"] / len(orders) < 0.6
    assert {body["symbol"] for body in orders} == set(SPECS)


def test_a_taker_signs_a_worst_price_within_its_reach_and_the_band() -> None:
    exchange, _ = live(taker(reach="8 %"), 200)

    for body in exchange.orders():
        edge_e6 = MARK_E6 * 105 // 100 if body["side"] == "BUY" else MARK_E6 * 95 // 100
        assert body["limit_price_e6"] == edge_e6
        assert body["limit_price_e6"] % 100_000 == 0
        assert body["qty_e8"] % 10_000 == 0


def test_a_taker_with_little_money_sends_what_it_can_pay() -> None:
    exchange, desk = live(taker(size="5_000 USDC"), 300, {"USDC": 900_000_000, "sBTC": 0})

    assert exchange.orders()
    worth = [body["limit_price_e6"] * body["qty_e8"] // 10**8 for body in exchange.orders()]
    assert max(worth) < 900_000_000
    assert desk.available("USDC") >= 0


def test_a_taker_trades_back_when_its_inventory_is_full() -> None:
    _, desk = live(taker(inventory="2_000 USDC", markets=["BTC-PERP"]), 1_000)

    assert abs(desk.inventory_e8("BTC-PERP")) * MARK_E6 // 10**8 < 12_000_000_000


def test_a_gambler_sends_exactly_its_orders_and_then_rests() -> None:
    exchange, desk = live(gambler(orders=200), 100)

    assert len(exchange.orders()) == desk.sent == 200
    assert desk.rejected == 0
    assert {body["side"] for body in exchange.orders()} == {"BUY", "SELL"}
    assert {body["type"] for body in exchange.orders()} == {"limit", "market"}
    routes = Counter(event["routeKey"] for event in exchange.sent)
    assert routes["DELETE /orders/{id}"] > 20


def test_a_gambler_listens_to_nothing_but_itself() -> None:
    exchange, desk = live(gambler(orders=1), 10)

    assert [body for _, body in exchange.said] == [
        f'{{"action":"subscribe","channels":["trader.{desk.trader}"]}}'
    ]


def test_a_gambler_keeps_its_open_orders_few() -> None:
    _, desk = live(gambler(cancel_share="0 %", market_share="0 %", open_limit=5), 60)

    # answers take two hundredths of a second, so a few more may be under way
    assert len(desk.open_orders) <= 8


@pytest.mark.parametrize(("reach", "beyond"), [("0 %", False), ("50 %", True)])
def test_a_gambler_reaches_over_the_price_as_far_as_it_may(reach: str, beyond: bool) -> None:
    exchange, _ = live(gambler(market_share="0 %", cancel_share="0 %", reach=reach, orders=200), 100)

    past = [
        (body["limit_price_e6"] - MARK_E6) * (1 if body["side"] == "BUY" else -1)
        for body in exchange.orders()
    ]
    assert min(past) >= -MARK_E6 * 102 // 10_000
    assert any(away > 0 for away in past) == beyond
    assert max(past) <= MARK_E6 * 52 // 10_000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_documented_and_named_by_its_file(kind: type[Agent]) -> None:
    (word,) = kind.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]

    assert kind.__module__ == f"sim.agents.{word}"
    assert kind.__doc__
    missing = [name for name, field in kind.model_fields.items() if name != "kind" and not field.description]
    assert not missing, f"say what these mean, below the field: {missing}"


def test_two_agents_of_one_group_differ() -> None:
    ann, _ = live(taker(), 100)
    bob, _ = live(taker(), 100, name="bob")

    assert [body["qty_e8"] for body in ann.orders()] != [body["qty_e8"] for body in bob.orders()]


REPLAY = """
from hashlib import sha256
from exchange import FUNDS, TinyExchange
NEEDED = {
    "whale": {"target": "50_000 USDC", "unwind": "30 s"},
    "manipulator": {"during": ["5 s", "30 s"], "budget": "50_000 USDC"},
    "flow_replay": {"file": "tests/unit/sim/agents/flow.csv"},
}
from sim.agents import KINDS
for kind in KINDS:
    word = kind.__module__.rpartition(".")[2]
    rate = {"rate": "5 /s"} if "rate" in kind.model_fields else {}
    rate |= NEEDED.get(word, {})
    if word == "recorded":
        cancel = {"at": "3 s", "method": "DELETE", "path": "/orders/BTC-PERP:1", "body": "{}"}
        rate["commands"] = [cancel, cancel | {"at": "5 s"}]
    exchange = TinyExchange()
    desk = exchange.desk("ann-0", FUNDS)
    exchange.env.process(kind.model_validate({"kind": word, "funds": "1 USDC", **rate}).live(desk))
    exchange.env.run(until=60 * 10**9)
    print(len(exchange.sent), sha256(repr(exchange.sent).encode()).hexdigest())
"""


def test_the_same_seed_sends_the_same_bytes_in_every_process() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", REPLAY],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT}/tests/unit/sim"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(KINDS)
