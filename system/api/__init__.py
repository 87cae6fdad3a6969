"""The public door: HTTP and WebSocket events in, answers out. Steps 2 to 4 of docs/walk.md."""
