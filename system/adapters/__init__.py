"""The only code that knows who stands behind a port."""
