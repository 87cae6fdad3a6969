"""Pure values of the exchange: no I/O, no clock, no float."""
