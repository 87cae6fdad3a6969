"""What proves the exchange. A package so that `python -m tests.golden` finds this one and no other."""
