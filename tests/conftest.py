"""What every test stands on: no real AWS, repeatable examples, golden files, backends that answer."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests see the sources, as coverage and patches need; tests/simulation/test_compiled.py compares.
os.environ.setdefault("DEXSIM_COMPILED", "0")

GOLDEN = Path(__file__).parent / "golden"

# Examples are the same on every machine; `make test-deep` looks further and differently each time.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "deep", max_examples=3_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("DEXSIM_EXAMPLES", "quick"))

# A test reaches an account only when it was asked to.
if os.environ.get("DEXSIM_TEST_AWS") != "1":
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden-write", action="store_true", help="rewrite golden files instead of comparing")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("localstack"):
        endpoint = os.environ.get("DEXSIM_ENDPOINT")
        if not endpoint:
            pytest.skip("no AWS endpoint: start one (docker compose up -d) and set DEXSIM_ENDPOINT")
        if problem := unreachable(endpoint):
            pytest.fail(f"DEXSIM_ENDPOINT={endpoint} does not answer: {problem}", pytrace=False)
    if item.get_closest_marker("aws") and os.environ.get("DEXSIM_TEST_AWS") != "1":
        pytest.skip("no sandbox account: set DEXSIM_TEST_AWS=1 and credentials")


def unreachable(endpoint: str) -> str | None:
    """Why nobody answers there; any HTTP answer at all will do."""
    try:
        urllib.request.urlopen(endpoint, timeout=3).close()
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        return str(error)
    return None


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/<name>; `make golden` rewrites the file instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden-write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"tests/golden/{name} is not there yet: run `make golden` and read the diff"
        assert text == path.read_text(encoding="utf-8"), (
            f"tests/golden/{name} differs; if meant: `make golden`"
        )

    return compare
