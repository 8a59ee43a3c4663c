"""A server in a process of its own, and a person at its page."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Locator, Page

SOON = 60_000  # ms, generous: the machine may be busy
LOOK = 50  # ms between two looks

_FAKE = """
detector = "fake"
recognizer = "fake"
endpointer = "fake"
chat = "fake"
face = "fake"
cloner = "fake"
threads = 1

[voice]
en = "fake"
zh = "fake"
es = "fake"
"""


class Server:
    """`avatar serve` in a process of its own.

    Args:
        folder: Where it runs and where its log is.
        settings: Lines of avatar.toml.
        fake: Whether its engines need no weights.
    """

    def __init__(self, folder: Path, settings: str, *, fake: bool) -> None:
        self._folder = folder
        (folder / "avatar.toml").write_text(settings + (_FAKE if fake else ""), "utf-8")
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/"

    def start(self) -> None:
        """Start it; the second time on the same port."""
        with (self._folder / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "realtime_avatar", "serve", "--port", str(self.port)],
                cwd=self._folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "http://" in line:
                self.port = int(line.rsplit(":", 1)[1].strip(" /\n"))
                return
        pytest.fail("the server does not start:\n" + (self._folder / "log.txt").read_text())

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it: at once, or with SIGTERM, at the end of the sentence."""
        if self._process is None:
            return
        self._process.send_signal(how)
        with self._process:  # closes the pipe and waits
            pass
        self._process = None


@dataclass(frozen=True)
class Person:
    """Somebody at a page with the element."""

    page: Page

    def run(self, script: str) -> Any:
        """Return what an expression says of the element `avatar`."""
        find = "document.querySelector('realtime-avatar')"
        return self.page.evaluate(f"(avatar => {script})({find})")

    def wait(self, script: str) -> None:
        """Wait until an expression about the element `avatar` is true."""
        # Not by wait_for_function: the page's security policy forbids what that does.
        for _ in range(SOON // LOOK):
            if self.run(script):
                return
            self.page.wait_for_timeout(LOOK)
        pytest.fail(f"this does not become true: {script}")

    def find(self, selector: str) -> Locator:
        return self.page.locator(f"realtime-avatar {selector}")

    def start(self, *, microphone: bool = True) -> None:
        """Begin a call, and wait until the picture moves."""
        name = "Start talking" if microphone else "Type instead"
        self.page.get_by_role("button", name=name).click()
        self.wait("avatar.state === 'live' && avatar.picture?.classList.contains('shown')")

    def type(self, text: str) -> None:
        field = self.page.get_by_role("textbox", name="Message")
        if not field.is_visible():
            self.page.get_by_role("button", name="Type a message").click()
        field.fill(text)
        field.press("Enter")

    def choose(self, name: str) -> None:
        """Choose one of several things in the settings."""
        self.page.get_by_role("button", name="Settings").click()
        self.page.get_by_role("radio", name=name).check()
        self.page.locator("#settings .close-panel").click()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the server's events of a kind so far."""
        found = self.run(f"avatar.got.filter(event => event.type === '{kind}')")
        return cast("list[dict[str, Any]]", found)

    def wait_event(self, kind: str, condition: str = "true") -> dict[str, Any]:
        """Wait for an event `e` of a kind that fulfils a condition; return it."""
        test = f"e => e.type === '{kind}' && ({condition})"
        self.wait(f"avatar.got.some({test})")
        return cast("dict[str, Any]", self.run(f"avatar.got.find({test})"))
