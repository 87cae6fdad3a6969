"""Stylised facts of a run's markets, each with the band in which it is realistic.

They are measured of what the venue published: mid prices, trades, depth. Prices move when the oracle job has
looked, every 30 seconds, so nothing is measured of shorter returns. Source: Cont (2001), Empirical properties
of asset returns; Vyetrenko et al., arXiv 1912.04941.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from sim.report.tables import depth_of
from system.model import keys
from system.model.funding import FUNDING

if TYPE_CHECKING:
    import pandas as pd

    from sim.report.folder import Run
    from sim.world.build import World

GRID_NS = 30_000_000_000
MINUTE = 2
"""Steps of the grid in a minute."""
FEWEST_MINUTES = 25
"""Of a shorter run nothing is said: too few returns."""
_FEWEST_TRADES = 200
_LAGS = 30
_SIGN_LAGS = 10
_TAIL = 0.1
_BUCKET_BPS = 5


class Fact(NamedTuple):
    """One stylised fact of a market. A value of None was not measurable; without a band it is only told."""

    market: str
    name: str
    about: str
    value: float | None
    low: float | None = None
    high: float | None = None
    error: float = 0.0
    """Standard error of the value. An hour is a small sample: two of them beyond the band are tolerated."""
    p: float | None = None
    """Probability of such a value by chance, where there is a test."""

    @property
    def held(self) -> bool:
        """Tell whether the value is in its band; what a band has and cannot be measured does not hold."""
        if self.low is None and self.high is None:
            return True
        if self.value is None:
            return False
        slack = 2 * self.error
        above = self.low is None or self.value >= self.low - slack
        return above and (self.high is None or self.value <= self.high + slack)

    def __str__(self) -> str:
        value = "not measurable" if self.value is None else f"{self.value:.3g}"
        return f"{self.market} {self.name} {value} (expected {self.band})"

    @property
    def band(self) -> str:
        """Return the band in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "reported only" if self.high is None else f"at most {self.high:g}"


class Market(NamedTuple):
    """What is measured of one market: its ordinary trades, its depth every ten seconds, its funding rates."""

    symbol: str
    fee_ppm: int
    trades: pd.DataFrame
    depth: pd.DataFrame
    rates: pd.Series


def of_run(run: Run) -> list[Fact]:
    """Return every stylised fact of a run that was kept."""
    fees = {str(row["symbol"]): int(row["fee_ppm"]) for row in run.markets().to_dict("records")}
    return _of_tables(fees, run.trades(), run.depth(), run.funding(), run.start_ns)


def of_world(world: World) -> list[Fact]:
    """Return every stylised fact of a run that has just ended."""
    import pandas as pd

    assert world.backend is not None
    rows = sorted(world.backend.scan(keys.TRADES), key=lambda row: (row["ts_ns"], row["symbol"]))
    trades = pd.DataFrame([row for row in rows if row["tradeType"] != FUNDING])
    ticks = pd.DataFrame([row for row in rows if row["tradeType"] == FUNDING], columns=["symbol", "rate_e12"])
    fees = {symbol: spec.fee_ppm for symbol, spec in world.specs.items()}
    depth = pd.DataFrame(depth_of(world.history.reader()))
    return _of_tables(fees, trades, depth, ticks, world.scenario.start)


def _of_tables(
    fees: dict[str, int], trades: pd.DataFrame, depth: pd.DataFrame, ticks: pd.DataFrame, start_ns: int
) -> list[Fact]:
    found: list[Fact] = []
    for symbol, fee_ppm in sorted(fees.items()):
        mine = trades[(trades["symbol"] == symbol) & (trades["tradeType"] == "TRADE")]
        rates = ticks.loc[ticks["symbol"] == symbol, "rate_e12"]
        found += panel(Market(symbol, fee_ppm, mine, depth[depth["symbol"] == symbol], rates), start_ns)
    return found


def panel(market: Market, start_ns: int) -> list[Fact]:
    """Return every stylised fact of a market; none when the run was too short for any."""
    mid = _mid(market.depth)
    if len(mid) < FEWEST_MINUTES * MINUTE or len(market.trades) < _FEWEST_TRADES:
        return []
    return [*_of_returns(market, mid), *_of_flow(market, mid, start_ns), *_of_book(market)]


def _mid(depth: pd.DataFrame) -> pd.Series:
    """Return the mid price on the grid, by its step."""
    best = depth[depth["level"] == 0].astype({"side": "string"})
    sides = best.pivot_table(index="t_ns", columns="side", values="price_e6").astype("float64")
    mid = sides.reindex(columns=["BUY", "SELL"]).dropna().mean(axis=1)
    return mid.groupby(mid.index // GRID_NS).last()


def _returns(mid: pd.Series, steps: int) -> pd.Series:
    import numpy as np

    logs: pd.Series = np.log(mid.iloc[::steps])
    return logs.diff().dropna()


def _of_returns(market: Market, mid: pd.Series) -> Iterator[Fact]:
    from scipy import stats

    fine, minute, five = (_returns(mid, steps) for steps in (1, MINUTE, 5 * MINUTE))
    name, few, fewer = market.symbol, len(minute), len(five)
    rho, error = _autocorrelation(minute, [1])
    about = "of 1 min returns, lag 1: near none"
    yield Fact(name, "autocorrelation", about, rho, -0.15, 0.15, error, _by_chance(rho, error))
    fat, flatter = (float(stats.kurtosis(returns, bias=False)) for returns in (minute, five))
    errors, by_chance = (24 / few, 24 / fewer), float(stats.kurtosistest(minute).pvalue)
    yield Fact(
        name,
        "excess kurtosis",
        "of 1 min returns: fat tails",
        fat,
        1.0,
        None,
        math.sqrt(errors[0]),
        by_chance,
    )
    about = "by how much that of 5 min returns is smaller: nearer to normal"
    yield Fact(name, "aggregation", about, fat - flatter, 0.0, None, math.sqrt(sum(errors)))
    sizes = fine.abs().sort_values(ascending=False)
    tail = sizes.iloc[: max(2, int(len(sizes) * _TAIL)) + 1]
    count, hill = len(tail) - 1, sum(math.log(size / tail.iloc[-1]) for size in tail.iloc[:-1])
    index = count / hill if hill else None
    about = "Hill's, of the largest tenth of 30 s returns"
    yield Fact(name, "tail index", about, index, 2.0, 5.0, (index or 0) / math.sqrt(count))
    memory, error = _autocorrelation(fine.abs(), range(1, _LAGS + 1))
    about = f"autocorrelation of absolute 30 s returns, mean of lags 1 to {_LAGS}: clusters"
    yield Fact(name, "volatility clusters", about, memory, 0.0, None, error, _by_chance(memory, error))
    skew = float(stats.skew(minute, bias=False))
    yield Fact(name, "gain and loss", "skewness of 1 min returns", skew, error=math.sqrt(6 / few))


def _of_flow(market: Market, mid: pd.Series, start_ns: int) -> Iterator[Fact]:
    import pandas as pd
    from scipy import stats

    name, orders = market.symbol, market.trades.drop_duplicates("taker_order_id")
    signs = (orders["aggressor_side"].astype("string") == "BUY").map({True: 1.0, False: -1.0})
    memory, error = _autocorrelation(signs, range(1, _SIGN_LAGS + 1))
    about = f"autocorrelation of aggressors' sides, mean of lags 1 to {_SIGN_LAGS}: trends in flow"
    yield Fact(name, "order signs", about, memory, 0.02, None, error, _by_chance(memory, error))
    gaps = orders["ts_ns"].drop_duplicates().diff().dropna().astype("float64")
    spread = float(gaps.std() / gaps.mean())
    about = "standard deviation of the time between trades over its mean: more than Poisson's 1"
    yield Fact(name, "trade clusters", about, spread, 1.0, None, spread / math.sqrt(2 * len(gaps)))
    steps = (market.trades["ts_ns"].astype("int64") - start_ns) // (GRID_NS * MINUTE)
    volume = market.trades["notional"].astype("float64").groupby(steps).sum()
    moves = _returns(mid, MINUTE).abs()
    both = pd.DataFrame({"volume": volume, "move": moves.groupby(moves.index // MINUTE).sum()}).dropna()
    found = stats.pearsonr(both["volume"], both["move"])
    about, error = "correlation of volume and absolute return, by minute", 1 / math.sqrt(len(both))
    yield Fact(
        name, "volume and volatility", about, float(found.statistic), 0.2, None, error, float(found.pvalue)
    )
    about = "exponent of an order's price impact in its size: a half where no outside price rules"
    yield Fact(name, "impact", about, _impact(market.trades))
    rates = market.rates.astype("float64")
    kept = _autocorrelation(rates, [1])[0] if len(rates) >= _SIGN_LAGS and rates.std() else None
    yield Fact(name, "funding", "autocorrelation of funding rates, lag 1", kept)


def _autocorrelation(series: pd.Series, lags: Collection[int]) -> tuple[float, float]:
    """Return the mean autocorrelation of some lags, and its standard error when there is none."""
    mean = sum(float(series.autocorr(lag)) for lag in lags) / len(lags)
    return mean, 1 / math.sqrt(len(series) * len(lags))


def _by_chance(value: float, error: float) -> float:
    """Return the probability of a normal value so far from zero."""
    return math.erfc(abs(value) / error / math.sqrt(2))


def _impact(trades: pd.DataFrame) -> float | None:
    """Return the slope of log impact in log size, over ten classes of size."""
    import numpy as np
    import pandas as pd

    rows = trades.astype({"price_e6": "float64", "notional": "float64"}).groupby("taker_order_id")
    prices = rows["price_e6"]
    orders = pd.DataFrame({"size": rows["notional"].sum(), "moved": prices.max() / prices.min() - 1})
    classes = orders.groupby(pd.qcut(orders["size"], 10, duplicates="drop"), observed=True).mean()
    classes = classes[classes["moved"] > 0]
    if len(classes) < 3:  # a line through two points says nothing
        return None
    return float(np.polyfit(np.log(classes["size"]), np.log(classes["moved"]), 1)[0])


def _of_book(market: Market) -> Iterator[Fact]:
    depth = market.depth.astype({"side": "string", "price_e6": "float64", "qty_e8": "float64"})
    best = depth[depth["level"] == 0].pivot_table(index="t_ns", columns="side", values="price_e6").dropna()
    spread = float(((best["SELL"] - best["BUY"]) / ((best["SELL"] + best["BUY"]) / 2)).min() * 10_000)
    floor = market.fee_ppm * 2 / 100
    about = "the narrowest, in bps: a round trip's fees are the floor"
    yield Fact(market.symbol, "spread", about, spread, floor)
    nearest = depth.groupby(["t_ns", "side"])["price_e6"].transform(
        lambda prices: prices.iloc[0]  # level 0 comes first
    )
    bucket = ((depth["price_e6"] / nearest - 1).abs() * 10_000 // _BUCKET_BPS).astype("int64")
    worth = (depth["price_e6"] * depth["qty_e8"]).groupby(bucket).sum()
    hump = float(worth.idxmax() * _BUCKET_BPS)
    about = "distance of the fullest prices from the best one, in bps: a hump behind it"
    yield Fact(market.symbol, "book shape", about, hump)
