"""A headless Chromium that a test drives through its DevTools protocol, and that can only see files."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
_START_S = 60
_KEYS = {"Tab": 9, "Enter": 13, " ": 32}


def binary() -> str | None:
    """Return where a Chromium is; the environment variable DEXSIM_CHROMIUM overrules the path."""
    return os.environ.get("DEXSIM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page. `errors` are exceptions and console errors, `requests` every address it asked for."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.session = ""
        self.target = ""
        self.errors: list[str] = []
        self.requests: list[str] = []

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take one event of this page."""
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(str([each.get("value") for each in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser about this page."""
        return await self._browser.call(method, params, self.session)

    async def show(self, path: Path) -> None:
        """Open a file."""
        await self.call("Page.navigate", url=path.as_uri())

    async def value(self, script: str) -> Any:
        """Return what an expression gives; promises are waited for."""
        said = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression is true, and return it."""
        deadline = asyncio.get_running_loop().time() + _START_S
        while not (value := await self.value(script)):
            assert asyncio.get_running_loop().time() < deadline, f"never true: {script}; errors {self.errors}"
            await asyncio.sleep(0.05)
        return value

    async def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "windowsVirtualKeyCode": _KEYS[key]}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}

    async def listen(self) -> None:
        """Hand out answers and events until the browser ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif (tab := self._tabs.get(said.get("sessionId", ""))) is not None:
                tab.hear(said["method"], said["params"])

    async def call(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Send one command and return its result."""
        self._number += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            asked["sessionId"] = session
        await self._socket.send_json(asked)
        said = await asyncio.wait_for(answer, _START_S)
        assert "error" not in said, f"{method}: {said['error']}"
        result: dict[str, Any] = said["result"]
        return result

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Open a tab in a fresh context; it closes with the block."""
        context = (await self.call("Target.createBrowserContext", {}))["browserContextId"]
        asked = {"url": "about:blank", "browserContextId": context}
        target = (await self.call("Target.createTarget", asked))["targetId"]
        attached = await self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = Tab(self)
        tab.session, tab.target = attached["sessionId"], target
        self._tabs[tab.session] = tab
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        try:
            yield tab
        finally:
            await self.call("Target.disposeBrowserContext", {"browserContextId": context})


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[Browser]:
    """Start a browser with a fresh profile; it ends with the block."""
    name = binary()
    assert name is not None
    process = await asyncio.create_subprocess_exec(
        name,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        address = await asyncio.wait_for(_address(process), _START_S)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            browser = Browser(socket)
            listening = asyncio.create_task(browser.listen())
            yield browser
            listening.cancel()
    finally:
        # the group is this browser's alone: it was started with a session of its own
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if found := _LISTENING.search(line):
            return found.group(1).decode()
    raise AssertionError("the browser ended before it listened")
