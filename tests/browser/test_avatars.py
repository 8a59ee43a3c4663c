"""Several avatars of one owner, chosen on the page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser.people import Person, Server

pytestmark = pytest.mark.browser


def test_who_is_chosen_answers_as_themselves(
    serve: Callable[..., Server], visit: Callable[..., Person]
) -> None:
    server = serve('avatars = { leo = { name = "Leo" } }\n')
    person = visit(server.address)
    person.page.get_by_role("button", name="Settings").wait_for()
    person.choose("Leo")
    person.start(microphone=False)
    person.type("Are you a human?")
    person.wait_event("finished", "e.heard.includes('Leo')")
    person.page.get_by_role("button", name="Transcript", exact=True).click()
    expect(person.find(".turns .avatar")).to_contain_text("Leo")
