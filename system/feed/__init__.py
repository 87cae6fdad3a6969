"""Step 7 of the walk: news leaves through WebSockets."""
