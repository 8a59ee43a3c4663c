"""A browser and a server that wants keys."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser.people import Person, Server
from realtime_avatar.server.keys import Keys

pytestmark = pytest.mark.browser


def test_the_page_works_once_it_was_opened_with_a_key(
    serve: Callable[..., Server],
    visit: Callable[..., Person],
    browse: Callable[..., Browser],
    tmp_path: Path,
) -> None:
    keys = Keys(tmp_path / "keys.json")
    key, token = keys.create("Ann", ["talk"])
    server = serve(f'require_keys = true\nkeys = "{keys.path}"\n')
    person = visit(f"{server.address}?key={token}")
    assert token not in person.page.url
    person.start(microphone=False)
    person.type("Are you there?")
    person.wait_event("finished", "e.heard === 'You said: Are you there?'")
    assert "ava_" not in person.page.evaluate("document.cookie")
    keys.revoke(key.id)
    stranger = browse().new_page()
    stranger.goto(server.address)
    expect(stranger.get_by_text("An API key is needed")).to_be_visible()
    person.page.reload()
    expect(person.page.get_by_text("not known here")).to_be_visible()
