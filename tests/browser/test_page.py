"""The page itself: what it keeps, what it shows, and whom it shuts out."""

import http.server
import io
import json
import threading
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Request, expect

from browser.people import Person, Server

pytestmark = pytest.mark.browser

Visit = Callable[..., Person]
BACKGROUND = "getComputedStyle(avatar.shadowRoot.querySelector('.app')).backgroundColor"
RECORDS = """new Promise(resolve => {
  indexedDB.open("realtime-avatar").onsuccess = ({ target }) => {
    const store = target.result.transaction("conversations").objectStore("conversations");
    store.count().onsuccess = ({ target }) => resolve(target.result);
  };
})"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_an_earlier_conversation_is_opened_in_full(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    for words in ("First question", "Second question"):
        person.type(words)
        person.wait_event("finished", f"e.heard.endsWith('{words}')")
    person.page.reload()
    person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
    person.page.get_by_role("button", name="Transcript", exact=True).click()
    expect(person.find(".turns li")).to_have_count(0)
    person.page.get_by_text("Earlier ones").click()
    person.page.get_by_role("button", name="First question").first.click()
    expect(person.find(".turns .avatar")).to_have_text(
        ["AvaYou said: First question", "AvaYou said: Second question"]
    )
    with person.page.expect_request("**/api/v1/sessions") as asked:
        person.page.locator("#transcript .close-panel").click()
        person.start(microphone=False)
    assert [said["text"] for said in sent(asked.value)["history"]] == [
        "First question",
        "You said: First question",
        "Second question",
        "You said: Second question",
    ]


def test_the_server_keeps_what_another_browser_does_not_see(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    for words in ("Umbrellas", "Hats"):
        person.type(words)
        person.wait_event("finished", f"e.heard.endsWith('{words}') && e.kept")
    # Nothing of it is in this browser: the list comes from the server.
    assert person.run(RECORDS) == 0
    person.page.reload()
    person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
    look_at_earlier(person)
    expect(person.find(".conversations .title")).to_have_text("Umbrellas")
    search = person.page.get_by_role("searchbox", name="Search the earlier conversations")
    search.fill("trousers")
    expect(person.find(".earlier .none")).to_be_visible()
    search.fill("hat")
    with person.page.expect_request("**/api/v1/conversations/*"):
        person.find(".conversations .open").click()
    expect(person.find(".turns .you")).to_have_text(["YouUmbrellas", "YouHats"])
    with person.page.expect_request("**/api/v1/sessions") as asked:
        person.page.locator("#transcript .close-panel").click()
        person.start(microphone=False)
    assert sent(asked.value)["conversation"]
    person.type("Gloves")
    person.wait_event("finished", "e.heard.endsWith('Gloves') && e.kept")
    stranger = visit(server.address)
    look_at_earlier(stranger)
    expect(stranger.find(".earlier .empty")).to_contain_text("The server keeps them")
    expect(stranger.find(".conversations li")).to_have_count(0)
    # Deleted here, and the page closed before it is really done: gone on the server all the same.
    person.page.get_by_role("button", name="End the conversation").click()
    person.page.get_by_role("button", name="Transcript", exact=True).click()
    person.page.get_by_role("button", name="New conversation").click()
    person.page.get_by_text("Earlier ones").click()
    person.find(".conversations .remove").click()
    expect(person.find(".earlier .empty")).to_be_visible()
    person.page.reload()
    person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
    look_at_earlier(person)
    expect(person.find(".earlier .empty")).to_be_visible()


def test_a_server_that_keeps_nothing_leaves_it_to_the_browser(
    serve: Callable[..., Server], visit: Visit
) -> None:
    server = serve('database = "none"\n')
    person = visit(server.address)
    person.start(microphone=False)
    person.type("Only here")
    person.wait_event("finished", "!e.kept")
    person.page.reload()
    person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
    look_at_earlier(person)
    person.find(".search").fill("HERE only")
    person.page.get_by_role("button", name="Only here").first.click()
    expect(person.find(".turns .avatar")).to_have_text("AvaYou said: Only here")


def test_a_browser_that_does_not_open_its_database_shows_the_avatar(
    server: Server, visit: Visit
) -> None:
    person = visit(server.address, script="IDBFactory.prototype.open = () => new EventTarget()")
    person.start(microphone=False)
    person.type("Anybody there?")
    assert person.wait_event("finished")["heard"] == "You said: Anybody there?"


def look_at_earlier(person: Person) -> None:
    person.page.get_by_role("button", name="Transcript", exact=True).click()
    person.page.get_by_text("Earlier ones").click()


def test_the_transcript_is_copied_downloaded_and_begun_anew(server: Server, visit: Visit) -> None:
    person = visit(server.address, context={"permissions": ["clipboard-read", "clipboard-write"]})
    person.start(microphone=False)
    person.type("Hello")
    person.wait_event("finished")
    page = person.page
    page.get_by_role("button", name="Transcript", exact=True).click()
    page.get_by_role("button", name="Copy the transcript").click()
    expect(page.get_by_role("alert")).to_contain_text("Copied.")
    text = "You: Hello\n\nAva: You said: Hello"
    assert page.evaluate("navigator.clipboard.readText()") == text
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the transcript").click()
    assert Path(download.value.path()).read_text("utf-8") == text
    page.get_by_role("button", name="New conversation").click()
    expect(person.find(".turns li")).to_have_count(0)
    expect(person.find(".captions")).to_be_empty()
    expect(person.find(".now .empty")).to_be_visible()
    page.get_by_text("Earlier ones").click()
    expect(person.find(".conversations .title")).to_have_text("Hello")
    # What was deleted by mistake comes back.
    page.get_by_role("button", name="Delete the conversation “Hello”").click()
    expect(person.find(".earlier .empty")).to_be_visible()
    page.get_by_role("alert").get_by_role("button", name="Undo").click()
    expect(person.find(".conversations .title")).to_have_text("Hello")


def test_the_transcript_opens_at_its_end_and_tells_on_a_phone(server: Server, visit: Visit) -> None:
    person = visit(server.address, context={**PHONE, "permissions": ["clipboard-write"]})
    page = person.page
    person.start(microphone=False)
    for number in range(3):
        person.type(f"Question {number}: {'and ' * 120}")
        person.wait_event("finished", f"e.heard.includes('Question {number}')")
    page.get_by_role("button", name="Transcript", exact=True).click()
    end = page.evaluate(
        "document.querySelector('realtime-avatar').shadowRoot.querySelector('.now').scrollTop"
    )
    assert end > 500
    expect(person.find(".turns .avatar p").last).to_be_in_viewport(ratio=0.3)
    # The panel covers the stage, but not what the page has to say.
    page.get_by_role("button", name="Copy the transcript").click()
    notice = person.find(".notice")
    expect(notice).to_contain_text("Copied.")
    notice.get_by_role("button", name="Close the message").click()
    expect(notice).to_have_count(0)


@pytest.mark.parametrize("means", ["system", "choice"])
def test_light_and_dark(server: Server, visit: Visit, means: str) -> None:
    scheme = "dark" if means == "system" else "light"
    person = visit(server.address, context={"color_scheme": scheme})
    if means == "choice":
        person.page.get_by_role("button", name="Settings").click()
        person.page.get_by_text("Dark", exact=True).click()
        person.page.reload()  # it is kept
        person.wait("avatar?.shadowRoot?.querySelector('.stage.shown')")
    assert person.run(BACKGROUND) == "rgb(13, 15, 18)"
    if means == "system":
        person.page.emulate_media(color_scheme="light")
        assert person.run(BACKGROUND) == "rgb(255, 255, 255)"


def test_captions_never_cut_a_line_in_half(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    person.type("Bread rises. " * 30)
    person.wait_event("finished")
    # Whole rows fit the box, and it stands at the end of one.
    rows = person.run(
        """(({ clientHeight, scrollHeight }, line) =>
          [clientHeight / line, scrollHeight / line])(
            avatar.shadowRoot.querySelector(".captions"),
            parseFloat(getComputedStyle(avatar.shadowRoot.querySelector(".line.avatar")).lineHeight))"""
    )
    assert all(abs(count - round(count)) < 0.1 for count in rows)
    assert rows[1] > rows[0]


def test_a_dropped_portrait_becomes_the_avatar(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    drop(person, "ada_lovelace.png", portrait())
    dialog = person.page.get_by_role("dialog", name="Whose portrait is it?")
    assert barriers(person) == []
    # Nothing is sent before somebody has agreed.
    dialog.get_by_role("button", name="Add").click()
    expect(dialog).to_be_visible()
    with person.page.expect_request("**/api/v1/avatars?*") as brought:
        agree(person, "Ada Lovelace")
    assert "person=Ada+Lovelace" in brought.value.url
    expect(person.page.get_by_role("heading", name="Talk with ada lovelace")).to_be_visible()
    with person.page.expect_request("**/api/v1/sessions") as asked:
        person.start(microphone=False)
    assert sent(asked.value)["avatar"]
    # It is still there after a reload, and gone when it is removed.
    person.page.reload()
    expect(person.page.get_by_role("heading", name="Talk with ada lovelace")).to_be_visible()
    person.page.get_by_role("button", name="Settings").click()
    person.page.get_by_role("button", name="Remove the portrait “ada lovelace”").click()
    expect(person.page.get_by_role("heading", name="Talk with Ava")).to_be_visible()


def test_a_portrait_that_cannot_be_used_is_explained(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    drop(person, "notes.txt", b"not a picture", "text/plain")
    agree(person, "Ada Lovelace")
    problem = person.find("dialog [role=alert]")
    expect(problem).to_contain_text("The portrait must be a picture")
    person.page.get_by_role("button", name="Cancel").click()
    expect(person.page.get_by_role("dialog", name="Whose")).to_have_count(0)


@pytest.mark.weights
def test_a_voice_is_brought_with_consent_and_withdrawn(
    server: Server, visit: Visit, recordings: Path
) -> None:
    person = visit(server.address)
    page = person.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Add a voice").click()
    dialog = page.get_by_role("dialog", name="Add a voice")
    expect(dialog).to_contain_text("voice matching rather than cloning")
    assert barriers(person) == []
    dialog.get_by_role("textbox", name="Name of the voice").fill("Ada")
    agree(person, "Ada Lovelace")
    expect(dialog.get_by_role("alert")).to_contain_text("choose a recording")
    person.find("dialog [name=recording]").set_input_files(recordings / "jfk.wav")
    with page.expect_request("**/api/v1/voices") as brought:
        dialog.get_by_role("button", name="Add").click()
    told = sent(brought.value)
    assert told["person"] == "Ada Lovelace"
    assert told["words"].startswith("This is my own voice")
    assert told["recording"].startswith("UklGR")  # RIFF
    expect(dialog).to_have_count(0)
    expect(person.find(".notices")).to_contain_text("The voice “Ada” is ready.")
    expect(person.find("[name=voice]")).to_have_value("Ada")
    expect(person.find(".people")).to_contain_text("Ada Lovelace agreed")
    # It is spoken with.
    page.locator("#settings .close-panel").click()
    with page.expect_request("**/api/v1/sessions") as asked:
        person.start(microphone=False)
    assert sent(asked.value)["voice"] == "Ada"
    person.type("Hello")
    person.wait_event("finished")
    # Withdrawn, it is in no list any more.
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Withdraw consent and delete the voice “Ada”").click()
    expect(person.find(".people li")).to_have_count(0)
    expect(person.find("[name=voice]")).to_have_value("")


def test_the_page_says_that_the_avatar_is_an_ai(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    expect(person.find(".who")).to_contain_text("AI")


def test_the_latency_panel_is_on_a_key(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    person.start(microphone=False)
    person.find("button.type").click()
    person.type("Hello")
    person.wait_event("timings")
    person.page.keyboard.press("l")  # typed into the field
    expect(person.find(".latency")).to_be_hidden()
    person.find("button.stop").evaluate("button => button.getRootNode().activeElement.blur()")
    person.page.keyboard.press("l")
    expect(person.find(".latency .turn")).to_have_text("Hello")
    expect(person.find(".latency tbody")).to_contain_text("First sound")
    expect(person.find(".latency dl")).to_contain_text("WebRTC")
    person.page.keyboard.press("l")
    expect(person.find(".latency")).to_be_hidden()


def test_a_phone_has_no_keys_but_shows_the_latency_too(server: Server, visit: Visit) -> None:
    person = visit(server.address, context=PHONE)
    person.page.get_by_role("button", name="Settings").click()
    person.page.get_by_role("button", name="Show latency").click()
    expect(person.find("#settings")).to_be_hidden()
    expect(person.find(".latency")).to_be_in_viewport(ratio=1)
    person.find(".close-latency").click()
    expect(person.find(".latency")).to_be_hidden()


def test_nothing_jumps_on_a_phone(server: Server, visit: Visit) -> None:
    person = visit(server.address, context=PHONE)
    page = person.page
    expect(page.get_by_role("button", name="Start talking")).to_be_in_viewport(ratio=1)
    person.start(microphone=False)
    places = [place(person, selector) for selector in (".picture", ".captions", ".dock")]
    assert places[0]["height"] > 844 * 0.6
    person.type("A long question, " * 12)
    person.wait_event("finished")
    assert [place(person, selector) for selector in (".picture", ".captions", ".dock")] == places
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for button in page.get_by_role("button").all():
        if button.is_visible():
            box = button.bounding_box()
            assert box is not None
            assert box["width"] >= 40
            assert box["height"] >= 40
            assert 0 <= box["x"] <= 390 - box["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1440, 900)], ids=["phone", "desktop"])
def test_axe_finds_no_barrier(
    server: Server, visit: Visit, scheme: str, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    person = visit(server.address, context={"color_scheme": scheme, "viewport": viewport})
    page = person.page
    assert barriers(person) == []
    person.start()
    person.type("Hello")
    person.wait_event("finished")
    page.get_by_role("button", name="Type a message").click()
    page.keyboard.press("l")
    assert barriers(person) == []
    page.keyboard.press("l")
    for panel in ("Transcript", "Settings"):
        page.get_by_role("button", name=panel, exact=True).click()
        assert barriers(person) == []
        if panel == "Transcript":
            page.get_by_role("button", name="New conversation").click()
            page.get_by_text("Earlier ones").click()
            assert barriers(person) == []
        page.keyboard.press("Escape")


def test_everything_is_reached_by_keyboard(server: Server, visit: Visit) -> None:
    person = visit(server.address)
    page = person.page
    names: list[str] = []
    focus = "avatar.shadowRoot.activeElement"
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(person.run(f"{focus}?.ariaLabel || {focus}?.innerText"))
    assert names == ["Transcript", "Settings", "Start talking", "Type instead"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    person.wait("avatar.state === 'live'")
    # The focus goes on to what is used next, and comes back from a panel.
    assert person.run("avatar.shadowRoot.activeElement.className").startswith("microphone")
    page.get_by_role("button", name="Settings").focus()
    page.keyboard.press("Enter")
    assert person.run("avatar.shadowRoot.activeElement.id") == "settings"
    page.keyboard.press("Escape")
    assert person.run("avatar.shadowRoot.activeElement.ariaLabel") == "Settings"


@pytest.fixture
def foreign(tmp_path: Path) -> Generator[str]:
    """Another site; its address."""
    handler = partial(_Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://localhost:{site.server_port}/"
        site.shutdown()
        thread.join()


def test_another_site_embeds_it_with_one_script_tag(
    serve: Callable[..., Server], visit: Visit, foreign: str, tmp_path: Path
) -> None:
    server = serve(f'origins = ["{foreign.rstrip("/")}"]\n')
    (tmp_path / "index.html").write_text(
        f"""<!doctype html><html lang="en"><title>A shop</title>
        <style>button {{ display: none; color: red; }}</style>
        <script type="module" src="{server.address}web/realtime-avatar.js"></script>
        <p>Ask our <b>avatar</b>:</p>
        <realtime-avatar src="{server.address}" style="width: 360px; height: 480px">
        </realtime-avatar>
        <p><input aria-label="Search"></p></html>""",
        "utf-8",
    )
    person = visit(foreign)
    person.start()
    person.type("Do you ship abroad?")
    assert person.wait_event("finished")["heard"] == "You said: Do you ship abroad?"
    assert person.run("avatar.dataset.transport") == "webrtc"
    # Keys of the site are its own.
    person.page.get_by_role("textbox", name="Search").press("l")
    person.page.locator("body").press("l")
    expect(person.find(".latency")).to_be_hidden()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Say nothing."""


def barriers(person: Person) -> list[str]:
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    person.page.wait_for_timeout(500)  # colours have settled
    found = Axe().run(person.page, options=options).response["violations"]
    return [f"{fault['id']}: {node['html']}" for fault in found for node in fault["nodes"]]


def place(person: Person, selector: str) -> dict[str, float]:
    box = person.find(selector).bounding_box()
    assert box is not None
    return {name: round(float(value)) for name, value in box.items()}  # type: ignore[call-overload]


def sent(request: Request) -> dict[str, Any]:
    return json.loads(request.post_data or "{}")


def portrait() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 256), (180, 140, 120)).save(file, "PNG")
    return file.getvalue()


def agree(person: Person, who: str) -> None:
    """Say whose voice or portrait it is, and agree."""
    dialog = person.find("dialog")
    dialog.get_by_role("textbox", name="Who it is").fill(who)
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Add", exact=True).click()


def drop(person: Person, name: str, content: bytes, kind: str = "image/png") -> None:
    """Drop a file on the element."""
    person.find(".app").evaluate(
        """(app, [name, content, type]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(content)], name, { type }));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          for (const step of ["dragover", "drop"]) app.dispatchEvent(new DragEvent(step, options));
        }""",
        [name, list(content), kind],
    )
