"""The rulebook of money: what an order must pay before, what a fill does to a position. Pure."""
