"""The command `dexsim`: each verb of the harness, with what it prints and how it ends.

Modules of a verb's own are imported when it is called, so that `--help` answers at once.
"""

from sim.cli.main import main

__all__ = ["main"]
