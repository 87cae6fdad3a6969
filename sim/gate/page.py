"""The gate for people: one HTML file with a plot of each metric that moved. It needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from sim.gate.judge import Baseline, Judgement
from sim.gate.junit import markdown
from sim.gate.play import Played
from sim.gate.suite import Cell

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_PLOTS = 6
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
:root{color-scheme:light dark}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #8884;padding:.3rem .6rem;text-align:left;vertical-align:top}
code,pre{font:13px ui-monospace,monospace}.closed{color:#e5534b}.open{color:#16a37b}
"""


def page(
    name: str, todo: Sequence[Cell], played: Mapping[str, Played], baseline: Baseline, found: Judgement
) -> str:
    """Return the whole page."""
    verdict = "open" if found.passed else "closed"
    rows = "".join(
        f"<tr><td>{escape(f.what)}</td><td><code>{escape(f.where)}</code></td><td>{escape(f.said)}<br>"
        f"<code>{escape(f.reproduce)}</code></td></tr>"
        for f in found.faults
    )
    faults = f"<table><tr><th>what<th>where<th>said, and again by</tr>{rows}</table>" if rows else ""
    plots = ""
    for number, change in enumerate([c for c in found.changes if c.mean][:_MOST_PLOTS]):
        figure = _plot(change.metric, todo, played, baseline)
        plots += f"<h3>{change.metric} {change.mean:+.2%}</h3>"
        plots += figure.to_html(full_html=False, include_plotlyjs=number == 0)
    summary = escape(markdown(name, todo, found))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>gate {escape(name)}</title>"
        f"<style>{_STYLE}</style><h1>Gate {escape(name)}: <span class={verdict}>{verdict}</span></h1>"
        f"{faults}{plots}<h2>Summary</h2><pre>{summary}</pre></html>\n"
    )


def _plot(metric: str, todo: Sequence[Cell], played: Mapping[str, Played], baseline: Baseline) -> go.Figure:
    """Draw a metric of every run, committed and now."""
    import plotly.graph_objects as go

    figure = go.Figure()
    before = [(c.scenario, baseline[c.name].metrics.get(metric)) for c in todo if c.name in baseline]
    if not before:
        wanted = {cell.scenario for cell in todo}
        before = [
            (name.rpartition("-")[0], kept.metrics.get(metric))
            for name, kept in baseline.items()
            if name.rpartition("-")[0] in wanted
        ]
    now = [(c.scenario, played[c.name].metrics.get(metric)) for c in todo]
    for label, points, colour in (("committed", before, "#8b949e"), ("now", now, "#3b82f6")):
        figure.add_trace(
            go.Scatter(
                mode="markers",
                name=label,
                x=[scenario for scenario, _ in points],
                y=[value for _, value in points],
                marker={"size": 9, "color": colour, "opacity": 0.7},
            )
        )
    figure.update_layout(height=380, paper_bgcolor="rgba(0,0,0,0)", margin={"t": 10})
    return figure
