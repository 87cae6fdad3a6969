"""A replayer of recorded order flow: sends what a file says, at its times, relative to today's price.

The file is CSV with columns `at_s` (seconds since the start), `side` (BUY or SELL), `worth` (USDC),
`away_bps` (how far beyond the fair price it goes; negative rests on its own side) and `tif` (IOC or GTC).
So a recorded day meets another book: prices are kept as distances, and the members of the group take turns.
"""

from __future__ import annotations

import csv
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, cast

from pydantic import model_validator

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import affords
from sim.scenario.part import Misfit
from sim.scenario.units import SECOND_NS
from system.model.order import BUY, SELL, Side, TimeInForce
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk


class Recorded(NamedTuple):
    """One order of the file. Units: ns since the start, uUSDC, ppm of the fair price."""

    at_ns: int
    side: Side
    worth: int
    away_ppm: int
    tif: TimeInForce


class FlowReplay(Agent):
    """Sends a recorded flow of orders again."""

    kind: Literal["flow_replay"]
    file: str
    """The CSV file, from where the command is given."""

    def live(self, desk: Desk) -> Life:
        symbols, began_ns = self.trades(desk), desk.now_ns
        yield from begin(desk, symbols, SECOND_NS)
        member = int(desk.name.rpartition("-")[2])
        for number, order in enumerate(read_flow(self.file)):
            if number % self.count != member:
                continue
            yield desk.sleep(max(order.at_ns - (desk.now_ns - began_ns), 0))
            for symbol in symbols:
                self._send(desk, symbol, order)

    def _send(self, desk: Desk, symbol: str, order: Recorded) -> None:
        view = desk.market(symbol)
        fair_e6 = view.reference_e6
        if fair_e6 is None:
            return
        away_ppm = order.away_ppm if order.side == BUY else -order.away_ppm
        price_e6 = fair_e6 * (PPM + away_ppm) // PPM
        price_e6 = view.tick_down(price_e6) if order.side == BUY else view.tick_up(price_e6)
        qty_e8 = view.lots_for(order.worth, fair_e6)
        if qty_e8 and affords(desk, view, order.side, qty_e8, price_e6):
            (desk.buy if order.side == BUY else desk.sell)(symbol, qty_e8, price_e6, tif=order.tif)

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            read_flow(self.file)
        except (OSError, ValueError, KeyError, InvalidOperation) as error:
            remedy = "give a CSV file with columns at_s, side, worth, away_bps and tif, in order of time"
            raise Misfit(("file",), f"expected recorded orders in `{self.file}`: {error}", remedy) from None
        return self


@lru_cache(maxsize=8)
def read_flow(file: str) -> tuple[Recorded, ...]:
    """Read a file once a process. Raises ValueError, KeyError or OSError when it is not one of orders."""
    with Path(file).open(encoding="utf-8", newline="") as opened:
        flow = tuple(
            Recorded(
                int(Decimal(row["at_s"]) * SECOND_NS),
                cast("Side", _word(row["side"], (BUY, SELL))),
                int(Decimal(row["worth"]) * 10**6),
                int(Decimal(row["away_bps"]) * 100),
                cast("TimeInForce", _word(row["tif"], ("IOC", "GTC"))),
            )
            for row in csv.DictReader(opened)
        )
    if list(flow) != sorted(flow, key=lambda order: order.at_ns):
        raise ValueError("its times do not rise")
    return flow


def _word(said: str, known: tuple[str, ...]) -> str:
    if said not in known:
        raise ValueError(f"expected {' or '.join(known)}, was `{said}`")
    return said
