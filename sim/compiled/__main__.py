"""`python -m sim.compiled`: compile the hot modules again, unless nothing has changed."""

from __future__ import annotations

import os

os.environ["DEXSIM_COMPILED"] = "0"

from sim.compiled.build import main

main()
