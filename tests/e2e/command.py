"""The command as a person or CI starts it: the console script, in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

DEXSIM = Path(sys.executable).with_name("dexsim")
SCENARIO = """\
scenario: brief
about: Eight seconds on one market.
seed: 3
start: 2025-05-03T12:00:00Z
duration: 8 s
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 60 %/y}
agents:
  - {kind: market_maker, funds: 2_000_000 USDC, levels: 2, refresh: 1 s, start_within: 100 ms}
  - {kind: noise_taker, count: 3, funds: 200_000 USDC, rate: 1 /s}
expect:
  thresholds: [fills >= 5]
"""


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def flat(self) -> str:
        """All of it with runs of spaces made one, so that columns do not matter."""
        return re.sub(r"[ \t]+", " ", self.out + self.err)


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"COLUMNS": "200", "NO_COLOR": "1", **more}


def dexsim(*words: object, cwd: Path, **more: str) -> Said:
    """Run `dexsim` to its end; `more` goes into its environment."""
    done = subprocess.run(
        [DEXSIM, *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def write_scenario(folder: Path) -> Path:
    path = folder / "brief.yaml"
    path.write_text(SCENARIO)
    return path
