"""Every price process: the moments that its parameters promise, and what moves together."""

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import correlation, fmean, pstdev
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.kernel.dice import Dice
from sim.scenario.schema import AnyProcess, Scenario
from sim.world.prices import PROCESSES, Correlation, PriceProcess, SteppedProcess
from system.model.errors import ScenarioError
from tests.unit.sim.exchange import START_NS

SECOND_NS = 10**9
REGIMES = [{"volatility": "20 %/y", "lasts": "1 h"}, {"volatility": "200 %/y", "lasts": "1 h"}]
NEEDED: dict[str, dict[str, Any]] = {
    "regime_switching": {"regimes": REGIMES},
    "shape": {"points": [{"at": "1 h", "price": "50_000 USDC"}], "volatility": "60 %/y"},
}
DRAWN = [
    kind.model_fields["process"].annotation.__args__[0]
    for kind in PROCESSES
    if issubclass(kind, SteppedProcess)
]  # type: ignore[union-attr]


def of(process: str, **how: Any) -> PriceProcess:
    read: TypeAdapter[PriceProcess] = TypeAdapter(AnyProcess)
    return read.validate_python(
        {"process": process, "start": "60_000 USDC", **NEEDED.get(process, {}), **how}
    )


def returns(process: PriceProcess, steps: int, step_s: int = 1, seed: str = "a") -> list[float]:
    path = process.path(START_NS, Random(seed))
    prices = [path.at(START_NS + step * step_s * SECOND_NS) for step in range(steps + 1)]
    return [math.log(after / before) for before, after in pairwise(prices)]


def kurtosis(values: list[float]) -> float:
    """Excess of the fourth moment over that of a normal."""
    mean, sigma = fmean(values), pstdev(values)
    return fmean(((value - mean) / sigma) ** 4 for value in values) - 3


def yearly(values: list[float], step_s: int = 1) -> float:
    return pstdev(values) * math.sqrt(365 * 86_400 / step_s)


def clustering(values: list[float], lag: int = 1) -> float:
    size = [abs(value) for value in values]
    return correlation(size[:-lag], size[lag:])


@pytest.mark.parametrize("process", DRAWN)
def test_a_path_is_that_of_its_dice_whatever_is_asked_first(process: str) -> None:
    instants = [START_NS + step * SECOND_NS for step in (700, 3, 77, 0)]
    forward, backward = (of(process).path(START_NS, Random("x")) for _ in range(2))

    assert [forward.at(i) for i in instants] == [backward.at(i) for i in reversed(instants)][::-1]
    assert forward.at(START_NS) == of(process).first_price_e6 == 60_000_000_000
    other = of(process).path(START_NS, Random("y"))
    assert other.at(instants[0]) != forward.at(instants[0])


def test_merton_jumps_as_often_and_as_far_as_it_says() -> None:
    jumps = {"rate": "365 /d", "mean": "-2 %", "spread": "5 %"}
    process = of("merton_jump", volatility="1 %/y", jumps=jumps)
    leaps = [r for r in returns(process, 86_400 * 4) if abs(r) > 0.0005]

    # 1,460 expected, of which one in a hundred is too small to be seen
    assert len(leaps) == pytest.approx(1_450, rel=0.08)
    assert fmean(leaps) == pytest.approx(-0.02, abs=0.005)
    assert pstdev(leaps) == pytest.approx(0.05, rel=0.08)


def test_jumps_do_not_change_the_expected_growth() -> None:
    jumps = {"rate": "2 /d", "mean": "-5 %", "spread": "5 %"}
    process = of("merton_jump", volatility="0 %/y", drift="0 %/y", step="1 h", jumps=jumps)
    day = START_NS + 86_400 * SECOND_NS
    ends = [process.path(START_NS, Random(seed)).at(day) / 60e9 for seed in range(8_000)]

    # the standard error is a thousandth
    assert fmean(ends) == pytest.approx(1.0, abs=0.004)


def test_hestons_variance_returns_to_its_mean() -> None:
    process = of("heston", volatility="200 %/y", long_run="50 %/y", reversion="20 /d", step="60 s")
    values = returns(process, 40_000, 60)

    assert yearly(values[:10], 60) > 1.0
    assert yearly(values[2_000:], 60) == pytest.approx(0.5, rel=0.1)


def test_hestons_variance_rises_as_the_price_falls() -> None:
    process = of("heston", volatility_of_variance="3000 %/y", reversion="1 /d", leverage="-90 %", step="60 s")
    values = returns(process, 40_000, 60)

    assert clustering(values) > 0.1
    hours = [values[i : i + 60] for i in range(0, len(values), 60)]
    change = [pstdev(after) - pstdev(before) for before, after in pairwise(hours)]
    assert correlation([sum(before) for before in hours[:-1]], change) < -0.1


def test_bates_is_hestons_with_jumps() -> None:
    smooth = returns(of("heston", step="60 s"), 20_000, 60)
    jumping = returns(of("bates", step="60 s", jumps={"rate": "10 /d"}), 20_000, 60)

    assert sum(abs(r) > 0.02 for r in smooth) == 0
    # 139 jumps, of which two thirds are that large
    assert 50 < sum(abs(r) > 0.02 for r in jumping) < 130


def test_garch_has_clusters_and_fat_tails_and_its_long_run_volatility() -> None:
    values = returns(of("garch_t", degrees=5), 100_000)

    assert yearly(values) == pytest.approx(0.6, rel=0.15)
    assert kurtosis(values) > 3
    assert clustering(values) > 0.1
    assert clustering(values, 30) > 0.03
    assert abs(correlation(values[:-1], values[1:])) < 0.03


def test_regimes_take_turns() -> None:
    values = returns(of("regime_switching"), 100_000)
    minutes = sorted(pstdev(values[i : i + 600]) for i in range(0, 100_000, 600))

    year = math.sqrt(365 * 86_400)
    assert minutes[10] * year == pytest.approx(0.2, rel=0.15)
    assert minutes[-10] * year == pytest.approx(2.0, rel=0.15)


def test_moves_of_a_hawkes_mid_excite_each_other() -> None:
    calm = {"branching": "0 %", "rate": "1 /s", "move": "1 bps"}
    alone = returns(of("hawkes_mid", **calm), 20_000)
    excited = returns(
        of("hawkes_mid", **{**calm, "branching": "80 %", "returning": "0 %", "rate": "0.2 /s"}), 20_000
    )

    # two Poisson clocks of one move a second each
    assert pstdev(alone) == pytest.approx(0.0001 * math.sqrt(2), rel=0.03)
    assert clustering(alone) == pytest.approx(0.0, abs=0.03)
    # four of five moves are brought about by others: as many in all, in clusters
    assert clustering(excited) > 0.05


def test_a_shape_meets_its_points_whatever_the_noise() -> None:
    points = [{"at": "10 min", "price": "50_000 USDC"}, {"at": "20 min", "price": "55_000 USDC"}]
    for seed in range(5):
        path = of("shape", points=points, volatility="200 %/y").path(START_NS, Random(seed))
        assert path.at(START_NS + 600 * SECOND_NS) == pytest.approx(50_000_000_000, abs=2)
        assert path.at(START_NS + 1_200 * SECOND_NS) == pytest.approx(55_000_000_000, abs=2)

    straight = of("shape", points=points, volatility="0 %/y").path(START_NS, Random(0))
    assert straight.at(START_NS + 300 * SECOND_NS) == pytest.approx(
        math.sqrt(50_000 * 60_000) * 1e6, rel=1e-9
    )
    assert straight.at(START_NS + 9_999 * SECOND_NS) == pytest.approx(55_000_000_000, abs=2)


def test_points_are_whole_steps_in_order_of_time() -> None:
    for at in ("1500 ms", "10 s"):
        points = [{"at": "10 s", "price": "50_000 USDC"}, {"at": at, "price": "50_000 USDC"}]
        with pytest.raises(ValidationError, match=r"points\.1\.at|multiple of the step"):
            of("shape", points=points)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_recorded_prices_hold_until_the_next(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"btc.{form}"
    if form == "csv":
        file.write_text("time,price\n2025-10-10T21:00:00Z,110000.1\n2025-10-10T21:01:00+00:00,105000\n")
    else:
        import pandas as pd

        times = pd.to_datetime(["2025-10-10T21:00:00Z", "2025-10-10T21:01:00Z"])
        pd.DataFrame({"time": times, "close": [110_000.1, 105_000.0]}).to_parquet(file)
    read: TypeAdapter[PriceProcess] = TypeAdapter(AnyProcess)
    process = read.validate_python({"process": "series", "file": str(file)})
    path = process.path(START_NS, Random(0))

    assert process.first_price_e6 == path.at(START_NS + 59 * SECOND_NS) == 110_000_100_000
    assert path.at(START_NS + 60 * SECOND_NS) == path.at(START_NS + 10**15) == 105_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,price\n",
        "time,price\n2,1\n1,1\n",
        "time,price\n1,0\n",
        "time,money\n1,1\n",
        "time,price\n1,x\n",
    ],
)
def test_a_file_that_is_not_one_of_prices_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    read: TypeAdapter[PriceProcess] = TypeAdapter(AnyProcess)

    with pytest.raises(ValidationError, match="expected rows of time and price"):
        read.validate_python({"process": "series", "file": str(file)})


# what moves together


def drawn(together: Correlation, count: int = 20_000) -> dict[str, list[float]]:
    return {
        asset: [normal for normal, _ in zip(normals, range(count), strict=False)]
        for asset, normals in together.normals(Dice(1)).items()
    }


def read_correlation(**how: Any) -> Correlation:
    return Correlation.model_validate(how)


def test_normals_have_the_correlations_asked_for() -> None:
    normals = drawn(read_correlation(pairs={"BTC-ETH": "80 %", "BTC-CXPT": "50 %", "ETH-CXPT": "-10 %"}))

    assert list(normals) == ["BTC", "ETH", "CXPT"]
    assert correlation(normals["BTC"], normals["ETH"]) == pytest.approx(0.8, abs=0.02)
    assert correlation(normals["BTC"], normals["CXPT"]) == pytest.approx(0.5, abs=0.02)
    assert correlation(normals["ETH"], normals["CXPT"]) == pytest.approx(-0.1, abs=0.02)
    assert all(pstdev(values) == pytest.approx(1.0, rel=0.02) for values in normals.values())


def test_with_a_tail_extremes_come_together() -> None:
    pairs = {"BTC-ETH": "50 %"}
    thin, fat = drawn(read_correlation(pairs=pairs)), drawn(read_correlation(pairs=pairs, tail=4))

    def both(values: dict[str, list[float]]) -> int:
        return sum(one < -3 and other < -3 for one, other in zip(values["BTC"], values["ETH"], strict=True))

    assert both(fat) > 3 * both(thin)
    assert pstdev(fat["BTC"]) == pytest.approx(1.0, rel=0.05)


def scenario(*settings: str) -> Scenario:
    text = """
scenario: together
duration: 1 min
markets: [{symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}]
prices:
  BTC: {process: gbm, start: 60_000 USDC}
  ETH: {process: garch_t, start: 3_000 USDC}
"""
    return Scenario.parse(text, overrides=settings)


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ("{BTC: 50 %}", "does not name two assets"),
        ("{BTC-SOL: 50 %}", "there is no price of SOL"),
        ("{BTC-ETH: 120 %}", "at most 1000000"),
    ],
)
def test_a_wrong_pair_is_refused(pairs: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        scenario(f"correlation.pairs={pairs}")


def test_impossible_correlations_and_different_steps_are_refused() -> None:
    with pytest.raises(ScenarioError, match="same `step`"):
        scenario("correlation.pairs={BTC-ETH: 50 %}", "prices.ETH.step=2 s")
    impossible = read_correlation(pairs={"A-B": "90 %", "B-C": "90 %", "A-C": "-90 %"})
    assert (
        impossible.problem({"A": 1, "B": 1, "C": 1}) == "no prices can have all of these correlations at once"
    )


def test_prices_of_different_processes_move_together() -> None:
    world = scenario("correlation.pairs={BTC-ETH: 95 %}", "correlation.tail=5", "prices.ETH.degrees=50")
    normals = world.correlation.normals(Dice(3))
    paths = {a: p.path(START_NS, Dice(3).named("price", a), normals[a]) for a, p in world.prices.items()}
    logs = {
        asset: [math.log(path.at(START_NS + step * SECOND_NS)) for step in range(5_000)]
        for asset, path in paths.items()
    }
    moves = {asset: [b - a for a, b in pairwise(values)] for asset, values in logs.items()}

    assert correlation(moves["BTC"], moves["ETH"]) > 0.75
