"""The world around the system: backends, chains, prices and what provisions them."""
