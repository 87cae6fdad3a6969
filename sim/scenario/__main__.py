"""`python -m sim.scenario` prints the JSON schema of scenario files, for scenarios/schema.json."""

from __future__ import annotations

import sys

from sim.scenario.schema import json_schema

if __name__ == "__main__":
    sys.stdout.write(json_schema())
