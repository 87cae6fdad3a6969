"""Virtual time, and AWS played in it from the template."""
