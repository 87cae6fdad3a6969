"""A finished run as notebooks and the report see it: its record, and its tables as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sim.kernel.history import HistoryReader
from sim.report.record import RecordUnreadable, RunRecord, read_record
from sim.report.tables import FOLDER, HISTORY
from system.model import keys

if TYPE_CHECKING:
    import pandas as pd

SCENARIO = "scenario.yaml"
REPORT = "report.html"
LAKE = "lake.zip"

_TEXT, _INT, _SIDE = "string", "Int64", "category"


class Run:
    """The folder of one run.

    Every table keeps the exchange's integers: `_e6` is 1e-6 USDC per 1.0 base, `_e8` is 1e-8 base,
    amounts without a suffix are uUSDC (1e-6 USDC), `_ns` is UTC nanoseconds but `t_ns`, which counts
    from the scenario's start. Columns that a table does not have are not invented, but for those
    listed under Shape, which are always there.

    Raises:
        RecordUnreadable: the folder holds no run, or a damaged one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.record: RunRecord = read_record(self.folder)

    @property
    def history(self) -> HistoryReader:
        """Return the history. Raises HistoryUnreadable when the file is missing."""
        return HistoryReader(self.folder / HISTORY)

    @property
    def scenario_path(self) -> Path:
        """Return where the resolved scenario is."""
        return self.folder / SCENARIO

    @cached_property
    def start_ns(self) -> int:
        """Return the virtual start in UTC ns."""
        from datetime import datetime

        return int(datetime.fromisoformat(self.record.started).timestamp()) * 1_000_000_000

    def trades(self) -> pd.DataFrame:
        """Every fill.

        Shape: one row per trade, sorted by ts_ns, symbol, trade_no.
            symbol, uuid, maker, taker, maker_order_id, taker_order_id, settlementStatus, tradeType  string
            aggressor_side  category  BUY, SELL
            trade_no, price_e6, qty_e8, notional, maker_fee, taker_fee, latency_ns, ts_ns  Int64
        Source: table Trades.
        """
        names = {
            **dict.fromkeys(("symbol", "uuid", "maker", "taker", "maker_order_id", "taker_order_id"), _TEXT),
            **dict.fromkeys(("settlementStatus", "tradeType"), _TEXT),
            "aggressor_side": _SIDE,
            **dict.fromkeys(("trade_no", "price_e6", "qty_e8", "notional", "maker_fee", "taker_fee"), _INT),
            **dict.fromkeys(("latency_ns", "ts_ns"), _INT),
        }
        return self._load("trades", names, ["ts_ns", "symbol", "trade_no"])

    def orders(self) -> pd.DataFrame:
        """Every order that the door accepted.

        Shape: one row per LIMIT or MARKET order, sorted by accepted_ns, uuid.
            symbol, uuid, trader, account, orderType, tif, status, reason  string
            side  category  BUY, SELL
            qty_e8, limit_price_e6, leaves_e8, cum_qty_e8, cum_notional, fee_paid, hold  Int64
            accepted_ns, updated_ns  Int64
        Source: table Orders.
        """
        names = {
            **dict.fromkeys(("symbol", "uuid", "trader", "account", "orderType", "tif", "status"), _TEXT),
            "reason": _TEXT,
            "side": _SIDE,
            **dict.fromkeys(("qty_e8", "limit_price_e6", "leaves_e8", "cum_qty_e8", "cum_notional"), _INT),
            **dict.fromkeys(("fee_paid", "hold", "accepted_ns", "updated_ns"), _INT),
        }
        rows = self._load("orders", names, ["accepted_ns", "uuid"])
        return rows[rows["orderType"].isin(["LIMIT", "MARKET"])].reset_index(drop=True)

    def positions(self) -> pd.DataFrame:
        """What every trader holds at the end.

        Shape: one row per (trader, symbol), sorted.
            trader, symbol  string
            size_e8, cost, margin, realised, fees, trades  Int64
        Source: table Positions.
        """
        names = {
            **dict.fromkeys(("trader", "symbol"), _TEXT),
            **dict.fromkeys(("size_e8", "cost", "margin", "realised", "fees", "trades"), _INT),
        }
        return self._load("positions", names, ["trader", "symbol"])

    def balances(self) -> pd.DataFrame:
        """What every trader and market account has at the end.

        Shape: one row per (owner, asset), sorted.
            owner, asset  string  owner is TRADER#uuid or MARKET#symbol
            available, reserved  Int64  of traders; USDC in uUSDC, assets in 1e-8
            fees, clearing  Int64  of markets, uUSDC
        Source: table Balances.
        """
        names = {
            "PK": _TEXT,
            "SK": _TEXT,
            **dict.fromkeys(("available", "reserved", "fees", "clearing"), _INT),
        }
        rows = self._load("balances", names, ["PK", "SK"], keep_keys=True)
        rows["SK"] = rows["SK"].str.removeprefix("ASSET#")
        return rows.rename(columns={"PK": "owner", "SK": "asset"})

    def markets(self) -> pd.DataFrame:
        """The terms and last prices of every market.

        Shape: one row per market, sorted by symbol.
            symbol, kind, base, underlying, status  string
            tick_e6, lot_e8, fee_ppm, im_ppm, band_ppm, index_e6, mark_e6  Int64
        Source: table Markets.
        """
        names = {
            **dict.fromkeys(("symbol", "kind", "base", "underlying", "status"), _TEXT),
            **dict.fromkeys(("tick_e6", "lot_e8", "fee_ppm", "im_ppm", "band_ppm"), _INT),
            **dict.fromkeys(("index_e6", "mark_e6"), _INT),
        }
        return self._load("markets", names, ["symbol"])

    def prices(self) -> pd.DataFrame:
        """What the oracle job recorded.

        Shape: one row per asset and observation, sorted by ts_ns.
            asset  string
            price_e6, ts_ns  Int64
        Source: table Prices.
        """
        return self._load("prices", {"asset": _TEXT, "price_e6": _INT, "ts_ns": _INT}, ["ts_ns", "asset"])

    def minutes(self) -> pd.DataFrame:
        """The statistics of every market and minute.

        Shape: one row per (minute, symbol), sorted; gauges and prices beside these.
            symbol, minute  string  minute like 2025-05-03T20:15
            volume, volume_e8, buy_volume, trades, fees, oi_e8  Int64
            latency_buckets  string  JSON of count by bucket, base 1.02 microseconds
        Source: table StatsIntraday.
        """
        return self._stats("stats_intraday", "minute")

    def days(self) -> pd.DataFrame:
        """The statistics of every market and day that was rolled up.

        Shape: one row per (day, symbol), sorted; columns as of `minutes`, with `day`.
        Source: table StatsDaily.
        """
        return self._stats("stats_daily", "day")

    def lifetime(self) -> Mapping[str, int]:
        """Return the all-time row by attribute; `name#SYMBOL` belongs to one market."""
        rows = self._load("stats_lifetime", {}, [])
        if rows.empty:
            return {}
        numbers = rows.drop(columns="latency_buckets", errors="ignore")
        return {str(name): int(value) for name, value in numbers.sum(min_count=1).dropna().items()}

    def settlements(self) -> pd.DataFrame:
        """Batches on their way to the chain, and deposits that came from there.

        Shape: one row per item of the table, sorted by key.
            key  string  BATCH#..., DEPOSIT#..., CHAIN#...
            status  string
        Source: table Settlements.
        """
        rows = self._load("settlements", {"PK": _TEXT, "status": _TEXT}, ["PK"], keep_keys=True)
        return rows.drop(columns="SK").rename(columns={"PK": "key"})

    def depth(self) -> pd.DataFrame:
        """The book as published, every ten seconds.

        Shape: one row per (t_ns, symbol, side, level), sorted.
            t_ns  Int64  since the scenario's start
            symbol  string
            side  category  BUY, SELL
            level  Int64  0 is best
            price_e6, qty_e8  Int64
        Source: depth messages of the market channels; FIX MarketDataEntry (269).
        """
        names = {
            "t_ns": _INT,
            "symbol": _TEXT,
            "side": _SIDE,
            "level": _INT,
            "price_e6": _INT,
            "qty_e8": _INT,
        }
        return self._load("depth", names, ["t_ns", "symbol", "side", "level"])

    def latencies(self) -> pd.DataFrame:
        """How long each hop of each order and fill took.

        Shape: one row per hop and order or fill, in the order of time within a hop.
            hop  category  as in sim.report.measures.HOPS
            latency_ns  Int64  virtual
        Source: the run's history.
        """
        return self._load("latencies", {"hop": _SIDE, "latency_ns": _INT}, [])

    def funding(self) -> pd.DataFrame:
        """Every tick of funding; no rows where no market has any.

        Shape: one row per tick, sorted by symbol, boundary_ns.
            symbol, model  string
            boundary_ns, rate_e12, paid, received, positions  Int64  UTC ns; 1e-12 of the index; uUSDC
        Source: the synthetic trades of table Trades.
        """
        names = {
            **dict.fromkeys(("symbol", "model"), _TEXT),
            **dict.fromkeys(("boundary_ns", "rate_e12", "paid", "received", "positions"), _INT),
        }
        return self._load("funding", names, ["symbol", "boundary_ns"])

    def chain(self) -> pd.DataFrame:
        """What the ledger says each account has, and what the contracts say.

        Shape: one row per (owner, asset), in the order of the ledger; treasury and clearing last.
            owner, asset  string  owner is a wallet address, treasury or clearing
            ledger, chain  Int64  USDC in uUSDC, assets in 1e-8
        Source: tables Balances and Positions, and the Vault.
        """
        return self._load("chain", {"owner": _TEXT, "asset": _TEXT, "ledger": _INT, "chain": _INT}, [])

    def _stats(self, name: str, label: str) -> pd.DataFrame:
        names = {
            **dict.fromkeys(("symbol", "SK"), _TEXT),
            **dict.fromkeys(("volume", "volume_e8", "buy_volume", "trades", "fees", "oi_e8"), _INT),
            "latency_buckets": _TEXT,
        }
        rows = self._load(name, names, ["SK", "symbol"], keep_keys=True)
        wanted = [not str(key).endswith(keys.FINE) for key in rows["PK"]]  # five seconds are no minutes
        return rows.loc[wanted].drop(columns="PK").rename(columns={"SK": label}).reset_index(drop=True)

    def _load(
        self, name: str, names: Mapping[str, str], order: list[str], *, keep_keys: bool = False
    ) -> pd.DataFrame:
        import pandas as pd

        path = self.folder / FOLDER / f"{name}.parquet"
        try:
            rows = pd.read_parquet(path, dtype_backend="numpy_nullable")  # floats would round ns
        except (OSError, ValueError) as error:
            raise RecordUnreadable(path, f"not readable ({error})", "run the scenario again") from None
        for column, kind in names.items():
            dtype = pd.api.types.pandas_dtype(kind)
            missing = pd.Series([pd.NA] * len(rows), dtype=dtype)
            rows[column] = rows[column].astype(dtype) if column in rows else missing
        if not keep_keys:
            rows = rows.drop(columns=[column for column in ("PK", "SK") if column in rows])
        return rows.sort_values(order, kind="stable", ignore_index=True) if order else rows
