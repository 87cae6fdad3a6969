"""report.html: one file that says what a run did and how it was judged, and needs no network.

The page denies itself every connection (Content-Security-Policy), so what it shows is what is in it.
Plotly's script is in it once, compressed; a browser unpacks it in a tenth of a second.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from sim.report import measures, plots, realism
from sim.report.amounts import USDC, counted, milliseconds, span, usdc
from sim.report.clearing import clearing_house
from sim.report.clearing_plots import clearing
from sim.report.facts import facts_of, figure
from sim.report.folder import REPORT, Run
from sim.report.hops import HOPS
from sim.report.record import RunRecord

_TEMPLATE = "page.html.j2"
_MOST_POSITIONS = 12

VERDICTS = {
    "held": "Everything held",
    "broken": "An invariant is broken",
    "unknown": "An invariant could not be judged",
}
EXITS = {3: "Something was still on its way", 4: "A threshold was missed"}


class Chart(NamedTuple):
    """One figure of the page: its place, what it shows in words, and its data as JSON."""

    id: str
    about: str
    json: str


def write_page(run: Run) -> Path:
    """Write report.html into the run's folder and return its path.

    Raises:
        RecordUnreadable: the run kept no tables.
    """
    path = run.folder / REPORT
    path.write_text(render(run), encoding="utf-8")
    return path


def render(run: Run) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sim.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"usdc": usdc, "count": count, "ms": milliseconds, "words": _words, "span": span}
    record = run.record
    return environment.get_template(_TEMPLATE).render(
        record=record,
        counted=counted,
        headline=headline(record),
        mood="held" if record.exit_code == 0 else ("unknown" if record.verdict == "unknown" else "broken"),
        tiles=_tiles(record),
        symbols=_symbols(run),
        charts={chart.id: chart for chart in _charts(run)},
        hops=HOPS,
        books={symbol: _ladder(run, symbol) for symbol in _symbols(run)},
        markets={row["symbol"]: row for row in run.markets().to_dict("records")},
        realism=realism.of_run(run),
        fewest_minutes=realism.FEWEST_MINUTES,
        money=measures.where_money_is(run),
        house=clearing_house(run),
        positions=_positions(run),
        chain=_chain(run),
        scenario=_text(run.scenario_path),
        most_marks=plots.MOST_MARKS,
        plotly=plotly_script(),
    )


def headline(record: RunRecord) -> str:
    """Return the verdict in words."""
    if record.exit_code in EXITS:
        return EXITS[record.exit_code]
    not_held = [name for name, outcome in record.invariants.items() if outcome == record.verdict]
    if record.verdict != "held" and len(not_held) > 1:
        return f"{len(not_held)} invariants " + (
            "are broken" if record.verdict == "broken" else "could not be judged"
        )
    return VERDICTS[record.verdict]


def plotly_script() -> str:
    """Return Plotly's script, gzipped, in base64."""
    script = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode()


def count(value: int) -> str:
    """Return a number with separators."""
    return f"{value:,}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _symbols(run: Run) -> list[str]:
    return [str(symbol) for symbol in run.markets()["symbol"]]


def _tiles(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return the figures at the top: label, number, unit."""
    counts = record.counts
    tiles: list[tuple[str, str, str]] = [
        (name, count(counts[name]), "") for name in ("orders", "fills") if name in counts
    ]
    tiles += [
        (f"{name}, USDC", f"{counts[name] // USDC:,}", "") for name in ("volume", "fees") if name in counts
    ]
    if "order_to_fill" in record.latency_ms:
        tiles.append(("order to fill, p95", milliseconds(record.latency_ms["order_to_fill"].p95), "ms"))
    if on_chain := counts.get("fills", 0) - counts.get("trades_in_ledger", 0):
        # rounded down, so that 100 % means all
        share = counts.get("trades_settled", 0) * 1_000 // on_chain
        tiles.append(("settled on chain", f"{share // 10}" + (f".{share % 10}" if share % 10 else ""), "%"))
    return tiles


def _charts(run: Run) -> Iterable[Chart]:
    if facts := facts_of(run):
        yield Chart(
            "chart-facts",
            "Each fact that the scenario states, over time, with the band in which its peak must be",
            _json(figure(facts)),
        )
    for symbol in _symbols(run):
        key = symbol.lower()
        yield Chart(
            f"chart-price-{key}",
            f"Mid, trades and oracle price of {symbol} over time",
            _json(plots.price(run, symbol)),
        )
        yield Chart(
            f"chart-depth-{key}",
            f"Resting orders of {symbol} by price over time",
            _json(plots.depth(run, symbol)),
        )
        yield Chart(f"chart-book-{key}", f"The last book of {symbol}", _json(plots.last_book(run, symbol)))
    if (cleared := clearing(run)) is not None:
        yield Chart(
            "chart-clearing",
            "Funding rates and payments, insurance funds, bad debt, and forced closes over time",
            _json(cleared),
        )
    yield Chart("chart-latency", "Histogram of latency for each hop", _json(plots.latency(run)))
    yield Chart(
        "chart-settlement",
        "Trades committed, submitted and confirmed over time",
        _json(plots.settlement(run)),
    )


def _json(figure: Any) -> str:
    """Return a figure as JSON that may stand inside a script element."""
    text: str = figure.to_json()
    return text.replace("</", "<\\/")


def _ladder(run: Run, symbol: str) -> list[dict[str, Any]]:
    """Return the last book as lines of a ladder: a bid and an ask on each."""
    book = measures.last_book(run, symbol)
    sides = {
        side: [f"{row['price']:,.2f}|{row['size']:,.4f}" for row in rows.to_dict("records")]
        for side, rows in book.groupby("side")
    }
    bids, asks = sides.get("BUY", []), sides.get("SELL", [])
    lines = []
    for level in range(max(len(bids), len(asks))):
        bid = (bids[level] if level < len(bids) else "|").split("|")
        ask = (asks[level] if level < len(asks) else "|").split("|")
        lines.append({"level": level, "bid": bid[0], "bid_size": bid[1], "ask": ask[0], "ask_size": ask[1]})
    return lines


def _positions(run: Run) -> dict[str, Any]:
    """Return the largest positions in perps, and how many there are."""
    rows = run.positions()
    perps = set(run.markets().loc[lambda markets: markets["kind"] == "PERP", "symbol"])
    held = rows[rows["symbol"].isin(perps)]
    held = held.assign(worth=held["cost"].abs()).sort_values(["worth", "trader"], ascending=[False, True])
    return {"rows": held.head(_MOST_POSITIONS).to_dict("records"), "count": len(held)}


def _chain(run: Run) -> dict[str, Any]:
    """Return the comparison of ledger and chain: sums by asset and the accounts that differ."""
    rows = run.chain()
    sums = rows.groupby("asset", sort=True)[["ledger", "chain"]].sum().reset_index()
    differing = rows[rows["ledger"] != rows["chain"]]
    own = rows[rows["owner"].isin(["treasury", "clearing"])]
    return {
        "accounts": len(rows),
        "sums": sums.to_dict("records"),
        "own": own.to_dict("records"),
        "differing": differing.to_dict("records"),
    }
