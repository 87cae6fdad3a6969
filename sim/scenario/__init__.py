"""Scenario files: what they may say (`schema`), in which units (`units`), read from YAML (`loader`)."""
