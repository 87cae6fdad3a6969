"""The exchange that ships: rooms named by the business over a shared model and ports."""
