"""Keeping what llama.cpp has read, against a server that saves and restores as it does."""

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from realtime_avatar.thinking.read_prompts import ReadPrompts

KEY = "secret"


class Slots(BaseHTTPRequestHandler):
    folder: Path
    slots: dict[int, bytes]

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        slot, action = int(url.path.rpartition("/")[2]), parse_qs(url.query)["action"][0]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        file, status = self.folder / body["filename"], 200
        if self.headers["Authorization"] != f"Bearer {KEY}":
            status = 401
        elif action == "save":
            file.write_bytes(self.slots[slot])
        elif file.read_bytes().startswith(b"tokens"):
            self.slots[slot] = file.read_bytes()
        else:
            status = 400
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HTTPServer]:
    Slots.folder, Slots.slots = tmp_path, {0: b"tokens of zero"}
    with HTTPServer(("127.0.0.1", 0), Slots) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def prompts(server: HTTPServer, folder: Path | None, version: str = "1", key: str = KEY):
    model = Path(__file__)
    return ReadPrompts(folder, model, version, f"http://127.0.0.1:{server.server_port}", key)


def test_what_was_read_is_there_after_a_new_start(server: HTTPServer, tmp_path: Path) -> None:
    assert not prompts(server, tmp_path).restore(1, "You are Ava.")
    prompts(server, tmp_path).keep(0, "You are Ava.")
    assert prompts(server, tmp_path).restore(1, "You are Ava.")
    assert Slots.slots[1] == b"tokens of zero"
    assert [file.suffix for file in tmp_path.iterdir()] == [".slot"]


def test_other_words_or_another_version_are_read_anew(server: HTTPServer, tmp_path: Path) -> None:
    prompts(server, tmp_path).keep(0, "You are Ava.")
    assert not prompts(server, tmp_path).restore(1, "You are Leo.")
    assert not prompts(server, tmp_path, version="2").restore(1, "You are Ava.")


def test_a_damaged_file_is_as_good_as_none(server: HTTPServer, tmp_path: Path) -> None:
    prompts(server, tmp_path).keep(0, "You are Ava.")
    next(tmp_path.glob("*.slot")).write_bytes(b"")
    assert not prompts(server, tmp_path).restore(1, "You are Ava.")


def test_what_the_server_refuses_leaves_nothing(server: HTTPServer, tmp_path: Path) -> None:
    prompts(server, tmp_path, key="wrong").keep(0, "You are Ava.")
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept(server: HTTPServer) -> None:
    prompts(server, None).keep(0, "You are Ava.")
    assert not prompts(server, None).restore(0, "You are Ava.")


def test_what_was_used_longest_ago_goes_first(server: HTTPServer, tmp_path: Path) -> None:
    for number in range(30):
        prompts(server, tmp_path).keep(0, f"You are number {number}.")
        for file in tmp_path.glob("*.slot"):
            about = file.stat()
            os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns - 1_000_000_000))
    found = prompts(server, tmp_path)
    assert [found.restore(1, f"You are number {number}.") for number in (0, 5, 6, 29)] == [
        False, False, True, True,
    ]  # fmt: skip
