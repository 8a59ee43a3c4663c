"""Conversations over WebRTC, as a person sees and hears them."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Route, expect

from browser.people import LOOK, Person, Server

pytestmark = pytest.mark.browser

Visit = Callable[..., Person]
SILENCE = np.zeros(48_000, np.int16)  # a second
STORY = "once " * 300  # half a minute of the fake voice

ENERGY = """new Promise(async resolve => {
  for (const report of (await avatar.connection.getStats()).values())
    if (report.type === "inbound-rtp" && report.kind === "audio") resolve(report.totalAudioEnergy);
})"""


def test_a_whole_spoken_turn(server: Server, visit: Visit, speech: NDArray[np.int16]) -> None:
    person = visit(server.address, microphone=[SILENCE, speech])
    person.start()
    assert person.run("avatar.dataset.transport") == "webrtc"
    person.wait_event("heard", "!e.final && e.text")
    person.wait_event("heard", "e.final && e.text")
    finished = person.wait_event("finished")
    assert finished["heard"] == "You said: hello there"
    assert not finished["interrupted"]
    assert person.run(ENERGY) > 0
    expect(person.find(".captions .line.you")).to_contain_text("hello there")
    expect(person.find(".captions .line.avatar")).to_contain_text("You said: hello there")
    stages = person.wait_event("timings")["stages"]
    assert 0 < stages["end_of_turn"] < stages["playout"]


def test_the_picture_moves_in_the_box_of_the_portrait(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    still = person.find(".portrait").bounding_box()
    person.start()
    assert person.find("video").bounding_box() == still
    at = person.run("avatar.picture.currentTime")
    person.wait(f"avatar.picture.currentTime > {at} + 0.5")
    assert person.run("avatar.picture.videoWidth") == 512


def test_a_typed_turn_needs_no_microphone(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    person.type("Is it raining?")
    assert person.wait_event("finished")["heard"] == "You said: Is it raining?"
    expect(person.find(".captions .line")).to_have_text(
        ["You: Is it raining?", "Ava: You said: Is it raining?"]
    )


def test_speaking_over_the_avatar_interrupts_it(
    server: Server, visit: Visit, speech: NDArray[np.int16]
) -> None:
    person = visit(server.address, microphone=[SILENCE] * 12 + [speech])
    person.start()
    person.type(STORY)
    cut = person.wait_event("finished", "e.interrupted")
    assert cut["heard"]
    assert cut["unheard"]
    struck = person.find(".turns del")
    expect(struck).to_have_text(cut["unheard"])
    assert "line-through" in struck.evaluate("e => getComputedStyle(e).textDecorationLine")
    person.wait_event("heard", "e.final && e.text === 'hello there'")


@pytest.mark.parametrize("means", ["key", "button"])
def test_escape_and_a_button_silence_the_avatar(server: Server, visit: Visit, means: str) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    stop = person.page.get_by_role("button", name="Stop the avatar")
    expect(stop).to_be_disabled()
    person.type(STORY)
    person.wait_event("words")
    if means == "key":
        person.page.keyboard.press("Escape")
    else:
        stop.click()
    assert person.wait_event("finished")["interrupted"]
    expect(stop).to_be_disabled()
    # It goes on as if nothing had been.
    person.type("Sorry")
    assert person.wait_event("finished", "!e.interrupted")["heard"] == "You said: Sorry"


def test_two_people_at_once_do_not_notice_each_other(
    server: Server, browse: Callable[..., Browser], visit: Visit
) -> None:
    browser = browse()
    ann, bob = visit(server.address, browser), visit(server.address, browser)
    for person in (ann, bob):
        person.start(microphone=False)
    ann.type("I am Ann")
    bob.type("I am Bob")
    for person, name in ((ann, "Ann"), (bob, "Bob")):
        assert person.wait_event("finished")["heard"] == f"You said: I am {name}"
        assert [event["text"] for event in person.events("heard")] == [f"I am {name}"]


def test_a_refused_microphone_is_told_and_typing_goes_on(server: Server, visit: Visit) -> None:
    person = visit(server.address, ask=True)
    person.start()
    expect(person.page.get_by_role("alert")).to_contain_text("may not use the microphone")
    expect(person.find(".hint")).to_have_text("No microphone: type your message.")
    person.type("Hello")
    assert person.wait_event("finished")["heard"] == "You said: Hello"
    # Once it is allowed, it is tried again from where the page says so.
    person.page.context.grant_permissions(["microphone"])
    alert = person.page.get_by_role("alert")
    alert.get_by_role("button", name="Try again").click()
    expect(person.find(".hint")).to_have_text("Just speak. Ava is listening.")
    expect(alert).to_be_empty()


def test_nobody_is_asked_to_speak_before_somebody_listens(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    held: list[Route] = []
    person.page.route("**/api/v1/sessions", lambda route: held.append(route))
    person.page.get_by_role("button", name="Start talking").click()
    expect(person.find(".doing")).to_have_text("Connecting…")
    expect(person.find(".hint")).to_have_text("One moment…")
    expect(person.find("button.microphone.heard")).to_have_count(0)
    while not held:
        person.page.wait_for_timeout(LOOK)
    held[0].continue_()
    expect(person.find(".hint")).to_have_text("Just speak. Ava is listening.")
    expect(person.find("button.microphone.heard")).to_have_count(1)
    expect(person.find(".status")).to_contain_text("Just speak. Ava is listening.")


def test_push_to_talk_with_space(server: Server, visit: Visit, speech: NDArray[np.int16]) -> None:
    person = visit(server.address, microphone=[SILENCE] + [speech] * 8)
    person.choose("Push to talk")
    person.start()
    expect(person.find(".hint")).to_have_text("Hold the microphone or Space to talk.")
    person.page.wait_for_timeout(1500)
    assert not person.events("heard")  # it speaks, but is not heard
    person.page.keyboard.down("Space")
    person.wait_event("heard", "!e.final && e.text")
    assert not any(event["final"] for event in person.events("heard"))
    person.page.keyboard.up("Space")
    person.wait_event("heard", "e.final && e.text")
    person.wait_event("finished", "!e.interrupted")


def test_click_to_talk(server: Server, visit: Visit, speech: NDArray[np.int16]) -> None:
    person = visit(server.address, microphone=[SILENCE] + [speech] * 8)
    person.choose("Click to talk")
    person.start()
    person.page.get_by_role("button", name="Talk", exact=True).click()
    person.wait_event("heard", "!e.final && e.text")
    person.page.get_by_role("button", name="Done talking").click()
    person.wait_event("heard", "e.final && e.text")
    person.wait_event("finished", "!e.interrupted")


def test_a_full_server_says_so_politely(serve: Callable[..., Server], visit: Visit) -> None:
    server = serve("max_sessions = 1\n")
    first, second = visit(server.address), visit(server.address)
    first.start(microphone=False)
    second.page.get_by_role("button", name="Type instead").click()
    alert = second.page.get_by_role("alert")
    expect(alert).to_contain_text("Everybody is in a conversation now")
    first.page.get_by_role("button", name="End the conversation").click()
    first.wait("avatar.state === 'off'")
    alert.get_by_role("button", name="Try again").click()
    second.wait("avatar.state === 'live'")


def test_no_request_goes_anywhere_else(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url))
    person.page.reload()
    person.wait("avatar.shadowRoot?.querySelector('.stage.shown')")
    person.start()
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((server.address, "blob:"))] == []


def test_the_language_is_chosen_in_the_middle_of_a_call(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    person.page.get_by_role("button", name="Settings").click()
    person.page.get_by_role("combobox", name="Language").select_option("es")
    person.page.locator("#settings .close-panel").click()
    person.type("Hola")
    assert person.wait_event("heard", "e.final")["language"] == "es"
    expect(person.find(".captions .line.you")).to_have_attribute("lang", "es")


def test_another_voice_is_taken_in_the_middle_of_a_call(
    serve: Callable[..., Server], visit: Visit
) -> None:
    person = visit(serve("max_sessions = 1\n").address)
    person.start(microphone=False)
    person.type("One")
    person.wait_event("finished")
    with person.page.expect_request("**/api/v1/sessions") as asked:
        person.page.get_by_role("button", name="Settings").click()
        person.page.get_by_role("combobox", name="Voice").select_option("fake:tone")
    assert '"voice":"fake:tone"' in (asked.value.post_data or "")
    # The new session takes the place of the old one, and goes on where that was.
    person.wait("avatar.state === 'live'")
    person.page.locator("#settings .close-panel").click()
    person.type("Two")
    person.wait_event("finished", "e.heard === 'You said: Two'")
    expect(person.find(".turns .you")).to_have_text(["YouOne", "YouTwo"])
