"""Settlement: trades go in batches to the chain and are followed until they are final (steps 9 and 10)."""
