"""The desk keeps what a careful trader would: orders, positions, funds."""

import orjson
import pytest

from sim.client.desk import Desk
from system.model import messages
from system.model.order import trader_of
from tests.unit.sim.exchange import MARK_E6, PERP, SPOT, START_NS, TinyExchange

LOT_E8 = 10_000
FUNDS = {"USDC": 10_000_000_000, "sBTC": 1_000_000}
SECOND_NS = 10**9


@pytest.fixture
def exchange() -> TinyExchange:
    return TinyExchange()


@pytest.fixture
def desk(exchange: TinyExchange) -> Desk:
    desk = exchange.desk("ann", FUNDS)
    desk.listen(PERP.symbol, SPOT.symbol)
    desk.look()
    settle(exchange)
    return desk


def settle(exchange: TinyExchange) -> None:
    """Let every answer and message arrive."""
    exchange.env.run(until=int(exchange.env.now) + SECOND_NS)


def test_listens_to_its_own_channel_and_to_the_markets(exchange: TinyExchange, desk: Desk) -> None:
    connection, body = exchange.said[0]

    assert connection == "ws-ann"
    assert orjson.loads(body) == {
        "action": "subscribe",
        "channels": [f"trader.{desk.trader}", "market.BTC-PERP", "market.sBTC-USDC"],
    }
    assert desk.trader == trader_of(desk.account)


def test_looking_learns_the_marks(desk: Desk) -> None:
    assert desk.market(PERP.symbol).mark_e6 == MARK_E6
    assert desk.now_ns == START_NS + SECOND_NS


def test_an_order_is_held_while_sent_and_known_when_answered(exchange: TinyExchange, desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)

    assert desk.available("USDC") == FUNDS["USDC"] - 5_900_000 - 29_500
    assert desk.open_orders == {}
    assert (desk.sent, desk.working) == (1, 1)
    settle(exchange)
    assert desk.open_orders == {order.order_id: order}
    assert (order.status, desk.accepted, desk.rejected) == ("OPEN", 1, 0)


def test_a_refusal_gives_the_funds_back_and_is_counted(exchange: TinyExchange, desk: Desk) -> None:
    exchange.refuse = lambda _body: "PRICE_BAND"

    order = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)
    settle(exchange)

    assert order.done
    assert (desk.accepted, desk.rejected, dict(desk.rejects)) == (0, 1, {"PRICE_BAND": 1})
    assert desk.available("USDC") == FUNDS["USDC"]
    assert desk.working == 0


def test_an_answer_without_a_body_is_a_refusal(desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)

    desk._answered(order, "", {"statusCode": 503, "headers": {}, "body": ""})

    assert dict(desk.rejects) == {"HTTP 503": 1}


def test_a_long_round_trip_pays_both_fees_and_the_loss(exchange: TinyExchange, desk: Desk) -> None:
    desk.buy(PERP.symbol, LOT_E8, 60_000_000_000, tif="IOC")
    settle(exchange)

    # margin 6 USDC and a fee of 0.03 USDC
    assert desk.available("USDC") == FUNDS["USDC"] - 6_000_000 - 30_000
    assert desk.inventory_e8(PERP.symbol) == LOT_E8
    desk.sell(PERP.symbol, LOT_E8, 59_000_000_000, market=True)
    settle(exchange)
    assert desk.inventory_e8(PERP.symbol) == 0
    assert desk.available("USDC") == FUNDS["USDC"] - 100_000 - 30_000 - 29_500
    assert (desk.fills, desk.working) == (2, 0)


def test_a_spot_sale_moves_base_and_usdc(exchange: TinyExchange, desk: Desk) -> None:
    desk.sell(SPOT.symbol, LOT_E8, 60_000_000_000, tif="IOC")

    assert desk.available("sBTC") == FUNDS["sBTC"] - LOT_E8
    settle(exchange)
    assert desk.available("sBTC") == FUNDS["sBTC"] - LOT_E8
    assert desk.available("USDC") == FUNDS["USDC"] + 6_000_000 - 30_000


def test_cancel_takes_an_order_away_when_the_exchange_says_so(exchange: TinyExchange, desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)
    settle(exchange)

    desk.cancel(order.order_id)

    assert order.leaving
    assert order.order_id in desk.open_orders
    settle(exchange)
    assert desk.open_orders == {}
    assert order.status == "CANCELED"
    assert desk.available("USDC") == FUNDS["USDC"]


def test_cancel_all_covers_every_order_sent_so_far(exchange: TinyExchange, desk: Desk) -> None:
    for price_e6 in (58_000_000_000, 59_000_000_000):
        desk.buy(PERP.symbol, LOT_E8, price_e6)
    kept = desk.buy(SPOT.symbol, LOT_E8, 58_000_000_000)
    settle(exchange)

    desk.cancel_all(PERP.symbol)
    settle(exchange)

    assert list(desk.open_orders.values()) == [kept]


def test_a_cancel_that_failed_leaves_the_order_as_it_was(exchange: TinyExchange, desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)
    settle(exchange)
    exchange.resting.clear()

    desk.cancel(order.order_id)
    settle(exchange)

    assert not order.leaving


def test_replace_ends_the_old_order(exchange: TinyExchange, desk: Desk) -> None:
    old = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)
    settle(exchange)

    new = desk.replace(old.order_id, 2 * LOT_E8, 59_100_000_000)
    settle(exchange)

    assert exchange.orders()[-1]["replaces"] == old.order_id
    assert (old.status, list(desk.open_orders.values())) == ("CANCELED", [new])


def test_a_refused_replacement_frees_the_old_order(exchange: TinyExchange, desk: Desk) -> None:
    old = desk.buy(PERP.symbol, LOT_E8, 59_000_000_000)
    settle(exchange)
    exchange.refuse = lambda _body: "RATE_LIMITED"

    desk.replace(old.order_id, LOT_E8, 59_100_000_000)
    settle(exchange)

    assert not old.leaving
    assert list(desk.open_orders.values()) == [old]


def test_messages_late_or_twice_change_nothing(exchange: TinyExchange, desk: Desk) -> None:
    desk.buy(PERP.symbol, LOT_E8, 60_000_000_000, tif="IOC")
    settle(exchange)
    position = exchange.positions[desk.trader, PERP.symbol]
    before = (desk.available("USDC"), desk.fills)

    stale = {**position.to_item(), "size_e8": 5 * LOT_E8}
    exchange.tell(messages.position_update(stale, desk.now_ns))
    settle(exchange)

    assert (desk.available("USDC"), desk.fills) == before
    assert desk.inventory_e8(PERP.symbol) == LOT_E8


def test_the_end_may_be_told_before_the_answer(exchange: TinyExchange, desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 60_000_000_000)
    said = {
        "order_id": "BTC-PERP:1",
        "symbol": PERP.symbol,
        "client_order_id": order.client_order_id,
        "status": "FILLED",
        "leaves_e8": "0",
        "cum_qty_e8": str(LOT_E8),
        "cum_notional": "6000000",
        "fee_paid": "30000",
        "reason": "",
    }
    desk.order_changed(said)

    settle(exchange)

    assert order.done
    assert desk.open_orders == {}
    assert (desk.accepted, desk.fills) == (1, 1)


def test_an_order_refused_by_the_matcher_counts_as_rejected(exchange: TinyExchange, desk: Desk) -> None:
    order = desk.buy(PERP.symbol, LOT_E8, 60_000_000_000)
    settle(exchange)
    resting = exchange.resting.pop(order.order_id)
    resting.status, resting.reason = "REJECTED", "WOULD_TAKE"

    exchange.tell(messages.order_update(resting, desk.now_ns))
    settle(exchange)

    assert (desk.rejected, dict(desk.rejects)) == (1, {"WOULD_TAKE": 1})
    assert desk.available("USDC") == FUNDS["USDC"]
