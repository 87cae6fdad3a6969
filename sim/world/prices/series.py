"""Prices that were recorded: a CSV or Parquet file of real data.

The file has two columns, `time` (ISO 8601 with its zone, or whole seconds or milliseconds since 1970) and
`price` (`close` is understood, too). Its first row is the scenario's start; each price holds until the next.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from sim.scenario.part import Misfit
from sim.scenario.units import SECOND_NS
from sim.world.prices.process import PriceProcess

E6 = 10**6
_MS_SINCE = 10**11
"""A whole number this large is milliseconds since 1970; as seconds it would be the year 5138."""


class Rows(NamedTuple):
    """A file's content: ns since its first row, and the price from then on."""

    after_ns: tuple[int, ...]
    prices_e6: tuple[int, ...]


class Series(PriceProcess):
    """Real prices from a file; nothing is drawn."""

    process: Literal["series"]
    file: str
    """A `.csv` or `.parquet` file, from where the command is given."""

    @property
    def first_price_e6(self) -> int:
        return read_rows(self.file).prices_e6[0]

    def path(self, start_ns: int, dice: Random, normals: Iterator[float] | None = None) -> SeriesPath:
        del dice, normals
        return SeriesPath(read_rows(self.file), start_ns)

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            read_rows(self.file)
        except (OSError, ValueError, KeyError, InvalidOperation) as error:
            remedy = "give a CSV or Parquet file with columns `time` and `price`, in order of time"
            raise Misfit(
                ("file",), f"expected rows of time and price in `{self.file}`: {error}", remedy
            ) from None
        return self


class SeriesPath:
    """Finds the row in force."""

    __slots__ = ("_rows", "_start_ns")

    def __init__(self, rows: Rows, start_ns: int) -> None:
        self._rows = rows
        self._start_ns = start_ns

    def at(self, now_ns: int) -> int:
        row = bisect_right(self._rows.after_ns, now_ns - self._start_ns) - 1
        return self._rows.prices_e6[max(row, 0)]


@lru_cache(maxsize=8)
def read_rows(file: str) -> Rows:
    """Read a file once a process. Raises ValueError, KeyError or OSError when it is not one of prices."""
    rows = _parquet(file) if Path(file).suffix == ".parquet" else _csv(file)
    if not rows:
        raise ValueError("it has no rows")
    name = "price" if "price" in rows[0] else "close"
    times = [_instant_ns(row["time"]) for row in rows]
    prices = [round(Decimal(str(row[name])) * E6) for row in rows]
    if any(later <= sooner for sooner, later in pairwise(times)):
        raise ValueError("its times do not rise")
    if min(prices) <= 0:
        raise ValueError("a price is not above 0")
    return Rows(tuple(time_ns - times[0] for time_ns in times), tuple(prices))


def _csv(file: str) -> list[dict[str, Any]]:
    with Path(file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def _parquet(file: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def _instant_ns(said: object) -> int:
    """Read one time. Raises ValueError."""
    if isinstance(said, datetime):
        return round(said.timestamp() * 1_000) * 10**6
    text = str(said)
    if text.isdigit():
        number = int(text)
        return number * 10**6 if number >= _MS_SINCE else number * SECOND_NS
    return _instant_ns(datetime.fromisoformat(text))
