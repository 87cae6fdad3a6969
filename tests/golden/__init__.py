"""Golden cases: worked examples of others, against the product's own code (`python -m tests.golden FILE`)."""
