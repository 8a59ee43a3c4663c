"""Who gets in, and who does not."""

import json
import stat
import sys
from pathlib import Path

import httpx2
import pytest

from live import fake_settings, open_site
from realtime_avatar.cli import main as avatar
from realtime_avatar.errors import ConfigError
from realtime_avatar.server.guard import check_exposure, needs_keys
from realtime_avatar.server.keys import Keys, Scope
from realtime_avatar.server.rates import Rates, neighbourhood

pytestmark = pytest.mark.anyio


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "data" / "keys.json", Clock())


def test_a_key_opens_and_only_its_hash_is_kept(keys: Keys):
    key, token = keys.create("Ann", ["hear"])
    assert keys.find(token) == key
    assert keys.find(token[:-1]) is None
    assert keys.find(token.replace(key.id, "00000000")) is None
    assert keys.find("") is None
    secret = token.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_a_key_expires(keys: Keys):
    _, token = keys.create("Ann", ["all"], days=1)
    assert isinstance(keys.clock, Clock)
    keys.clock.now += 86_399
    assert keys.find(token)
    keys.clock.now += 1
    assert keys.find(token) is None
    assert len(keys.all()) == 1
    assert keys.valid() == ()


def test_a_key_that_is_revoked_elsewhere_is_no_key_here(keys: Keys):
    key, token = keys.create("Ann", ["all"])
    _, other = keys.create("Bob", ["all"])
    assert keys.find(token)
    Keys(keys.path).revoke(key.id)
    assert keys.find(token) is None
    assert keys.find(other)
    with pytest.raises(ConfigError, match="no API key"):
        keys.revoke(key.id)


def test_a_damaged_file_of_keys_lets_nobody_in(keys: Keys):
    _, token = keys.create("Ann", ["all"])
    keys.path.write_text("[]}")
    with pytest.raises(ConfigError, match="cannot be read"):
        keys.find(token)


@pytest.mark.parametrize(
    ("host", "wish", "needed"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("127.0.0.1", True, True),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("192.168.1.5", None, True),
        ("example.org", None, True),
        ("0.0.0.0", False, False),
    ],
)
def test_others_need_a_key_unless_the_owner_says_otherwise(
    host: str, wish: bool | None, needed: bool, keys: Keys
):
    settings = fake_settings(host=host, require_keys=wish)
    assert needs_keys(settings) == needed
    if needed:
        with pytest.raises(ConfigError, match=r"avatar keys create.*--open-to-anyone"):
            check_exposure(settings, keys)
        keys.create("Ann", ["all"], days=-1)
        with pytest.raises(ConfigError):
            check_exposure(settings, keys)
        keys.create("Ann", ["all"])
    check_exposure(settings, keys)


def test_a_bucket_fills_up_again():
    clock = Clock()
    rates = Rates(clock)
    assert [rates.take("a", 1, 60) for _ in range(60)] == [0.0] * 60
    assert rates.take("a", 1, 60) == pytest.approx(1.0)
    assert rates.take("b", 1, 60) == 0.0
    clock.now += 1.0
    assert rates.take("a", 1, 60) == 0.0
    assert rates.take("a", 1, 60) > 0
    clock.now += 600
    assert rates.take("a", 90, 60) == 0.0  # larger than the bucket: owed
    assert rates.take("a", 1, 60) == pytest.approx(31.0)


def test_a_household_counts_as_one():
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1")
    assert neighbourhood("10.0.0.1") != neighbourhood("10.0.0.2")
    assert neighbourhood("testclient") == "testclient"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_without_a_key_nothing_but_the_page_is_served(keys: Keys):
    keys.create("Ann", ["all"])
    async with open_site(require_keys=True, keys=keys.path) as site:
        for path in ("/", "/web/call.js", "/health", "/ready"):
            assert (await site.http.get(path)).status_code == 200
        for path in ("/api/v1/options", "/api/v1/videos/x", "/v1/models", "/metrics", "/api/x"):
            response = await site.http.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        response = await site.http.post("/api/v1/sessions", json={})
        assert response.status_code == 401
        assert "API key" in response.json()["error"]
        body = (await site.http.get("/v1/models")).json()
        assert body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["hear"], "POST", "/api/v1/transcribe", 422),
        (["hear"], "POST", "/v1/audio/transcriptions", 400),
        (["hear"], "POST", "/api/v1/speak", 403),
        (["hear"], "GET", "/api/v1/options", 200),
        (["hear"], "GET", "/metrics", 403),
        (["operate"], "GET", "/metrics", 200),
        (["talk"], "POST", "/api/v1/conversation/stream", 422),
        (["talk"], "GET", "/api/v1/conversations", 403),
        (["memory"], "GET", "/api/v1/conversations/no/such/route", 404),
        (["talk"], "HEAD", "/api/v1/videos/x", 404),
        (["talk"], "POST", "/api/v1/avatars", 403),
        (["people"], "POST", "/api/v1/avatars", 422),
        (["people"], "GET", "/api/v1/whatever/comes", 403),
        (["all"], "GET", "/api/v1/whatever/comes", 404),
    ],
)
async def test_a_key_is_for_its_scopes(
    keys: Keys, scopes: list[Scope], method: str, path: str, status: int
):
    _, token = keys.create("Ann", scopes)
    async with open_site(require_keys=True, keys=keys.path) as site:
        response = await site.http.request(method, path, headers=bearer(token))
        assert response.status_code == status


async def test_nobody_gets_in_while_the_keys_cannot_be_read(keys: Keys):
    _, token = keys.create("Ann", ["all"])
    async with open_site(require_keys=True, keys=keys.path) as site:
        assert (await site.http.get("/v1/models", headers=bearer(token))).status_code == 200
        keys.path.write_text("[]}")
        response = await site.http.get("/v1/models", headers=bearer(token))
        assert response.status_code == 503
        assert str(keys.path) not in response.text


async def test_a_browser_keeps_the_key_out_of_its_address(keys: Keys):
    _, token = keys.create("Ann", ["all"])
    async with open_site(require_keys=True, keys=keys.path) as site:
        response = await site.http.get(f"/?key={token}")
        assert (response.status_code, response.headers["location"]) == (303, "./")
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await site.http.get("/api/v1/options")).status_code == 200


async def test_other_names_of_this_machine_are_not_this_server():
    """DNS rebinding: a stranger's name that points here."""
    async with open_site() as site:
        for host in ("evil.example", "evil.example:8080", "", "127.0.0.1.evil.example"):
            response = await site.http.get("/api/v1/options", headers={"Host": host})
            assert response.status_code == 421
        for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", "a.localhost"):
            response = await site.http.get("/api/v1/options", headers={"Host": host})
            assert response.status_code == 200


async def test_other_sites_may_change_nothing():
    async with open_site(origins=["https://a.example"]) as site:
        for origin, status in (
            ("https://b.example", 403),
            ("null", 403),
            ("https://a.example", 200),
            ("http://localhost", 200),
        ):
            response = await site.http.post(
                "/api/v1/chat", json={"text": "Hi"}, headers={"Origin": origin}
            )
            assert response.status_code == status


async def test_too_many_requests_are_refused_for_a_while(keys: Keys):
    _, token = keys.create("Ann", ["all"], requests=3)
    async with open_site(require_keys=True, keys=keys.path, requests_a_minute=5) as site:
        ask = [await site.http.get("/v1/models", headers=bearer(token)) for _ in range(4)]
        assert [response.status_code for response in ask] == [200, 200, 200, 429]
        assert 1 <= int(ask[-1].headers["retry-after"]) <= 20
        assert ask[-1].json()["error"]["type"] == "rate_limit_error"
        assert (await site.http.get("/health")).status_code == 200
        _, other = keys.create("Bob", ["all"])
        assert (await site.http.get("/v1/models", headers=bearer(other))).status_code == 200
        # The same address, though.
        assert (await site.http.get("/v1/models", headers=bearer(other))).status_code == 429


async def test_too_much_is_refused():
    async with open_site(largest_upload=1_000_000, megabytes_a_minute=1) as site:

        async def endless():
            yield b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
            for _ in range(100):
                yield bytes(100_000)

        response = await site.http.post("/api/v1/transcribe", content=bytes(1_000_001))
        assert response.status_code == 413
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await site.http.post("/api/v1/transcribe", content=endless(), headers=form)
        assert response.status_code == 413
        assert (await site.http.post("/api/v1/chat", content=bytes(900_000))).status_code == 429
    async with open_site(largest_upload=1_000_000, megabytes_a_minute=1) as site:
        assert (await site.http.post("/api/v1/chat", content=bytes(900_000))).status_code == 422
        assert (await site.http.post("/api/v1/chat", content=bytes(900_000))).status_code == 429


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["avatar", *arguments])
    with pytest.raises(SystemExit) as end:
        avatar()
    return int(end.value.code or 0)


def test_the_command_makes_lists_and_revokes_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("AVATAR_KEYS", str(tmp_path / "keys.json"))
    assert run(monkeypatch, "keys", "create", "Ann", "--scope", "hear", "--days", "2") == 0
    token = capsys.readouterr().out.strip()
    assert Keys(tmp_path / "keys.json").find(token)
    assert run(monkeypatch, "keys", "list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["scopes"], listed["valid"]) == ("Ann", ["hear"], True)
    assert "hash" not in listed
    assert run(monkeypatch, "keys", "create", "Bob", "--scope", "dance") == 2
    assert "talk" in capsys.readouterr().err
    assert run(monkeypatch, "keys", "revoke", listed["id"]) == 0
    assert Keys(tmp_path / "keys.json").find(token) is None
    assert run(monkeypatch, "keys", "revoke", listed["id"]) == 2


async def test_no_answer_of_a_refusal_repeats_the_key(keys: Keys):
    keys.create("Ann", ["all"])
    async with open_site(require_keys=True, keys=keys.path) as site:
        answer: httpx2.Response = await site.http.get("/v1/models", headers=bearer("ava_1_secret"))
        assert answer.status_code == 401
        assert "secret" not in answer.text
