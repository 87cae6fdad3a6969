"""The command, called as a user would, in this process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from sim.cli.main import app

SCENARIO = """\
scenario: tiny
seed: 3
start: 2025-05-03T12:00:00Z
duration: 25 s
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 60 %/y}
agents:
  - {kind: market_maker, count: 1, funds: 2_000_000 USDC, levels: 2, refresh: 5 s}
  - {kind: noise_taker, count: 3, funds: 200_000 USDC, rate: 0.5 /s}
expect:
  invariants: all
"""


def dexsim(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))
