"""What settles, at what price, and what is skipped and why."""

import ape
from words import BTC, BUY, IOC, PRICE, REDUCE_ONLY, SELL, USDC, Order, fill


def test_a_fill_swaps_coins_for_usdc(desk, exchange, alice, bob):
    desk.settle(Order(bob, SELL), Order(alice, BUY))
    assert exchange.vault.assetOf(alice, exchange.sbtc) == BTC
    assert desk.usdc_of(alice) == 40_000 * USDC
    assert desk.usdc_of(bob) == 70_000 * USDC


def test_the_price_is_the_makers(desk, alice, bob):
    desk.settle(Order(bob, SELL), Order(alice, BUY, price=PRICE + 5_000 * USDC))
    assert desk.usdc_of(alice) == 40_000 * USDC


def test_fees_go_to_the_treasury(desk, alice, bob, treasury):
    desk.settle(Order(bob, SELL), Order(alice, BUY), maker_fee=300 * USDC, taker_fee=200 * USDC)
    assert desk.usdc_of(treasury) == 500 * USDC
    assert desk.usdc_of(alice) == 39_800 * USDC


def test_a_fee_above_what_was_signed_is_refused(desk, alice, bob):
    receipt = desk.settle(Order(bob, SELL), Order(alice, BUY), maker_fee=300 * USDC + 1)
    assert desk.skipped(receipt) == ["FeeAboveBound"]


def test_an_order_fills_in_parts_and_never_beyond(desk, exchange, alice, bob):
    sell, buy = Order(bob, SELL), Order(alice, BUY)
    assert desk.skipped(desk.settle(sell, buy, qty=BTC // 4)) == []
    assert desk.skipped(desk.settle(sell, buy, qty=3 * BTC // 4)) == []
    assert desk.skipped(desk.settle(sell, buy, qty=10_000)) == ["Overfill"]
    assert exchange.settlement.filled(alice, 1) == BTC


def test_orders_must_cross(desk, alice, bob):
    assert desk.skipped(desk.settle(Order(bob, SELL), Order(alice, BUY, price=PRICE - USDC))) == [
        "NotCrossing"
    ]


def test_nobody_trades_with_himself(desk, alice):
    assert desk.skipped(desk.settle(Order(alice, SELL), Order(alice, BUY, nonce=2))) == ["SelfTrade"]


def test_an_immediate_order_is_never_the_maker(desk, alice, bob):
    assert desk.skipped(desk.settle(Order(bob, SELL, tif=IOC), Order(alice, BUY))) == ["WrongRole"]


def test_a_signature_of_somebody_else_is_refused(desk, alice, bob):
    orders = [desk.sign(Order(bob, SELL)), desk.sign(Order(alice, BUY), signer=bob)]
    receipt = desk.settle_signed(orders, [fill()])
    assert desk.skipped(receipt) == ["BadSignature"]


def test_who_has_too_little_spoils_only_his_own_fill(desk, exchange, alice, bob):
    rich = [desk.sign(Order(bob, SELL)), desk.sign(Order(alice, BUY))]
    poor = [desk.sign(Order(bob, SELL, 2 * BTC, nonce=2)), desk.sign(Order(alice, BUY, 2 * BTC, nonce=2))]
    receipt = desk.settle_signed([*rich, *poor], [fill(2, 3, 2 * BTC), fill()])
    assert desk.skipped(receipt) == ["InsufficientFunds"]
    assert exchange.settlement.filled(alice, 1) == BTC
    assert exchange.settlement.filled(alice, 2) == 0


def test_a_perp_locks_margin_on_both_sides(desk, exchange, alice, bob):
    desk.settle(Order(bob, SELL, BTC // 10, market="perp"), Order(alice, BUY, BTC // 10, market="perp"))
    size, cost, margin, _ = exchange.clearing.positionOf(alice, exchange.perp)
    assert (size, cost, margin) == (BTC // 10, 6_000 * USDC, 1_200 * USDC)
    assert desk.usdc_of(exchange.clearing.accountOf(exchange.perp)) == 2_400 * USDC


def test_a_profit_is_paid_when_the_position_closes(desk, alice, bob):
    desk.settle(Order(bob, SELL, BTC // 10, market="perp"), Order(alice, BUY, BTC // 10, market="perp"))
    higher = PRICE + 1_000 * USDC
    desk.settle(
        Order(bob, BUY, BTC // 10, higher, 2, "perp"), Order(alice, SELL, BTC // 10, higher, 2, "perp")
    )
    assert desk.usdc_of(alice) == 100_100 * USDC
    assert desk.usdc_of(bob) == 9_900 * USDC


def test_reduce_only_does_not_open(desk, alice, bob):
    taker = Order(alice, BUY, BTC // 10, market="perp", tif=REDUCE_ONLY)
    assert desk.skipped(desk.settle(Order(bob, SELL, BTC // 10, market="perp"), taker)) == [
        "ReduceOnlyViolated"
    ]


def test_only_the_operator_settles(desk, exchange, alice, bob):
    with ape.reverts(exchange.settlement.AccessControlUnauthorizedAccount):
        desk.settle_signed(
            [desk.sign(Order(bob, SELL)), desk.sign(Order(alice, BUY))], [fill()], sender=alice
        )


def test_batches_come_in_order(exchange, operator):
    with ape.reverts(exchange.settlement.WrongBatch):
        exchange.settlement.settleBatch(2, bytes(32), bytes(8), sender=operator)
    with ape.reverts(exchange.settlement.WrongHead):
        exchange.settlement.settleBatch(1, b"\x01" * 32, bytes(8), sender=operator)
    exchange.settlement.settleBatch(1, bytes(32), bytes(8), sender=operator)
    with ape.reverts(exchange.settlement.WrongBatch):
        exchange.settlement.settleBatch(1, bytes(32), bytes(8), sender=operator)
