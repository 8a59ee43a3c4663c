"""Several avatars of one owner, each with a persona of its own."""

from pathlib import Path

import pytest

from live import fake_settings, open_site, visit
from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.fake import FakeChat
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import ConfigError

pytestmark = pytest.mark.anyio

HUMAN = "Are you a human?"  # answered by rule, with the avatar's name


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def avatars(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Settings of three avatars besides the first."""
    path = tmp_path / "nora.toml"
    path.write_text('name = "Nora"\nabout = "Nora shows clocks."\n[zh]\nname = "诺拉"\n', "utf-8")
    return {"nora": {"persona": str(path)}, "leo": {"name": "Leo"}, "again": {}}


async def test_each_avatar_is_listed_by_its_persona_s_name(avatars: dict[str, dict[str, str]]):
    async with open_site(avatars=avatars) as site:
        listed = (await site.http.get("/api/v1/avatars")).json()
        assert [(one["id"], one["name"]) for one in listed] == [
            ("default", "Ava"),
            ("nora", "Nora"),
            ("leo", "Leo"),
            ("again", "Ava"),
        ]
        assert listed == (await site.http.get("/api/v1/options")).json()["avatars"]


async def test_the_chat_is_told_who_the_chosen_avatar_is(
    avatars: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
):
    told = list[str]()
    original = FakeChat.open

    def spying(self: FakeChat, *, system: str = "", tools: Toolbox | None = None):
        told.append(system)
        return original(self, system=system, tools=tools)

    monkeypatch.setattr(FakeChat, "open", spying)
    async with open_site(avatars=avatars) as site:
        for avatar in ("", "nora", "leo"):
            response = await site.http.post(
                "/api/v1/chat", json={"text": "Hello.", "avatar": avatar}
            )
            assert response.status_code == 200
    assert "You are Ava" in told[-3]
    assert "You are Nora" in told[-2]
    assert "Nora shows clocks." in told[-2]
    assert "You are Leo" in told[-1]
    assert "clocks" not in told[-1]


@pytest.mark.parametrize(
    ("avatar", "text", "name"),
    [("", HUMAN, "Ava"), ("nora", HUMAN, "Nora"), ("nora", "你是真人吗？", "诺拉")],
)
async def test_it_says_its_own_name(
    avatar: str, text: str, name: str, avatars: dict[str, dict[str, str]]
):
    async with open_site(avatars=avatars) as site:
        reply = await site.http.post("/api/v1/chat", json={"text": text, "avatar": avatar})
        assert name in reply.json()["text"]
        if avatar:
            assert "Ava" not in reply.json()["text"]


async def test_a_live_conversation_is_with_the_avatar_that_was_chosen(
    avatars: dict[str, dict[str, str]],
):
    async with open_site(avatars=avatars) as site, visit(site, avatar="nora") as visitor:
        visitor.say(HUMAN)
        await visitor.wait_for(events.Finished)
        assert "Nora" in "".join(event.text for event in visitor.of(events.Words))


async def test_an_unknown_avatar_has_no_persona(avatars: dict[str, dict[str, str]]):
    async with open_site(avatars=avatars) as site:
        response = await site.http.post("/api/v1/chat", json={"text": "Hi.", "avatar": "max"})
        assert response.status_code == 422
        assert "not known" in response.json()["error"]


@pytest.mark.parametrize(
    ("text", "words"), [("facts = 3", "facts"), ("name = ", "bad.toml"), ('nmae = "x"', "nmae")]
)
async def test_a_bad_file_is_refused_before_anything_is_loaded(
    text: str, words: str, tmp_path: Path
):
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=words) as refused:
        Ensemble(fake_settings(avatars={"max": {"persona": str(path)}}))
    with pytest.raises(ConfigError, match="default"):
        fake_settings(avatars={"default": {}})
    assert "\n" not in str(refused.value)
    assert "bad.toml" in str(refused.value)
