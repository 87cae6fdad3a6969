"""`dexsim status`, `fund` and `down`: what is asked of an exchange that `dexsim up` serves."""

from __future__ import annotations

import orjson
import typer

from sim.cli.exits import out
from sim.world.testnet.caller import ask, stop


def status_command(port: int, *, as_json: bool) -> None:
    """Print how the exchange is."""
    said = ask(port, "/testnet/status")
    if as_json:
        typer.echo(orjson.dumps(said).decode())
        return
    for name, value in said.items():
        shown = ", ".join(map(str, value)) or "nothing" if isinstance(value, list) else value
        out.print(f"  {name:<11}{shown}", markup=False, highlight=False)


def fund_command(name: str, usdc: int, port: int) -> None:
    """Print a wallet whose money is on its way through the Vault."""
    said = ask(port, "/testnet/purses", {"name": name, "usdc": usdc})
    for what, value in said.items():
        out.print(f"  {what:<13}{value}", markup=False, highlight=False, soft_wrap=True)


def down_command(port: int) -> None:
    """Stop the exchange as Ctrl-C would, and wait for its end."""
    stop(port)
    out.print("stopped")
