"""The only ways out of the system: what the rooms need from the world, as Protocols."""
