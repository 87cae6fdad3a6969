"""What the clearing houses of a run did: funding, positions closed by force, funds, settlement prices."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sim.report.folder import Run


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
        forced = trades[(trades["symbol"] == symbol) & (trades["tradeType"].isin(["LIQUIDATION", "ADL"]))]
        row = {
            "symbol": symbol,
            "liquidations": int((forced["tradeType"] == "LIQUIDATION").sum()),
            "deleveraged": int((forced["tradeType"] == "ADL").sum()),
            "closed": int(forced["notional"].astype("int64").sum()),
            **{
                name: int(account.get(name, pd.Series(dtype=int)).sum()) for name in ("insurance", "bad_debt")
            },
            "settled": int(market["settle_e6"]) if pd.notna(market.get("settle_e6")) else 0,
        }
        if any(value for name, value in row.items() if name != "symbol"):
            found.append(row)
    return found
