"""Quantities: read exactly, refused with a remedy, written back as they read."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario import thresholds, units
from sim.scenario.units import (
    ANNUAL,
    DURATION,
    PRICE,
    RATE,
    SHARE,
    USDC,
    Amount,
    Dimension,
    UnitError,
    format_amount,
    format_funds,
    format_instant,
    mean_gap_ns,
    parse_amount,
    parse_funds,
    parse_instant,
)

DIMENSIONS = [DURATION, SHARE, USDC, PRICE, ANNUAL, RATE]


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (DURATION, "2 h", 7_200 * 10**9),
        (DURATION, "1.5 s", 1_500_000_000),
        (DURATION, "90s", 90 * 10**9),
        (DURATION, " 6  ms ", 6_000_000),
        (SHARE, "60 bps", 6_000),
        (SHARE, "100 %", 1_000_000),
        (SHARE, "-12 %", -120_000),
        (SHARE, "0.0001 %", 1),
        (USDC, "2_000_000 USDC", 2 * 10**12),
        (PRICE, "0.1 USDC", 100_000),
        (ANNUAL, "60 %/y", 600_000),
        (RATE, "0.2 /s", 6_307_200 * 10**6),
        (RATE, "12 /y", 12_000_000),
    ],
)
def test_reads_exactly(dimension: Dimension, text: str, value: int) -> None:
    assert dimension.parse(text) == value


@pytest.mark.parametrize(
    ("dimension", "text", "problem"),
    [
        (DURATION, "2", "with its unit, was `2`"),
        (DURATION, 2, "with its unit, was `2`"),
        (DURATION, "2 hours", "in s, ms, us, ns, min, h, d, was `2 hours`"),
        (DURATION, "two hours", "a number and a unit, was `two hours`"),
        (DURATION, "0.1 ns", "a whole number of 1 ns, was `0.1 ns`"),
        (DURATION, True, "was True"),
        (DURATION, None, "was None"),
        (DURATION, ["2 h"], "was ['2 h']"),
        (SHARE, "1e3 %", "in %, bps, ppm, was `1e3 %`"),
        (USDC, "5 USDT", "was `5 USDT`"),
        (PRICE, "0.0000001 USDC", "a whole number of 0.000001 USDC"),
    ],
)
def test_refuses_with_what_was_expected_and_how_to_write_it(
    dimension: Dimension, text: object, problem: str
) -> None:
    with pytest.raises(UnitError) as refused:
        dimension.parse(text)

    said, remedy = refused.value.args
    assert problem in said
    assert remedy


@pytest.mark.parametrize(
    ("dimension", "value", "text"),
    [
        (DURATION, 90 * 10**9, "90 s"),
        (DURATION, 180 * 10**9, "3 min"),
        (DURATION, 260_000_000, "260 ms"),
        (DURATION, 0, "0 s"),
        (SHARE, 6_000, "60 bps"),
        (SHARE, 50_000, "5 %"),
        (USDC, 2 * 10**12, "2_000_000 USDC"),
        (USDC, 5_000 * 10**6, "5000 USDC"),
        (PRICE, 100_000, "0.1 USDC"),
        (RATE, 6_307_200 * 10**6, "12 /min"),
    ],
)
def test_writes_with_the_fewest_digits(dimension: Dimension, value: int, text: str) -> None:
    assert dimension.format(value) == text


@given(st.sampled_from(DIMENSIONS), st.integers(-(10**24), 10**24))
def test_what_is_written_reads_back(dimension: Dimension, value: int) -> None:
    assert dimension.parse(dimension.format(value)) == value


def test_amounts_carry_their_asset() -> None:
    assert parse_amount("0.0001 BTC") == Amount("BTC", 10_000)
    assert format_amount(Amount("sBTC", 30 * 10**8)) == "30 sBTC"
    with pytest.raises(UnitError, match="the name of an asset"):
        parse_amount("5 %")
    with pytest.raises(UnitError, match="whole number"):
        parse_amount("0.000000001 BTC")


@pytest.mark.parametrize(
    "value", ["5 USDC + 2 sBTC", {"USDC": "5 USDC", "sBTC": "2 sBTC"}, " 5 USDC+2 sBTC "]
)
def test_funds_are_a_sum_or_a_mapping(value: object) -> None:
    assert parse_funds(value) == {"USDC": 5_000_000, "sBTC": 200_000_000}
    assert format_funds(parse_funds(value)) == "5 USDC + 2 sBTC"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("5 USDC + 6 USDC", "each asset once"),
        ({"USDC": "5 BTC"}, "an amount of USDC"),
        ("-5 USDC", "above 0"),
        ("5", "with its unit"),
    ],
)
def test_funds_that_make_no_sense(value: object, problem: str) -> None:
    with pytest.raises(UnitError, match=problem):
        parse_funds(value)


def test_instants_are_utc() -> None:
    assert parse_instant("2025-05-03T23:30:00Z") == 1_746_315_000 * 10**9
    assert format_instant(1_746_315_000 * 10**9) == "2025-05-03T23:30:00Z"
    for wrong in ("2025-05-03T23:30:00", "2025-05-03T23:30:00+02:00", "yesterday", 5):
        with pytest.raises(UnitError, match="instant in UTC"):
            parse_instant(wrong)


def test_the_mean_gap_of_a_rate() -> None:
    assert mean_gap_ns(RATE.parse("0.2 /s")) == pytest.approx(5 * 10**9)


@pytest.mark.parametrize("module", [units, thresholds])
def test_examples_of_the_docstrings(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]

    assert result.attempted
    assert not result.failed
