import json
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from documents import VISIT, write_pdf
from realtime_avatar.cli.main import app
from realtime_avatar.engines.fake import FakeChat
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import AvatarError, InputError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.grounded import Grounded
from realtime_avatar.thinking.knowledge import Document, Knowledge, Passage

pytestmark = pytest.mark.anyio

CLOCKS = "The oldest clock was made in 1530 by Kaspar Brunner.\n\n最老的钟在二楼。\n"


def _write(folder: Path) -> list[Path]:
    (folder / "visit.md").write_text(VISIT)
    (folder / "clocks.txt").write_text(CLOCKS)
    write_pdf(folder / "tower.pdf", "The tower is closed in winter.")
    return [folder / name for name in ("visit.md", "clocks.txt", "tower.pdf")]


def _learnt(folder: Path) -> Knowledge:
    knowledge = Knowledge(folder / "new" / "knowledge.sqlite3")
    for file in _write(folder):
        knowledge.add(file)
    return knowledge


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return _write(tmp_path)


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    return _learnt(tmp_path)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Knowledge that no test changes."""
    return _learnt(tmp_path_factory.mktemp("library"))


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("When do you close?", "Visit › Hours"),
        ("How much does it cost for my daughter?", "Visit › Tickets"),
        ("Can I bring my puppy?", "Rules"),
        ("¿Puedo entrar con mi perro?", "Rules"),
        ("¿Cuánto cuesta la entrada?", "Visit › Tickets"),
        ("几点关门？", "Visit › Hours"),
        ("可以带狗吗？", "Rules"),
        ("Is the tower open in winter?", "page 1"),
    ],
)
def test_a_passage_is_found_by_its_meaning_in_any_language(
    library: Knowledge, question: str, place: str
):
    assert library.search(question)[0].place == place


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Brunner?", "Kaspar Brunner"),
        ("1530", "1530"),
        ("二楼", "最老的钟在二楼。"),
        ("BRÜNNER kaspar", "Kaspar Brunner"),
    ],
)
def test_a_passage_is_found_by_its_words(library: Knowledge, question: str, text: str):
    assert text in library.search(question)[0].text


@pytest.mark.parametrize(
    "question",
    ["Tell me a joke.", "What is the capital of France?", "你好", "¿Cómo estás?", "?!", ""],
)
def test_nothing_is_found_for_what_the_documents_do_not_speak_of(library: Knowledge, question: str):
    assert library.search(question) == []


def test_documents_are_listed_replaced_and_removed(knowledge: Knowledge, files: list[Path]):
    names = [document.name for document in knowledge.documents()]
    assert names == ["clocks.txt", "tower.pdf", "visit.md"]
    files[1].write_text("The oldest clock was sold.")
    assert knowledge.add(files[1]) == Document("clocks.txt", 1)
    assert "sold" in knowledge.search("the oldest clock")[0].text
    assert knowledge.search("Kaspar Brunner") == []
    knowledge.remove("clocks.txt")
    assert not any("sold" in found.text for found in knowledge.search("the oldest clock was sold"))
    assert [document.name for document in knowledge.documents()] == names[1:]
    with pytest.raises(InputError, match=r"clocks\.txt"):
        knowledge.remove("clocks.txt")


def left_of(knowledge: Knowledge, *words: str) -> list[str]:
    """Return which words are found in the file, or in one beside it."""
    files = [file.read_bytes().lower() for file in knowledge.path.parent.iterdir()]
    return [word for word in words if any(word.encode() in file for file in files)]


def test_nothing_is_left_of_what_is_removed_or_replaced(knowledge: Knowledge, tmp_path: Path):
    words = ("quetzal", "zymurgy", "恐龙")
    secret = tmp_path / "secret.txt"
    told = "The quetzal sleeps. " * 40 + "\n\nOf zymurgy nothing is known.\n\n恐龙在楼下。\n"
    for _ in range(2):
        secret.write_text(told, "utf-8")
        knowledge.add(secret)
        assert left_of(knowledge, *words) == [*words]
        secret.write_text("Nothing.")
        knowledge.add(secret)
        assert left_of(knowledge, *words, "secret.txt") == ["secret.txt"]
    secret.write_text(told, "utf-8")
    knowledge.add(secret)
    knowledge.remove("secret.txt")
    assert left_of(knowledge, *words, "secret.txt") == []
    assert "Kaspar Brunner" in knowledge.search("Brunner?")[0].text


def test_what_an_older_version_left_goes_with_the_next_removal(
    knowledge: Knowledge, tmp_path: Path
):
    (tmp_path / "secret.txt").write_text("The quetzal sleeps. " * 400)
    knowledge.add(tmp_path / "secret.txt")
    with closing(sqlite3.connect(knowledge.path)) as database, database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM documents WHERE name = 'secret.txt'")
    assert left_of(knowledge, "quetzal")
    knowledge.remove("visit.md")
    assert left_of(knowledge, "quetzal") == []


def test_the_file_is_for_its_owner_only(knowledge: Knowledge):
    assert knowledge.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_made_is_said(tmp_path: Path, files: list[Path]):
    with pytest.raises(InputError, match="cannot use"):
        Knowledge(tmp_path).add(files[0])
    with pytest.raises(InputError, match="cannot use"):
        Knowledge(files[0] / "k.sqlite3").add(files[0])


def test_a_document_that_cannot_be_read_leaves_the_others(knowledge: Knowledge, tmp_path: Path):
    (tmp_path / "empty.md").write_text("")
    with pytest.raises(InputError):
        knowledge.add(tmp_path / "empty.md")
    assert len(knowledge.documents()) == 3


def test_what_another_process_adds_is_found(knowledge: Knowledge, tmp_path: Path):
    assert knowledge.search("Where can I drink coffee?") == []
    (tmp_path / "cafe.txt").write_text("Coffee is served on the second floor.")
    Knowledge(knowledge.path).add(tmp_path / "cafe.txt")
    assert knowledge.search("Where can I drink coffee?")


def test_without_documents_nothing_is_found_and_nothing_is_made(tmp_path: Path):
    knowledge = Knowledge(tmp_path / "none.sqlite3")
    assert (knowledge.search("hello"), knowledge.documents()) == ([], [])
    assert not knowledge.path.exists()


def test_a_file_that_is_something_else_is_said(tmp_path: Path):
    (tmp_path / "x.sqlite3").write_text("not a database, but long enough to look like one" * 9)
    with pytest.raises(InputError, match=r"x\.sqlite3"):
        Knowledge(tmp_path / "x.sqlite3").documents()


async def replied(knowledge: Knowledge, question: str, language: str) -> tuple[str, list[Passage]]:
    cited: list[Passage] = []
    engine = FakeChat(Context(ModelStore(), options={"reply": "{0}"}))
    async with Grounded(engine, knowledge, language, cited=cited.extend).open() as chat:
        asked = [Message("system", "You are Ava."), Message("user", question)]
        return "".join([piece async for piece in chat.reply(asked)]), cited


async def test_a_chat_is_told_what_was_found_and_it_is_cited(library: Knowledge):
    said, [first, *_] = await replied(library, "¿Puedo entrar con mi perro?", "es")
    assert said.startswith("Información:\n- Dogs are not allowed, except guide dogs.\n")
    assert "Pregunta: ¿Puedo entrar con mi perro?\n" in said
    assert (first.document, first.place) == ("visit.md", "Rules")


async def test_where_nothing_is_found_the_question_is_left_alone(library: Knowledge):
    assert await replied(library, "Tell me a joke.", "en") == ("Tell me a joke.", [])
    nothing = Knowledge(library.path.with_name("none"))
    assert await replied(nothing, "When do you close?", "en") == ("When do you close?", [])


async def test_documents_that_cannot_be_searched_are_told_and_the_answer_given(tmp_path: Path):
    (tmp_path / "x.sqlite3").write_text("not a database, but long enough to look like one" * 9)
    told: list[AvatarError] = []
    engine = FakeChat(Context(ModelStore(), options={"reply": "{0}"}))
    grounded = Grounded(engine, Knowledge(tmp_path / "x.sqlite3"), "en", told.append)
    async with grounded.open() as chat:
        assert "".join([piece async for piece in chat.reply([Message("user", "Hi.")])]) == "Hi."
    assert "x.sqlite3" in str(told[0])


async def test_an_empty_conversation_is_the_chats_affair(library: Knowledge):
    class Mute(FakeChat):
        async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
            assert not messages
            yield "Hm."

    async with Grounded(Mute(Context(ModelStore())), library, "en").open() as chat:
        assert [piece async for piece in chat.reply([])] == ["Hm."]


def test_the_command_adds_lists_searches_and_removes(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_KNOWLEDGE", str(tmp_path / "k.sqlite3"))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["knowledge", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "visit.md: 5 passages" in run("add", *map(str, files))
    assert [one["name"] for one in json.loads(run("list", "--json"))] == [
        "clocks.txt",
        "tower.pdf",
        "visit.md",
    ]
    assert "visit.md, Rules" in run("search", "Can I bring my puppy?")
    run("remove", "visit.md")
    assert run("search", "Can I bring my puppy?").strip() == "nothing"
