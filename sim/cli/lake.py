"""`dexsim lake`: SQL over the cold history."""

from __future__ import annotations

import orjson
import typer

from sim.stack.lake import ask


def lake_command(sql: str, source: str, *, as_json: bool) -> None:
    """Print what a query finds: a table, or a JSON object a row."""
    found = ask(source, sql)
    if as_json:
        for row in found.rows:
            typer.echo(orjson.dumps(dict(zip(found.columns, row, strict=True)), default=str).decode())
        return
    cells = [found.columns, *([str(value) for value in row] for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
