"""Say which rule of docs/rules a test holds: `@rule("MATC-001")` above the test."""

import pytest


def rule(*ids: str) -> pytest.MarkDecorator:
    """Mark a test with the rules it holds; test_house.py compares them with docs/rules."""
    return pytest.mark.rule(*ids)
