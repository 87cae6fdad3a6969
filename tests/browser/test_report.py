"""report.html in a real browser: quiet, alone, usable without a mouse, on paper of either colour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from sim.report.folder import Run
from sim.report.page import write_page
from tests.browser import chromium
from tests.browser.chromium import Tab
from tests.unit.sim.fixtures.kept_run import keep_run

Steps = Callable[[Tab], Awaitable[None]]
Play = Callable[[Steps], None]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium.binary() is None,
        reason="no Chromium on this machine; install one (apt install chromium) or set DEXSIM_CHROMIUM",
    ),
]
DRAWN = "Number(document.documentElement?.dataset.drawn || 0)"
THEME = "document.documentElement.dataset.theme"
FOCUS = "document.activeElement.textContent.trim()"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(Run(keep_run(tmp_path_factory.mktemp("run"), steps=60)))


@pytest.fixture(scope="module")
def in_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Return a function that plays steps in a tab of its own, all in one browser."""
    with asyncio.Runner() as runner:
        started = chromium.open_browser(tmp_path_factory.mktemp("profile"))
        browser = runner.run(started.__aenter__())

        async def play(steps: Steps) -> None:
            async with browser.tab() as tab:
                await steps(tab)

        try:
            yield lambda steps: runner.run(play(steps))
        finally:
            runner.run(started.__aexit__(None, None, None))


def test_it_draws_every_chart_without_an_error_or_a_request(page: Path, in_browser: Play) -> None:
    async def steps(tab: Tab) -> None:
        await tab.show(page)
        await tab.until(DRAWN)

        assert await tab.value(DRAWN) == 2 * 3 + 2
        assert await tab.value("document.querySelectorAll('.chart.js-off').length") == 0
        assert await tab.value("document.querySelectorAll('.chart .plotly').length") >= 2 * 3 + 2
        assert tab.errors == []
        assert [url for url in tab.requests if not url.startswith(("data:", "blob:"))] == [page.as_uri()]

    in_browser(steps)


def test_a_page_that_wanted_the_network_would_be_noticed(
    page: Path, in_browser: Play, tmp_path: Path
) -> None:
    greedy = tmp_path / "greedy.html"
    greedy.write_text(page.read_text().replace("</main>", '<img src="http://192.0.2.1/x.png"></main>'))

    async def steps(tab: Tab) -> None:
        await tab.show(greedy)
        await tab.until(DRAWN)

        # the page's own policy stops it, and says so
        assert any("Content Security Policy" in error for error in tab.errors)

    in_browser(steps)


def test_it_works_by_keyboard(page: Path, in_browser: Play) -> None:
    async def steps(tab: Tab) -> None:
        await tab.show(page)
        await tab.until(DRAWN)

        await tab.press("Tab")
        assert await tab.value(FOCUS) == "Skip to the verdict"
        await tab.press("Enter")
        assert await tab.value("location.hash") == "#verdict"

        await tab.value("document.querySelector('nav a').focus()")
        stops = []
        for _ in range(await tab.value("document.querySelectorAll('nav a, nav button').length")):
            stops.append(await tab.value(FOCUS))
            await tab.press("Tab")
        assert stops[:2] == ["Verdict", "BTC-PERP"]
        assert stops[-1] in ("Dark", "Light")

        await tab.value("document.getElementById('theme').focus()")
        before = await tab.value(THEME)
        await tab.press(" ")
        assert await tab.until(f"{THEME} !== '{before}' && {THEME}") in ("dark", "light")
        assert tab.errors == []

    in_browser(steps)


def test_it_follows_the_reader_s_colours(page: Path, in_browser: Play) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('#chart-latency').layout.font.color"

    async def steps(tab: Tab) -> None:
        seen = []
        for scheme in ("light", "dark"):
            await tab.call(
                "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
            )
            await tab.show(page)
            await tab.until(DRAWN)
            assert await tab.value(THEME) == scheme
            seen.append((await tab.value(paper), await tab.value(ink)))

        assert seen[0][0] != seen[1][0]
        assert seen[0][1] != seen[1][1]

    in_browser(steps)


@pytest.mark.parametrize("width", [400, 1920])
def test_it_fits_the_window(page: Path, in_browser: Play, width: int) -> None:
    async def steps(tab: Tab) -> None:
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        await tab.show(page)
        await tab.until(DRAWN)

        assert await tab.value("document.documentElement.scrollWidth") <= width

    in_browser(steps)


def test_without_javascript_it_still_says_everything(page: Path, in_browser: Play) -> None:
    async def steps(tab: Tab) -> None:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.show(page)
        text = ""
        for _ in range(100):
            text = await tab.value("document.body?.innerText ?? ''")
            if "I9_transactions_balance" in text and "needs no network" in text:
                break
            await asyncio.sleep(0.05)

        for word in ("Everything held", "I9_transactions_balance", "Where the money is"):
            assert word in text

    in_browser(steps)
