"""Measures of a finished run, from its tables: what the report draws and notebooks begin with.

All are pure functions of a `Run`. Prices and amounts become floats in USDC here, at the very end, and
instants become timestamps in virtual UTC; everything before keeps integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.report.folder import Run

if TYPE_CHECKING:
    import pandas as pd

USDC = 1_000_000
QTY = 100_000_000
NS = 1_000_000_000
_BINS = 70


def instants(ts_ns: pd.Series) -> pd.Series:
    """Return virtual UTC timestamps for UTC ns."""
    import pandas as pd

    return pd.to_datetime(ts_ns.astype("int64"), unit="ns")


def quotes(run: Run, symbol: str) -> pd.DataFrame:
    """Best prices of a market over time.

    Shape: one row per sample of the depth in which both sides are there; sorted.
        time  datetime64[ns]  virtual UTC
        bid, ask, mid  float64  USDC per base
        spread_bps  float64  of mid
    Source: depth messages, every ten seconds.
    """
    depth = run.depth()
    best = depth[(depth["symbol"] == symbol) & (depth["level"] == 0)]
    sides = best.astype({"side": "string"}).pivot_table(index="t_ns", columns="side", values="price_e6")
    sides = sides.reindex(columns=["BUY", "SELL"]).dropna().astype("float64") / USDC
    rows = sides.rename(columns={"BUY": "bid", "SELL": "ask"}).rename_axis(columns=None).reset_index()
    rows.insert(0, "time", instants(rows.pop("t_ns") + run.start_ns))
    rows["mid"] = (rows["bid"] + rows["ask"]) / 2
    rows["spread_bps"] = (rows["ask"] - rows["bid"]) / rows["mid"] * 10_000
    return rows


def prints(run: Run, symbol: str) -> pd.DataFrame:
    """Every fill of a market, as a chart wants it.

    Shape: one row per trade, sorted.
        time  datetime64[ns]  virtual UTC
        price, size, worth  float64  USDC per base, base, USDC
        side  string  BUY or SELL, of the aggressor
    Source: table Trades.
    """
    import pandas as pd

    trades = run.trades()
    mine = trades[trades["symbol"] == symbol]
    return pd.DataFrame(
        {
            "time": instants(mine["ts_ns"]),
            "price": mine["price_e6"].astype("float64") / USDC,
            "size": mine["qty_e8"].astype("float64") / QTY,
            "worth": mine["notional"].astype("float64") / USDC,
            "side": mine["aggressor_side"].astype("string"),
        }
    ).reset_index(drop=True)


def oracle(run: Run, asset: str) -> pd.DataFrame:
    """The outside price as the oracle job recorded it.

    Shape: one row per observation, sorted.
        time  datetime64[ns]  virtual UTC
        price  float64  USDC per base
    Source: table Prices.
    """
    import pandas as pd

    rows = run.prices()
    mine = rows[rows["asset"] == asset]
    return pd.DataFrame(
        {"time": instants(mine["ts_ns"]), "price": mine["price_e6"].astype("float64") / USDC}
    ).reset_index(drop=True)


def volume_by_minute(run: Run, symbol: str) -> pd.DataFrame:
    """What was traded in each minute, by the side that aggressed.

    Shape: one row per minute in which the market traded; sorted.
        time  datetime64[ns]  the minute's begin, virtual UTC
        buy, sell  float64  USDC
        trades  int64
    Source: table Trades.
    """
    fills = prints(run, symbol)
    minute = fills["time"].dt.floor("min").rename("time")
    bought = fills["side"] == "BUY"
    rows = fills["worth"].where(bought, 0.0).groupby(minute).sum().rename("buy").to_frame()
    rows["sell"] = fills["worth"].where(~bought, 0.0).groupby(minute).sum()
    rows["trades"] = fills["worth"].groupby(minute).size()
    return rows.reset_index()


def resting(run: Run, symbol: str) -> pd.DataFrame:
    """How much rests at which price over time: the book as a picture.

    Shape: one row per (time, price bin), complete, sorted; all bins equally wide.
        time  datetime64[ns]  virtual UTC
        price  float64  middle of the bin, USDC per base
        bid, ask  float64  USDC, NaN where nothing rests
    Source: depth messages, ten levels a side, every ten seconds.
    """
    import numpy as np
    import pandas as pd

    depth = run.depth()
    mine = depth[depth["symbol"] == symbol]
    price = mine["price_e6"].astype("float64").to_numpy() / USDC
    low, high = (price.min(), price.max()) if len(price) else (0.0, 1.0)
    width = max((high - low) / _BINS, 1e-6)
    frame = pd.DataFrame(
        {
            "t_ns": mine["t_ns"].to_numpy(dtype="int64"),
            "bin": np.floor((price - low) / width).astype("int64"),
            "side": mine["side"].astype("string").map({"BUY": "bid", "SELL": "ask"}).to_numpy(),
            "worth": price * mine["qty_e8"].to_numpy(dtype="float64") / QTY,
        }
    )
    cells = frame.pivot_table(index=["t_ns", "bin"], columns="side", values="worth", aggfunc="sum")
    every = pd.MultiIndex.from_product(
        [sorted(frame["t_ns"].unique()), range(_BINS + 1)], names=["t_ns", "bin"]
    )
    cells = cells.reindex(index=every, columns=["bid", "ask"]).reset_index()
    return pd.DataFrame(
        {
            "time": instants(cells["t_ns"] + run.start_ns),
            "price": low + (cells["bin"] + 0.5) * width,
            "bid": cells["bid"].astype("float64"),
            "ask": cells["ask"].astype("float64"),
        }
    )


def last_book(run: Run, symbol: str) -> pd.DataFrame:
    """The book as it was last published.

    Shape: one row per (side, level), bids first, best first.
        side  string  BUY or SELL
        level  int64
        price, size  float64  USDC per base, base
        total  float64  USDC from the best price to this one
    Source: the last depth message of the market's channel.
    """
    import pandas as pd

    depth = run.depth()
    mine = depth[depth["symbol"] == symbol]
    last = mine[mine["t_ns"] == mine["t_ns"].max()]
    frame = pd.DataFrame(
        {
            "side": last["side"].astype("string"),
            "level": last["level"].astype("int64"),
            "price": last["price_e6"].astype("float64") / USDC,
            "size": last["qty_e8"].astype("float64") / QTY,
        }
    ).sort_values(["side", "level"], ignore_index=True)
    frame["total"] = (frame["price"] * frame["size"]).groupby(frame["side"]).cumsum()
    return frame


def settlement(run: Run) -> pd.DataFrame:
    """How many trades were committed, sent to the chain and final there, over time.

    Shape: one row per change, sorted by time.
        time  datetime64[ns]  virtual UTC
        step  string  committed, submitted, confirmed
        trades  int64  so far
    Source: tables Trades and Settlements.
    """
    import pandas as pd

    trades = run.trades()
    batches = run.settlements()
    batches = batches[batches["key"].str.startswith("BATCH#")]
    numbers = trades["batch"] if "batch" in trades else pd.Series([pd.NA] * len(trades), dtype="Int64")
    parts = [("committed", trades["ts_ns"])]
    for step in ("submitted", "confirmed"):
        column = f"{step}_ns"
        if column in batches:
            parts.append((step, numbers.map(batches.set_index("number")[column])))
    frames = []
    for step, ts_ns in parts:
        at = ts_ns.dropna().sort_values().astype("int64")
        at = at.groupby(at).size().cumsum()
        frames.append(
            pd.DataFrame({"time": instants(at.index.to_series()), "step": step, "trades": at.to_numpy()})
        )
    return pd.concat(frames, ignore_index=True)


def on_the_way(run: Run) -> pd.DataFrame:
    """How many trades were committed and not yet final on chain, over time.

    Shape: one row per change, sorted by time.
        time  datetime64[ns]  virtual UTC
        trades  int64
    Source: as of `settlement`.
    """
    steps = settlement(run)
    wide = steps.pivot_table(index="time", columns="step", values="trades", aggfunc="max")
    wide = wide.reindex(columns=["committed", "confirmed"]).ffill().fillna(0).astype("int64")
    rows = (wide["committed"] - wide["confirmed"]).rename("trades")
    return rows.to_frame().reset_index()


def latencies_ms(run: Run, hop: str) -> pd.Series:
    """Return one hop's latencies in virtual milliseconds, in the order of time."""
    rows = run.latencies()
    return rows.loc[rows["hop"] == hop, "latency_ns"].astype("float64") / 1_000_000


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
