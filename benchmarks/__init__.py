"""How fast the exchange and its simulation are, as ratios to a yardstick measured in the same run."""
