"""Hot modules as machine code: the same source through mypyc, and never another one.

`make compiled` writes `build/compiled/`. Whoever imports `sim` then runs those copies, as long as
every source they were made from still says what it said; one changed byte, and Python runs the
sources again. Decision: docs/decisions/0025-compiled-copies.md.
"""

from sim.compiled.finder import engage, state

__all__ = ["engage", "state"]
