"""The facts of a scenario as the report draws them: each course, and the band in which its peak must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.facts import Course, courses
from sim.report.amounts import measured
from sim.report.folder import Run
from sim.report.measures import instants
from sim.report.plots import AMBER, BLUE, GREEN, RED, finished
from sim.report.record import RunRecord
from sim.scenario.thresholds import MEASURES, parse_threshold

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCALE = {"ppm": 10_000, "uUSDC": 1_000_000, "count": 1}
_TITLE = {"ppm": "%", "uUSDC": "USDC", "count": ""}
_ROOM = 1.15
"""How much higher than all that it shows an axis is."""
_LABEL = 16
"""So many letters of an axis's label have room beside it, in a line."""


class Band(NamedTuple):
    """Where a fact must end; None is open. Units of the measure."""

    low: int | None = None
    high: int | None = None


class Fact(NamedTuple):
    """One fact of a run: its course, its peak, and its band."""

    name: str
    unit: str
    course: Course
    peak: int
    band: Band
    held: bool


def facts_of(run: Run) -> list[Fact]:
    """Return the facts that the run's scenario states limits of, in its order."""
    bands, held = _bands(run.record)
    if not bands:
        return []
    trades = _rows(run.trades(), "symbol", "tradeType", "ts_ns", "notional", "qty_e8")
    minutes = _rows(run.minutes().rename(columns={"minute": "SK"}))
    underlying = {row["symbol"]: row["underlying"] for row in _rows(run.markets(), "symbol", "underlying")}
    found = courses(_rows(run.prices(), "asset", "ts_ns", "price_e6"), trades, minutes, underlying)
    return [
        Fact(
            name,
            MEASURES[name].unit,
            found[name],
            max((v for _, v in found[name]), default=0),
            band,
            held[name],
        )
        for name, band in bands.items()
        if name in found
    ]


def figure(facts: Iterable[Fact]) -> go.Figure:
    """Draw each fact over time, its band shaded, its peak marked and written."""
    import pandas as pd
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    facts = list(facts)
    drawn = make_subplots(rows=len(facts), cols=1, shared_xaxes=True, vertical_spacing=0.12 / len(facts))
    for row, fact in enumerate(facts, start=1):
        scale, values = _SCALE[fact.unit], [value for _, value in fact.course]
        times = instants(pd.Series([at for at, _ in fact.course], dtype="int64"))
        unit = _TITLE[fact.unit]
        line = go.Scatter(
            mode="lines",
            x=times,
            y=[value / scale for value in values],
            line={"width": 2, "color": BLUE, "shape": "hv"},
            name=fact.name,
            hovertemplate=f"{fact.name} %{{y:,.2f}} {unit}<extra></extra>",
        )
        drawn.add_trace(line, row=row, col=1)
        top = max(fact.peak, fact.band.low or 0, fact.band.high or 0) / scale * _ROOM or 1.0
        low, high = (fact.band.low or 0) / scale, top if fact.band.high is None else fact.band.high / scale
        drawn.add_hrect(y0=low, y1=high, fillcolor=GREEN, opacity=0.14, line_width=0, row=row, col=1)
        for edge in (fact.band.low, fact.band.high):
            if edge is not None:
                dashed = {"color": AMBER, "width": 1, "dash": "dash"}
                drawn.add_hline(y=edge / scale, line=dashed, row=row, col=1)
        if values:
            at = values.index(fact.peak)
            peak = go.Scatter(
                mode="markers+text",
                x=times[at : at + 1],
                y=[fact.peak / scale],
                text=[measured(fact.peak, fact.unit)],
                textposition="top center",
                marker={"size": 9, "color": GREEN if fact.held else RED},
                hoverinfo="skip",
            )
            drawn.add_trace(peak, row=row, col=1)
        title = "<br>".join(wrap(fact.name.replace("_", " "), _LABEL)) + (f", {unit}" if unit else "")
        drawn.update_yaxes(title_text=title, range=[0, top * 1.05], row=row, col=1)
    return finished(drawn, height=90 + 150 * len(facts), legend=False)


def _bands(record: RunRecord) -> tuple[dict[str, Band], dict[str, bool]]:
    """Return the band of each measure that has limits, and whether all of its limits held."""
    bands: dict[str, Band] = {}
    held: dict[str, bool] = {}
    for text, result in record.thresholds.items():
        limit = parse_threshold(text)
        if limit.statistic != "value":
            continue
        band = bands.get(limit.measure, Band())
        if limit.comparison in (">", ">=", "=="):
            band = band._replace(low=limit.limit)
        if limit.comparison in ("<", "<=", "=="):
            band = band._replace(high=limit.limit)
        bands[limit.measure] = band
        held[limit.measure] = held.get(limit.measure, True) and result.held
    return bands, held


def _rows(frame: pd.DataFrame, *names: str) -> list[Mapping[str, Any]]:
    """Return a table's rows as the exchange had them; what is missing is not there."""
    import pandas as pd

    rows = (frame[list(names)] if names else frame).to_dict("records")
    return [{str(name): value for name, value in row.items() if value is not pd.NA} for row in rows]
