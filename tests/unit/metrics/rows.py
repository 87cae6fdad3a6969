"""Statistics rows as the table would hold them: actions applied to plain dicts."""

from __future__ import annotations

from system.metrics.buckets import MinuteBucket
from system.model.keys import Item, Key
from system.model.trade import Trade
from system.model.units import NS

START_NS = 1_746_303_300 * NS  # 2025-05-03T20:15:00Z
Table = dict[tuple[str, Key], Item]


def trade(
    number: int, price_e6: int, qty_e8: int, ts_ns: int, side: str = "BUY", latency_ns: int = 5_000_000
) -> Trade:
    notional = price_e6 * qty_e8 // 10**8
    return Trade(
        symbol="BTC-PERP",
        uuid=str(number),
        seq=number,
        trade_no=number,
        trade_type="TRADE",
        price_e6=price_e6,
        qty_e8=qty_e8,
        notional=notional,
        aggressor_side=side,
        maker_order_id="",
        taker_order_id="",
        maker="ann",
        taker="bob",
        maker_fee=notional // 200,
        taker_fee=notional // 200,
        latency_ns=latency_ns,
        ts_ns=ts_ns,
    )


def commit(table: Table, bucket: MinuteBucket) -> None:
    """Do what the store does with the bucket's updates, then tell the bucket."""
    for update in bucket.actions():
        row = table.setdefault((update.table, update.key), {"PK": update.key.pk, "SK": update.key.sk})
        row.update(update.put)
        for name, value in update.add.items():
            row[name] = row.get(name, 0) + value
    bucket.committed()


def minutes(table: Table) -> list[Item]:
    """Return the minute rows in the order of time."""
    rows = [row for (name, _), row in table.items() if name == "StatsIntraday"]
    return sorted(rows, key=lambda row: str(row["SK"]))
