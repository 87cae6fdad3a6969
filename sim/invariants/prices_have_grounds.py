"""No price comes from nowhere, and every market hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.market import LISTED, MarketKind
from system.model.units import NS, PPM
from system.risk.mark import MarkRule

_OLDEST_S = {"pyth": 60, "chainlink": 3_600 * 105 // 100}
_WIDEST_PPM = 10_000
_OPEN = tuple(state.value for state in LISTED)


@invariant("prices_have_grounds")
def check(state: State) -> Found:
    """A source counts only while it is fresh, above zero and sure; a mark stays in its band around the index.

    When everything has drained, every open market's clearing house has heard of the last observation of
    its asset, whether it was good or not.
    Source: Pyth, best practices; data.chain.link (rules ORAC-010 to ORAC-016, MARK-016; CONS-037).
    """
    prices = state.items(keys.PRICES)
    for row in prices:
        for source in row["sources"]:
            if not source["fault"]:
                yield from _of_source(row, source)
    rows = state.items(keys.MARKETS)
    heard = {row["PK"]: row.get("index_ns", 0) for row in rows if row["SK"] == keys.RISK}
    markets = [row for row in rows if row["SK"] == keys.META and row["status"] in _OPEN]
    for row in markets:
        yield from _of_mark(row, state)
        told_ns = row.get("index_state", {}).get("seen_ns", 0)
        if state.final and told_ns and row["PK"] in heard and heard[row["PK"]] != told_ns:
            where = f"{row['symbol']}: the last index that its matcher knows"
            size = abs(told_ns - heard[row["PK"]])
            yield Violation(where, f"of {told_ns} ns", f"of {heard[row['PK']]} ns", size)
    return len(prices) + len(markets)


def _of_source(row: Item, source: Item) -> Iterator[Violation]:
    where = f"{row['asset']} at {row['ts_ns']} ns: {source['source']}"
    age_ns = row["ts_ns"] - source["published_ns"]
    oldest_s = _OLDEST_S.get(source["source"])
    if oldest_s is not None and not 0 <= age_ns <= oldest_s * NS:
        yield Violation(where, f"an age of 0 to {oldest_s} s, as it counts", f"{age_ns // NS} s", abs(age_ns))
    if source["price_e6"] <= 0:
        yield Violation(where, "a price above 0, as it counts", str(source["price_e6"]))
    if source["source"] == "pyth" and source["conf_e6"] * PPM > _WIDEST_PPM * source["price_e6"]:
        yield Violation(where, f"sure to {_WIDEST_PPM} ppm, as it counts", f"{source['conf_e6']} uUSDC")


def _of_mark(row: Item, state: State) -> Iterator[Violation]:
    spec = state.specs[row["symbol"]]
    if spec.kind not in (MarketKind.PERP, MarketKind.FUTURE) or "mark_ns" not in row:
        return
    if spec.mark == MarkRule.LAST_TRADE:
        return  # it follows the trades, wherever these are
    if spec.kind is MarketKind.FUTURE and row["mark_ns"] >= (spec.expiry_s - spec.settle_window_s) * NS:
        return  # the average so far counts in it, wherever the index goes (EXPI-004)
    if row["mark_ns"] != row.get("index_ns"):
        return  # of an earlier index, or none was good since
    index_e6, mark_e6 = row["index_e6"], row["mark_e6"]
    away = abs(mark_e6 - index_e6) - spec.tick_e6
    if away * PPM > spec.mark_band_ppm * index_e6:
        where = f"{row['symbol']}: mark"
        expected = f"within {spec.mark_band_ppm} ppm of the index {index_e6}"
        yield Violation(where, expected, str(mark_e6), away)
