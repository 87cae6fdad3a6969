"""The harness: what moves the exchange in virtual time and watches it."""
