"""`dexsim lake`: SQL over the cold history."""

from __future__ import annotations

import orjson
import typer
from rich.table import Table

from sim.cli.exits import escape, out
from sim.stack.lake import ask


def lake_command(sql: str, source: str, *, as_json: bool) -> None:
    """Print what a query finds: a table, or a JSON object a row."""
    found = ask(source, sql)
    if as_json:
        for row in found.rows:
            typer.echo(orjson.dumps(dict(zip(found.columns, row, strict=True)), default=str).decode())
        return
    table = Table(*found.columns, box=None, pad_edge=False, header_style="bold")
    for row in found.rows:
        table.add_row(*(escape(str(value)) for value in row))
    out.print(table)
