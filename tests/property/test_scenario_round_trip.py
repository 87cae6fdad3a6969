"""Any scenario, written out in full and read again, is the same scenario."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sim.scenario.links import LINKS
from sim.scenario.schema import Scenario
from sim.scenario.thresholds import MEASURES, STATISTICS
from sim.scenario.units import (
    ANNUAL,
    DURATION,
    PRICE,
    RATE,
    SHARE,
    USDC,
    Amount,
    Dimension,
    format_amount,
    format_funds,
)

TICK_E6 = 100_000
LOT_E8 = 10_000


def written(dimension: Dimension, least: int = 0, most: int = 10**15) -> st.SearchStrategy[str]:
    return st.integers(least, most).map(dimension.format)


positive_time = written(DURATION, 1)
share = written(SHARE, 1, 10**6)
money = written(USDC, 1)
names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
seconds = st.integers(0, 4_000_000_000)


@st.composite
def markets(draw: st.DrawFn) -> list[dict[str, Any]]:
    symbols = draw(st.lists(st.sampled_from(["BTC-PERP", "sBTC-USDC", "ETH-PERP"]), min_size=1, unique=True))
    return [
        {
            "symbol": symbol,
            "tick": PRICE.format(TICK_E6 * draw(st.integers(1, 1_000))),
            "lot": format_amount(Amount(symbol.partition("-")[0], LOT_E8 * draw(st.integers(1, 1_000)))),
            "initial_margin": draw(written(SHARE, 60_000, 10**6)),
            "fee": draw(written(SHARE, 0, 20_000)),  # more, and closing by force would cost more than is held
            "band": draw(share),
        }
        for symbol in symbols
    ]


def agents(symbols: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    any_agent = {
        "count": st.integers(1, 50),
        "funds": st.dictionaries(st.just("USDC"), st.integers(1, 10**15), min_size=1).map(format_funds),
        "markets": st.lists(st.sampled_from(symbols), unique=True),
    }
    maker = {"kind": st.just("market_maker"), "half_spread": share, "refresh": positive_time, "size": money}
    taker = {"kind": st.just("noise_taker"), "rate": written(RATE, 1), "reach": share}
    gambler = {"kind": st.just("zero_intelligence"), "rate": written(RATE, 1), "look": positive_time}
    return st.one_of(*(st.fixed_dictionaries({**any_agent, **kind}) for kind in (maker, taker, gambler)))


@st.composite
def thresholds(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(MEASURES)))
    measure = MEASURES[name]
    left = f"{draw(st.sampled_from(STATISTICS))}({name})" if measure.distribution else name
    dimension = {"ns": DURATION, "uUSDC": USDC, "ppm": SHARE}.get(measure.unit)
    limit = draw(written(dimension)) if dimension else str(draw(st.integers(0, 10**9)))
    return f"{left} {draw(st.sampled_from(['<', '<=', '==', '>=', '>']))} {limit}"


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    listed = draw(markets())
    groups = draw(st.lists(agents([market["symbol"] for market in listed]), max_size=3))
    volatility = written(ANNUAL, 0, 10**7)
    return {
        "scenario": draw(names),
        "about": draw(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)),
        "seed": draw(st.integers(0, 2**63)),
        "start": f"2025-05-03T{draw(st.integers(0, 23)):02d}:{draw(st.integers(0, 59)):02d}:00Z",
        "duration": draw(positive_time),
        "backend": draw(st.sampled_from(["memory", "moto", "localstack", "aws"])),
        "signatures": draw(st.sampled_from(["real", "sampled", "off"])),
        "block_time": draw(positive_time),
        "markets": listed,
        "prices": {
            asset: {"process": "gbm", "start": draw(written(PRICE, 1)), "volatility": draw(volatility)}
            for asset in ("BTC", "ETH")
        },
        "links": {
            name: {"median": DURATION.format(median), "p99": DURATION.format(median + more)}
            for name, (median, more) in draw(
                st.dictionaries(st.sampled_from(sorted(LINKS)), st.tuples(seconds, seconds), max_size=3)
            ).items()
        },
        "agents": [{**group, "name": f"g{number}"} for number, group in enumerate(groups)],
        "expect": {
            "settled_within": draw(positive_time),
            "thresholds": draw(st.lists(thresholds(), max_size=3)),
        },
    }


@given(scenarios())
def test_resolved_text_loads_to_the_same_scenario(data: dict[str, Any]) -> None:
    scenario = Scenario.model_validate(data)
    text = scenario.resolved_yaml()

    again = Scenario.parse(text)

    assert again == scenario
    assert again.resolved_yaml() == text


@pytest.mark.parametrize(
    "about", ["- no", "yes: 1", "1", "~", "'", "# x", "a\nb", " a ", "0x1", "2025-05-03", "é"]
)
def test_words_that_yaml_could_take_for_something_else(about: str) -> None:
    market = {"symbol": "BTC-PERP", "tick": "0.1 USDC", "lot": "0.0001 BTC"}
    price = {"process": "gbm", "start": "1 USDC"}
    scenario = Scenario.model_validate(
        {"scenario": "x", "about": about, "duration": "1 s", "markets": [market], "prices": {"BTC": price}}
    )

    assert Scenario.parse(scenario.resolved_yaml()).about == about
    assert YAML(typ="safe", pure=True).load(scenario.resolved_yaml())["about"] == about
