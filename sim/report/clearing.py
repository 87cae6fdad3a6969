"""What the clearing houses of a run did: funding, positions closed by force, funds, settlement prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from sim.report.folder import Run
from sim.report.measures import instants
from sim.report.tables import HISTORY
from system.model import keys

_FORCED = ("LIQUIDATION", "ADL")
_FUND = ("insurance", "bad_debt")
_ADL = ("taken", "overshoot")
_USDC = 10**6


def clearing_house(run: Run) -> dict[str, Any]:
    """Return the rows of the report's section; both lists are empty where nothing of this happened."""
    return {"ticks": _ticks(run), "markets": _markets(run)}


def _ticks(run: Run) -> list[dict[str, Any]]:
    """Return every tick of funding, in order."""
    ticks = run.funding()
    if ticks.empty:
        return []
    at = pd.to_datetime(ticks["boundary_ns"].astype("int64")).dt.strftime("%Y-%m-%d %H:%M")
    rate = (ticks["rate_e12"].astype("int64") / 10**10).map("{:+.5f}".format)
    return [
        {str(name): value for name, value in row.items()}
        for row in ticks.assign(at=at, rate=rate).to_dict("records")
    ]


def _markets(run: Run) -> list[dict[str, Any]]:
    """Return a row for each market with forced closes, a fund, bad debt or a settlement price."""
    trades, balances = run.trades(), run.balances()
    if trades.empty:
        return []
    found = []
    for market in run.markets().to_dict("records"):
        symbol = market["symbol"]
        account = balances[balances["owner"] == f"MARKET#{symbol}"].fillna(0)
        forced = trades[(trades["symbol"] == symbol) & (trades["tradeType"].isin(_FORCED))]
        row = {
            "symbol": symbol,
            "liquidations": int((forced["tradeType"] == "LIQUIDATION").sum()),
            "deleveraged": int((forced["tradeType"] == "ADL").sum()),
            "closed": int(forced["notional"].astype("int64").sum()),
            **{name: int(forced[name].fillna(0).sum()) if name in forced else 0 for name in _ADL},
            **{name: int(account.get(name, pd.Series(dtype=int)).sum()) for name in _FUND},
            "settled": int(market["settle_e6"]) if pd.notna(market.get("settle_e6")) else 0,
        }
        if any(value for name, value in row.items() if name != "symbol"):
            found.append(row)
    return found


def funding_path(run: Run) -> pd.DataFrame:
    """What funding took, over time.

    Shape: one row per tick, sorted by symbol, time.
        symbol  string
        time  datetime64[ns]  virtual UTC, the boundary
        rate  float64  % of the index for the interval; longs pay when above 0
        paid  float64  USDC, of this and all ticks before
    """
    ticks = run.funding()
    paid = ticks["paid"].astype("float64").groupby(ticks["symbol"]).cumsum()
    return pd.DataFrame(
        {
            "symbol": ticks["symbol"],
            "time": instants(ticks["boundary_ns"]),
            "rate": ticks["rate_e12"].astype("float64") / 10**10,
            "paid": paid / _USDC,
        }
    )


def funds(run: Run) -> pd.DataFrame:
    """Every change of the markets' insurance funds and bad debts.

    Shape: one row per transaction that changed one, sorted by time; empty where no market has any.
        symbol  string
        time  datetime64[ns]  virtual UTC
        insurance, bad_debt  float64  USDC, after it
    """
    rows = list(_changes(run)) if _markets(run) and _has_history(run) else []
    table = pd.DataFrame(rows, columns=["symbol", "ns", *_FUND]).astype(dict.fromkeys(_FUND, "float64"))
    sums = table.groupby("symbol")[list(_FUND)].cumsum() / _USDC
    return pd.DataFrame({"symbol": table["symbol"], "time": instants(table["ns"]), **sums})


def _has_history(run: Run) -> bool:
    return (run.folder / HISTORY).is_file()


def _changes(run: Run) -> Iterator[tuple[str, int, int, int]]:
    """Iterate (market, UTC ns, change of the fund, change of its bad debt), from the history."""
    for _, event in run.history.of_kind("tx"):
        for verb, table, *rest in event["w"]:
            if verb != "upd" or table != keys.BALANCES or not rest[0].startswith(keys.market_pk("")):
                continue
            insurance, bad_debt = (rest[3].get(name, 0) for name in _FUND)
            if insurance or bad_debt:
                yield rest[0].removeprefix(keys.market_pk("")), run.start_ns + event["t"], insurance, bad_debt


def closes_by_minute(run: Run) -> pd.DataFrame:
    """What was closed by force in each minute of all markets.

    Shape: one row per minute and kind, sorted.
        kind  string  LIQUIDATION or ADL
        time  datetime64[ns]  virtual UTC, the minute's begin
        closes  int64
        worth  float64  USDC
    """
    trades = run.trades()
    if trades.empty:
        return pd.DataFrame(columns=["kind", "time", "closes", "worth"])
    forced = trades[trades["tradeType"].isin(_FORCED)]
    table = pd.DataFrame(
        {
            "kind": forced["tradeType"].astype(str),
            "time": instants(forced["ts_ns"]).dt.floor("min"),
            "worth": forced["notional"].astype("float64") / _USDC,
        }
    )
    grouped = table.groupby(["kind", "time"], sort=True)["worth"]
    return grouped.agg(closes="count", worth="sum").reset_index()
