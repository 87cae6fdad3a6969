"""Symbols and terms of markets."""

from __future__ import annotations

from typing import Any

import pytest

from system.model.market import MarketKind, MarketSpec, MarketState, may_become, spec_from_item
from system.model.symbols import read_symbol
from tests.rules import rule

E6, E8 = 10**6, 10**8
JUNE = 1_751_011_200  # 2025-06-27T08:00:00Z


def spec(symbol: str, kind: MarketKind, **terms: Any) -> MarketSpec:
    base = {"base": "BTC", "underlying": "BTC", "tick_e6": 5 * E6, "lot_e8": E8 // 100}
    return MarketSpec(symbol=symbol, kind=kind, **{**base, **terms})


CALL = {"expiry_s": JUNE, "strike_e6": 60_000 * E6, "option_type": "CALL", "cap_e6": 120_000 * E6}


@rule("MARK-003")
@pytest.mark.parametrize(
    ("symbol", "kind", "expiry_s", "strike_e6", "option_type"),
    [
        ("BTC-PERP", "PERP", 0, 0, ""),
        ("CXPT-USDC", "SPOT", 0, 0, ""),
        ("BTC-27JUN25", "FUTURE", JUNE, 0, ""),
        ("BTC-27JUN25-60000-C", "OPTION", JUNE, 60_000 * E6, "CALL"),
        ("XRP-27JUN25-0d25-P", "OPTION", JUNE, 250_000, "PUT"),
        ("BTC-29FEB28", "FUTURE", 1_835_424_000, 0, ""),
    ],
)
def test_a_symbol_says_what_it_is(symbol, kind, expiry_s, strike_e6, option_type):
    named = read_symbol(symbol)
    assert named is not None
    assert (named.kind.value, *named[2:]) == (kind, expiry_s, strike_e6, option_type)


@rule("MARK-003")
@pytest.mark.parametrize(
    "symbol", ["BTC-31JUN25", "BTC-07JUN25", "BTC-29FEB27", "BTC-27JUN25-60000-X", "btc-PERP", "BTC", ""]
)
def test_other_symbols_say_nothing(symbol):
    assert read_symbol(symbol) is None


@rule("MARK-001", "MARK-003", "MARK-004", "MARK-005", "MARK-006")
@pytest.mark.parametrize(
    ("symbol", "kind", "terms", "problem"),
    [
        ("BTC-27JUN25", MarketKind.FUTURE, {"expiry_s": JUNE}, "settlement"),
        ("BTC-27JUN25-60000-C", MarketKind.OPTION, {**CALL, "cap_e6": 60_000 * E6}, "cap_e6"),
        ("BTC-27JUN25-60000-C", MarketKind.OPTION, {**CALL, "cap_e6": 60_001 * E6}, "strike and cap"),
        ("BTC-27JUN25-60000-C", MarketKind.OPTION, {**CALL, "strike_e6": 1}, "strike_e6"),
        ("BTC-27JUN25-60000-P", MarketKind.OPTION, CALL, "option_type"),
        ("BTC-27JUN25", MarketKind.FUTURE, {"expiry_s": JUNE + 1}, "expiry_s"),
        ("BTC-27JUN25", MarketKind.PERP, {"expiry_s": JUNE}, "symbol"),
        ("BTC-PERP", MarketKind.PERP, {"cap_e6": 5}, "cap_e6"),
        ("BTC-PERP", MarketKind.PERP, {"settle_tick_e6": 7}, "settle tick times lot"),
        ("BTC-PERP", MarketKind.PERP, {"mm_ppm": 34_999}, "mm_ppm"),
        ("BTC-PERP", MarketKind.PERP, {"im_ppm": 50_000}, "im_ppm"),
        ("BTC-PERP", MarketKind.PERP, {"stp": "SOMETIMES"}, "stp"),
        ("BTC-PERP", MarketKind.PERP, {"netting": "net"}, "netting"),
        ("BTC-PERP", MarketKind.PERP, {"funding": "seed_literal"}, "settlement"),
        ("CXPT-USDC", MarketKind.SPOT, {"base": "CXPT"}, "settlement"),
        ("BTC-PERP", MarketKind.PERP, {"rebate_ppm": 1}, "rebate_ppm"),
        ("BTC-PERP", MarketKind.PERP, {"rebate_ppm": 1_000_001, "settlement": "ledger"}, "rebate_ppm"),
        ("BTC-27JUN25", MarketKind.FUTURE, {"expiry_s": JUNE, "funding": "bitmex"}, "funding"),
    ],
)
def test_illegal_terms_are_named(symbol, kind, terms, problem):
    assert spec(symbol, kind, **terms).problem().startswith(problem + ":")


@rule("MARK-004")
@pytest.mark.parametrize("settlement", ["ledger", "chain"])
def test_legal_terms_survive_their_row(settlement):
    call = spec("BTC-27JUN25-60000-C", MarketKind.OPTION, settlement=settlement, **CALL)
    assert call.problem() == ""
    assert call.max_payoff_e6 == 60_000 * E6
    assert spec_from_item(call.to_item(MarketState.ACTIVE, 1)) == call


@rule("MATC-061")
def test_states_become_stricter_at_once_and_looser_until_they_settle():
    states = list(MarketState)
    moves = {(before, after) for before in states for after in states if may_become(before, after)}
    trading = states[:4]
    expected = {(a, b) for a in trading for b in states if a is not b}
    assert moves == expected | {(MarketState.SETTLING, MarketState.CLOSED)}
