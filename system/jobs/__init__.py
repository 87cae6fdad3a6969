"""What runs by the clock or behind a stream: archive, oracle, roll-up, the market's minute."""
