"""The release gate: many scenarios by many seeds, against what was committed. docs/release-gate.md."""
