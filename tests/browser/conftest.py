"""A real server with engines that need no weights, and people in a real Chromium."""

import os
import shutil
import wave
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Playwright, expect, sync_playwright

from browser.people import SOON, Person, Server
from realtime_avatar.dialogue.one_shot import bundled

RATE = 48_000  # of the microphone

expect.set_options(timeout=SOON)

_FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(
            "no Chromium is installed; on Debian: apt install chromium;"
            " elsewhere name its program in CHROMIUM"
        )
    return found


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[..., Server]]:
    """Starts servers."""
    servers: list[Server] = []

    def start(settings: str = "", *, fake: bool = True) -> Server:
        server = Server(tmp_path_factory.mktemp("server"), settings, fake=fake)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """One for all tests that leave it as it is."""
    return serve("max_sessions = 8\n")


@pytest.fixture(scope="session")
def speech() -> NDArray[np.int16]:
    """Real speech without a pause, 2 s at 48 kHz."""
    with wave.open(str(bundled("speech") / "jfk.wav")) as file:
        pcm = np.frombuffer(file.readframes(2 * file.getframerate()), np.int16)
        return np.repeat(pcm, RATE // file.getframerate())


_COLLECT = """
document.addEventListener("DOMContentLoaded", () => {
  for (const avatar of document.querySelectorAll("realtime-avatar")) {
    avatar.got = [];
    avatar.addEventListener("message", ({ detail }) => avatar.got.push(detail));
  }
});
"""


@pytest.fixture(scope="module")
def playwright() -> Generator[Playwright]:
    """Of a module, not of the run: while it lives, an event loop runs in this thread."""
    try:
        started = sync_playwright().start()
    except Exception as error:
        pytest.skip(f"Playwright's driver does not start (on Debian: libatomic1): {error}")
    yield started
    started.stop()


@pytest.fixture
def browse(
    playwright: Playwright, chromium: str, tmp_path: Path
) -> Generator[Callable[..., Browser]]:
    """Starts browsers."""
    browsers: list[Browser] = []

    def start(
        microphone: Iterable[NDArray[np.int16]] = (),
        *,
        flags: Iterable[str] = (),
        ask: bool = False,
    ) -> Browser:
        """Start a browser.

        Args:
            microphone: What it hears, 48 kHz, then silence for a minute.
            flags: Of the command line.
            ask: Whether it asks before it lends the microphone; then nobody allows it.
        """
        path = tmp_path / f"microphone{len(browsers)}.wav"
        pcm = np.concatenate([*microphone, np.zeros(60 * RATE, np.int16)])
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(pcm.tobytes())
        lend = () if ask else ("--use-fake-ui-for-media-stream",)
        heard = f"--use-file-for-fake-audio-capture={path}%noloop"
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*_FLAGS, *lend, heard, *flags]
        )
        browsers.append(browser)
        return browser

    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture
def visit(browse: Callable[..., Browser]) -> Generator[Callable[..., Person]]:
    """Opens a page for a new person. What goes wrong in the page's scripts fails the test."""
    faults: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    def visit(
        address: str,
        browser: Browser | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        script: str = "",
        **browsing: Any,
    ) -> Person:
        page = (browser or browse(**browsing)).new_context(**(context or {})).new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", said)
        page.set_default_timeout(SOON)
        page.add_init_script(_COLLECT + script)
        page.goto(address)
        person = Person(page)
        person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
        return person

    yield visit
    # A refused request is in the console, but is no fault of the page.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []
