"""Measures of a finished run, from its tables: what the report draws and notebooks begin with.

All are pure functions of a `Run`. Prices become floats in USDC and times floats in seconds since the
scenario's start here, at the very end; everything before keeps integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.report.folder import Run

if TYPE_CHECKING:
    import pandas as pd

USDC = 1_000_000
QTY = 100_000_000
NS = 1_000_000_000


def elapsed_s(run: Run, ts_ns: pd.Series) -> pd.Series:
    """Return seconds since the scenario's start for UTC ns."""
    return (ts_ns - run.start_ns) / NS


def quotes(run: Run, symbol: str) -> pd.DataFrame:
    """Best prices of a market over time.

    Shape: one row per sample of the depth in which both sides are there; sorted.
        t_s  float64  seconds since scenario start
        bid, ask, mid  float64  USDC per base
        spread_bps  float64  of mid
    Raises:
        RecordUnreadable: the run kept no tables.
    Source: depth messages, every ten seconds.
    """
    depth = run.depth()
    best = depth[(depth["symbol"] == symbol) & (depth["level"] == 0)]
    sides = best.pivot_table(index="t_ns", columns="side", values="price_e6", observed=False)
    sides = sides.reindex(columns=["BUY", "SELL"]).dropna().astype("float64") / USDC
    rows = sides.rename(columns={"BUY": "bid", "SELL": "ask"}).rename_axis(columns=None).reset_index()
    rows.insert(0, "t_s", rows.pop("t_ns").astype("float64") / NS)
    rows["mid"] = (rows["bid"] + rows["ask"]) / 2
    rows["spread_bps"] = (rows["ask"] - rows["bid"]) / rows["mid"] * 10_000
    return rows


def volume_by_minute(run: Run, symbol: str) -> pd.DataFrame:
    """What was traded in each minute, by the side that aggressed.

    Shape: one row per minute of the run in which the market traded; sorted.
        t_s  float64  the minute's begin, seconds since scenario start
        buy, sell  float64  USDC
        trades  int64
    Source: table Trades.
    """
    trades = run.trades()
    mine = trades[trades["symbol"] == symbol]
    minute = mine["ts_ns"] // (60 * NS) * (60 * NS)
    amount = mine["notional"].astype("float64") / USDC
    bought = mine["aggressor_side"] == "BUY"
    rows = amount.where(bought, 0.0).groupby(minute).sum().rename("buy").to_frame()
    rows["sell"] = amount.where(~bought, 0.0).groupby(minute).sum()
    rows["trades"] = amount.groupby(minute).size()
    rows = rows.rename_axis("t_s").reset_index()
    rows["t_s"] = elapsed_s(run, rows["t_s"]).astype("float64")
    return rows


class Account(NamedTuple):
    """One line of where the money is. Unit: uUSDC."""

    name: str
    about: str
    amount: int


def where_money_is(run: Run) -> list[Account]:
    """Return the exchange's accounts, which add up to all USDC ever deposited. Source: identity I3."""
    balances = run.balances()
    usdc = balances[balances["asset"] == "USDC"]
    positions = run.positions()
    perps = set(run.markets().loc[lambda rows: rows["kind"] == "PERP", "symbol"])
    margin = positions.loc[positions["symbol"].isin(perps), "margin"]

    def total(values: pd.Series) -> int:
        return int(values.fillna(0).sum())

    return [
        Account("Available", "what traders may trade with or withdraw", total(usdc["available"])),
        Account("Reserved", "held for live orders", total(usdc["reserved"])),
        Account("Margin", "locked in positions", total(margin)),
        Account("Fees", "earned by the exchange", total(usdc["fees"])),
        Account("Clearing", "minus the cost of all positions", total(usdc["clearing"])),
    ]


def latencies_ms(run: Run, hop: str) -> pd.Series:
    """Return one hop's latencies in virtual milliseconds, in the order of time."""
    rows = run.latencies()
    return rows.loc[rows["hop"] == hop, "latency_ns"].astype("float64") / 1_000_000
