"""How fast is it? `make bench`, `python benchmarks/run.py --help` or `python -m benchmarks.run --help`."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # as a script, Python looks for modules in this folder, where nobody should find any
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.command import app  # only now it is found

if __name__ == "__main__":
    app()
