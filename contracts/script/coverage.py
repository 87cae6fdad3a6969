"""Asks forge how many lines of src its tests run, and fails below 95 %: python script/coverage.py

Takes minutes: without the optimizer the contracts are too deep for the stack, so all is compiled through the
IR. Lines of assembly count as not run, whatever ran them, because the IR has no places for them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parents[1]
FORGE = next(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"), Path("forge"))
LEAST = 95.0


def main() -> int:
    """Print forge's table, and compare its total."""
    command = [FORGE, "coverage", "--ir-minimum", "--report", "summary", "--no-match-coverage", "test|script"]
    run = subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, check=False)
    rows = [line for line in run.stdout.splitlines() if line.startswith(("| File", "| src"))]
    print(*rows, sep="\n")
    counts = [match for row in rows[1:] if (match := re.search(r"\((\d+)/(\d+)\)", row))]
    if run.returncode or not counts:
        print(run.stdout[-2000:], run.stderr[-2000:])
        return 1
    covered = 100 * sum(int(match[1]) for match in counts) / sum(int(match[2]) for match in counts)
    print(f"lines of src that tests run: {covered:.1f} %")
    if covered < LEAST:
        print(f"expected at least {LEAST} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
