"""What the page does when the network or the server is not as it should be."""

import signal
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from browser.people import Person, Server

pytestmark = pytest.mark.browser

Visit = Callable[..., Person]
SILENCE = np.zeros(48_000, np.int16)  # a second
NO_UDP = ("--webrtc-ip-handling-policy=disable_non_proxied_udp",)


def test_where_udp_is_blocked_a_socket_stands_in(
    server: Server, visit: Visit, speech: NDArray[np.int16]
) -> None:
    person = visit(server.address, microphone=[SILENCE, SILENCE, SILENCE, speech] * 8, flags=NO_UDP)
    person.start()
    assert person.run("avatar.dataset.transport") == "socket"
    assert person.run("avatar.picture.tagName") == "CANVAS"
    heard = person.wait_event("heard", "e.final && e.text")
    assert heard["text"] == "hello there"
    assert person.wait_event("finished")["heard"] == "You said: hello there"
    # Pictures keep coming, each on the clock of the sound.
    person.page.keyboard.press("l")
    expect(person.find(".latency dl")).to_contain_text("WebSocket")
    person.type("Can you hear me?")
    person.wait_event("finished", "e.heard === 'You said: Can you hear me?'")


def test_the_check_says_in_words_that_udp_is_blocked(server: Server, visit: Visit) -> None:
    person = visit(server.address, flags=NO_UDP)
    findings = check(person)
    assert findings["Address"] == "good"
    assert findings["Microphone"] == "good"
    assert findings["Server"] == "good"
    assert findings["WebRTC (UDP)"] == "fair"
    assert findings["TURN server"] == "fair"
    assert findings["WebSocket"] == "good"
    expect(person.find(".findings")).to_contain_text("Blocked between here and the server")


def test_the_check_finds_nothing_wrong_where_nothing_is(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    assert set(check(person).values()) == {"good"}


def test_the_check_names_a_refused_microphone(server: Server, visit: Visit) -> None:
    person = visit(server.address, ask=True)
    assert check(person)["Microphone"] == "bad"
    expect(person.find(".findings")).to_contain_text("The browser may not use the microphone")


def test_an_insecure_address_is_told(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    # Chromium counts every address of this machine as secure.
    person.run("Object.defineProperty(globalThis, 'isSecureContext', { value: false })")
    assert check(person)["Address"] == "bad"
    expect(person.find(".findings")).to_contain_text("browsers lend the microphone only to https")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_server_that_restarts_in_mid_call_is_found_again(
    serve: Callable[..., Server], visit: Visit, how: signal.Signals
) -> None:
    server = serve("max_sessions = 2\n")
    person = visit(server.address)
    person.start(microphone=False)
    person.type("Remember me")
    person.wait_event("finished")
    server.stop(how)
    expect(person.page.get_by_role("alert")).to_contain_text("Reconnecting")
    expect(person.find(".hint")).to_have_text("One moment…")
    offers: list[str] = []
    person.page.on("request", lambda request: offers.append(request.post_data or ""))
    server.start()
    expect(person.page.get_by_role("alert")).to_contain_text("Connected again")
    # The new session knows what was said in the old one, and so does the page.
    history = '"history":[{"role":"user","text":"Remember me"},{"role":"assistant"'
    assert any(history in offer for offer in offers)
    person.type("Are you there?")
    person.wait_event("finished", "e.heard === 'You said: Are you there?' && e.kept")
    assert len({event["id"] for event in person.events("conversation")}) == 1
    expect(person.find(".turns .you")).to_have_text(["YouRemember me", "YouAre you there?"])


def check(person: Person) -> dict[str, str]:
    """Press the button; return the verdicts by what was looked at."""
    person.page.get_by_role("button", name="Settings").click()
    person.page.get_by_role("button", name="Check connection").click()
    expect(person.page.get_by_role("button", name="Check again")).to_be_visible()
    found = person.find(".findings li").evaluate_all(
        "items => items.map(item => [item.querySelector('strong').textContent, item.className])"
    )
    return {what.rstrip(":"): verdict for what, verdict in found}
