"""Which documents an answer is based on, and who gives it, as the page shows it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.people import Person, Server
from documents import VISIT
from realtime_avatar.thinking.knowledge import Knowledge

pytestmark = pytest.mark.browser


def test_an_answer_shows_the_documents_that_it_is_based_on(
    serve: Callable[..., Server], visit: Callable[..., Person], tmp_path: Path
) -> None:
    (tmp_path / "visit.md").write_text(VISIT)
    knowledge = Knowledge(tmp_path / "knowledge.sqlite3")
    knowledge.add(tmp_path / "visit.md")
    persona = tmp_path / "nora.toml"
    persona.write_text('name = "Nora"\n')
    server = serve(f'knowledge = "{knowledge.path}"\npersona = "{persona}"\n')
    person = visit(server.address)
    person.start(microphone=False)
    person.type("¿Puedo entrar con mi perro?")
    person.wait_event("finished")
    person.page.get_by_role("button", name="Transcript", exact=True).click()
    expect(person.find(".turns .avatar .who")).to_have_text("Nora")
    sources = person.find(".turns .sources")
    expect(sources.locator("summary")).to_have_text("From visit.md")
    sources.locator("summary").click()
    expect(sources.locator("blockquote").first).to_contain_text("Dogs are not allowed")
    expect(sources.locator("cite").first).to_have_text("visit.md, Rules")
    found = Axe().run(person.page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.response["violations"] == []
