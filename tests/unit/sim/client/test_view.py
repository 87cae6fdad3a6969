"""A market as one trader sees it."""

from typing import Any

from sim.client.view import MarketView, parse
from system.model import messages
from tests.unit.sim.exchange import MARK_E6, PERP, SPOT


def heard(*said: dict[str, Any]) -> MarketView:
    view = MarketView(PERP)
    for message in said:
        view.hear(message)
    return view


def test_knows_nothing_at_first() -> None:
    view = MarketView(PERP)

    assert (view.best_bid_e6, view.best_ask_e6, view.mid_e6, view.last_price_e6) == (None,) * 4
    assert view.reference_e6 is None
    assert view.band_e6("BUY") is None


def test_depth_gives_best_prices_and_the_mid() -> None:
    view = heard(messages.depth("BTC-PERP", 7, 1, [(100, 5), (90, 6)], [(120, 1)]))

    assert (view.best_bid_e6, view.best_ask_e6, view.mid_e6) == (100, 120, 110)
    assert view.levels("BUY") == [(100, 5), (90, 6)]
    assert view.reference_e6 == 110


def test_older_messages_change_nothing() -> None:
    view = heard(
        messages.depth("BTC-PERP", 7, 1, [(100, 5)], [(120, 1)]),
        messages.depth("BTC-PERP", 6, 1, [(99, 5)], []),
        messages.trade("BTC-PERP", 7, 1, 111, 5, "BUY", 4),
        messages.trade("BTC-PERP", 7, 1, 110, 5, "BUY", 3),
        messages.mark_price("BTC-PERP", 1, 20, 105, 105),
        messages.mark_price("BTC-PERP", 1, 10, 104, 104),
    )

    assert (view.best_bid_e6, view.last_price_e6, view.mark_e6) == (100, 111, 105)


def test_rounds_to_the_grid() -> None:
    view = MarketView(PERP)

    assert view.tick_down(60_000_099_999) == 60_000_000_000
    assert view.tick_up(60_000_000_001) == 60_000_100_000
    assert view.tick_down(1) == 100_000
    assert view.lots_for(6_500_000, 60_000_000_000) == 10_000
    assert view.lots_for(5_999_999, 60_000_000_000) == 0


def test_band_is_rounded_inward() -> None:
    view = heard(messages.mark_price("BTC-PERP", 1, 20, 60_000_050_000, MARK_E6))

    assert (view.band_e6("SELL"), view.band_e6("BUY")) == (57_000_100_000, 63_000_000_000)


def test_holds_are_those_of_the_exchange() -> None:
    perp, spot = MarketView(PERP), MarketView(SPOT)
    perp.hear_mark(MARK_E6, 1)

    assert perp.hold("BUY", 10**8, 59_000_000_000, resting=False) == ("USDC", 59_295_000_000)
    # before it is matched a sell is paid at the far edge of the band, then at its limit
    assert perp.hold("SELL", 10**8, 59_000_000_000, resting=False) == ("USDC", 63_315_000_000)
    assert perp.hold("SELL", 10**8, 59_000_000_000, resting=True) == ("USDC", 59_295_000_000)
    assert spot.hold("SELL", 10**8, 59_000_000_000, resting=False) == ("sBTC", 10**8)
    assert spot.hold("BUY", 10**8, 59_000_000_000, resting=False) == ("USDC", 59_295_000_000)


def test_one_parse_serves_every_subscriber() -> None:
    raw = b'{"kind":"depth"}'

    assert parse(raw) is parse(raw)
