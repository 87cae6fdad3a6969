"""An exchange that `dexsim up` serves, as another process reaches it."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from system.model.errors import ProvisionError

_PATIENCE_S = 30


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the exchange.

    Raises:
        ProvisionError: nobody answers, or it refuses.
    """
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, data=None if body is None else orjson.dumps(body))
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as said:
            found: dict[str, Any] = orjson.loads(said.read())
            return found
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace")
        raise ProvisionError(url, "exchange", "testnet", detail) from None
    except OSError as error:
        problem = f"nobody answers ({error}): start one with `dexsim up --port {port}`"
        raise ProvisionError(url, "exchange", "testnet", problem) from None


def stop(port: int) -> None:
    """Stop the exchange as Ctrl-C would, and wait for its end.

    Raises:
        ProvisionError: nobody answers, or it does not end.
    """
    pid = ask(port, "/testnet/status")["pid"]
    os.kill(pid, signal.SIGINT)
    until = time.monotonic() + _PATIENCE_S
    while _lives(pid):
        if time.monotonic() > until:
            raise ProvisionError(f"process {pid}", "exchange", "testnet", f"still runs after {_PATIENCE_S} s")
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    """Whether it runs; one that has ended and whose parent has not looked yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # no /proc here
        return True
