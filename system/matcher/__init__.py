"""The one writer of a market: its book, pure matching, and (commit, handler) what becomes of it."""
