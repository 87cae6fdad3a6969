"""Adapters that keep everything in this process: the default backend of simulations."""
