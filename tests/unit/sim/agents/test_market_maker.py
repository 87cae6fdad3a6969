"""The market maker keeps a ladder around the mark, and moves only what is off."""

from typing import Any

from sim.agents import MarketMaker
from sim.client import Desk
from system.model.units import PPM
from tests.unit.sim.exchange import MARK_E6, PERP, SPOT, TinyExchange

SECOND_NS = 10**9
FUNDS = {"USDC": 2_000_000_000_000, "sBTC": 30 * 10**8}


def maker(**how: Any) -> MarketMaker:
    return MarketMaker.model_validate({"kind": "market_maker", "funds": "1 USDC", "levels": 3, **how})


def live(agent: MarketMaker, funds: dict[str, int] = FUNDS, seconds: int = 10) -> tuple[TinyExchange, Desk]:
    exchange = TinyExchange()
    desk = exchange.desk("maker", funds)
    exchange.env.process(agent.live(desk))
    run(exchange, seconds)
    return exchange, desk


def run(exchange: TinyExchange, seconds: int) -> None:
    exchange.env.run(until=int(exchange.env.now) + seconds * SECOND_NS)


def ladder(desk: Desk, symbol: str, side: str) -> list[int]:
    return sorted(o.price_e6 for o in desk.open_orders.values() if (o.symbol, o.side) == (symbol, side))


def test_quotes_both_sides_of_perp_and_spot() -> None:
    _, desk = live(maker())

    for symbol in (PERP.symbol, SPOT.symbol):
        assert ladder(desk, symbol, "BUY") == [59_520_000_000, 59_580_000_000, 59_640_000_000]
        assert ladder(desk, symbol, "SELL") == [60_360_000_000, 60_420_000_000, 60_480_000_000]
    assert desk.rejected == 0


def test_leaves_its_quotes_alone_while_nothing_moves() -> None:
    exchange, desk = live(maker())
    sent = desk.sent

    run(exchange, 60)

    assert desk.sent == sent == 12


def test_moves_all_rungs_when_the_mark_moves_beyond_the_tolerance() -> None:
    exchange, desk = live(maker(markets=["BTC-PERP"]))
    desk.market(PERP.symbol).hear_mark(MARK_E6 * 1_004 // 1_000, desk.now_ns)

    run(exchange, 10)

    assert len(desk.open_orders) == 6
    assert ladder(desk, PERP.symbol, "SELL")[0] == 60_601_500_000
    assert {body["replaces"] != "" for body in exchange.orders()[6:]} == {True}


def test_stays_within_the_tolerance() -> None:
    exchange, desk = live(maker(tolerance="50 bps"))
    desk.market(PERP.symbol).hear_mark(MARK_E6 * 1_004 // 1_000, desk.now_ns)

    run(exchange, 10)

    assert desk.sent == 12


def test_fills_up_a_rung_that_was_taken_and_leans_against_its_inventory() -> None:
    exchange, desk = live(maker(markets=["BTC-PERP"], inventory="10_000 USDC"))
    best = max((o for o in desk.open_orders.values() if o.side == "BUY"), key=lambda order: order.price_e6)
    exchange.fill(best.order_id)

    run(exchange, 10)

    assert desk.inventory_e8(PERP.symbol) == best.qty_e8
    assert len(desk.open_orders) == 6
    # half of its inventory is full, so both sides lie lower by half of the skew
    assert ladder(desk, PERP.symbol, "BUY")[-1] < 59_640_000_000
    assert ladder(desk, PERP.symbol, "SELL")[0] < 60_360_000_000


def test_stops_bidding_when_full() -> None:
    exchange, desk = live(maker(markets=["BTC-PERP"], inventory="4_000 USDC"))
    best = max((o for o in desk.open_orders.values() if o.side == "BUY"), key=lambda order: order.price_e6)
    exchange.fill(best.order_id)

    run(exchange, 10)

    assert ladder(desk, PERP.symbol, "BUY") == []
    assert len(ladder(desk, PERP.symbol, "SELL")) == 3


def test_quotes_only_what_it_can_pay() -> None:
    _, desk = live(maker(markets=["sBTC-USDC"]), {"USDC": 11_000_000_000, "sBTC": 0})

    assert len(ladder(desk, SPOT.symbol, "BUY")) == 2
    assert ladder(desk, SPOT.symbol, "SELL") == []
    assert desk.rejected == 0


def test_waits_until_there_is_a_price() -> None:
    exchange = TinyExchange()
    exchange.mark_e6 = 0
    desk = exchange.desk("maker", FUNDS)
    exchange.env.process(maker().live(desk))
    run(exchange, 5)
    assert desk.sent == 0

    exchange.mark_e6 = MARK_E6
    run(exchange, 5)

    assert desk.sent == 12


def test_earns_more_than_the_fees_on_a_round_trip() -> None:
    agent = maker()

    assert agent.half_spread * 2 > PERP.fee_ppm * 2
    assert agent.half_spread < PPM
