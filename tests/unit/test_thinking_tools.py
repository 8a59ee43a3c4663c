import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import mcp_server
from realtime_avatar.config import Settings
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.tools import Call
from realtime_avatar.errors import AvatarError, ConfigError
from realtime_avatar.thinking.functions import tool_from
from realtime_avatar.thinking.mcp_tools import McpSource
from realtime_avatar.thinking.tools import Tools
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

SERVER = [sys.executable, mcp_server.__file__]


async def tell(day: str, floor: int = 1) -> str:
    """Tell what is shown
    on a day.

    Args are not for the model.
    """
    return f"{day}, floor {floor}"


def shout(word: str) -> dict[str, str]:
    """Shout."""
    return {"said": word.upper()}


def gather(*days: str) -> str:
    return ", ".join(days)


async def run(function: Callable[..., Any], **arguments: Any) -> Any:
    return await tool_from("t", function).run(arguments)


async def test_a_function_is_described_by_its_docstring_and_annotations():
    tool = tool_from("tell", tell)
    assert (tool.name, tool.description) == ("tell", "Tell what is shown on a day.")
    assert tool.parameters["required"] == ["day"]
    assert {name: kind["type"] for name, kind in tool.parameters["properties"].items()} == {
        "day": "string",
        "floor": "integer",
    }


async def test_async_and_plain_functions_are_run_with_checked_arguments():
    assert await run(tell, day="Sunday", floor="2") == "Sunday, floor 2"
    assert await run(shout, word="hey") == {"said": "HEY"}
    with pytest.raises(ValueError, match="day"):
        await run(tell, floor=2)
    with pytest.raises(ValueError, match="roof"):
        await run(tell, day="Sunday", roof=1)


async def test_a_function_that_cannot_be_called_by_names_is_refused():
    with pytest.raises(TypeError, match="days"):
        tool_from("gather", gather)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that offers a function, and one that cannot be imported."""
    (tmp_path / "clockworks.py").write_text(
        'def strike(hour: int) -> str:\n    """Strike the hour."""\n    return "dong" * hour\n'
    )
    info = tmp_path / "clockworks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clockworks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[realtime_avatar.tools]\nstrike = clockworks:strike\nbroken = clockworks:chime\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "clockworks", raising=False)


@pytest.mark.usefixtures("installed")
async def test_functions_are_found_by_name():
    async with Tools(Settings(tools=("strike",))) as tools:
        toolbox = await tools.toolbox("es")
        assert toolbox is not None
        assert toolbox.filler == "Un momento, voy a mirarlo."
        assert await toolbox.call(Call("strike", {"hour": 2})) == "dongdong"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["broken", "missing"])
async def test_a_function_that_is_not_there_is_an_error_in_words(name: str):
    async with Tools(Settings(tools=(name,))) as tools:
        with pytest.raises(ConfigError, match=name):
            await tools.toolbox("en")


async def test_without_tools_there_is_no_toolbox():
    async with Tools(Settings()) as tools:
        assert await tools.toolbox("en") is None


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with subprocess.Popen([*SERVER, "http"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        process.terminate()


def by_stdio() -> Settings:
    server: Any = {"command": SERVER, "env": {"GREETING": "grüezi"}}
    return Settings(mcp={"museum": server})


async def test_a_server_of_tools_is_spoken_to_by_stdio():
    async with Tools(by_stdio()) as tools:
        toolbox = await tools.toolbox("en")
        assert toolbox is not None
        assert toolbox.seconds == 10
        toolbox = replace(toolbox, seconds=1.5)
        named = {tool.name: tool for tool in toolbox.tools}
        hours = named["museum_opening_hours"]
        assert hours.description == "Tell when the museum is open."
        assert hours.parameters["properties"]["day"]["type"] == "string"
        call = Call("museum_opening_hours", {"day": "Sunday"})
        assert await toolbox.call(call) == "On Sunday from ten to six, grüezi."
        bad = await toolbox.call(Call("museum_opening_hours", {"day": "Someday"}))
        assert "there is no such day" in bad
        said: dict[str, str] = {}

        async def ask(name: str, **arguments: str) -> None:
            said[name] = await toolbox.call(Call(f"museum_{name}", arguments))

        async with anyio.create_task_group() as tasks:  # one that hangs holds no other up
            tasks.start_soon(ask, "sleep")
            await ask("opening_hours", day="Monday")
            assert "sleep" not in said
        assert "On Monday" in said["opening_hours"]
        assert "longer than 1.5 seconds" in said["sleep"]


async def test_a_server_of_tools_is_spoken_to_by_http(address: str):
    server: Any = {"url": address, "headers": {"X-Key": "secret"}}
    settings = Settings(mcp={"museum": server})
    assert "secret" not in repr(settings)
    async with Tools(settings) as tools:
        toolbox = await tools.toolbox("en")
        assert toolbox is not None
        call = Call("museum_opening_hours", {"day": "Monday"})
        assert await toolbox.call(call) == "On Monday from ten to six, welcome."


async def test_a_server_that_dies_is_started_again():
    async with Tools(by_stdio()) as tools:
        toolbox = await tools.toolbox("en")
        assert toolbox is not None
        assert "failed" in await toolbox.call(Call("museum_die", {}))
        call = Call("museum_opening_hours", {"day": "Sunday"})
        assert "from ten" in await toolbox.call(call)


async def test_a_server_that_cannot_be_reached_is_told_and_left_out():
    told: list[AvatarError] = []
    nowhere: Any = {"command": ["/no/such/program"]}
    nobody: Any = {"url": "http://127.0.0.1:9/mcp"}
    async with Tools(Settings(mcp={"nowhere": nowhere, "nobody": nobody})) as tools:
        assert await tools.toolbox("en", told.append) is None
    assert ["'nowhere'" in str(told[0]), "'nobody'" in str(told[1])] == [True, True]


@pytest.fixture
def silent() -> Iterator[dict[str, Any]]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        yield {"deaf": {"url": f"http://127.0.0.1:{line.getsockname()[1]}/mcp"}}


async def waited(tools: Tools, told: list[AvatarError]) -> float:
    """Return how long somebody waits for tools that are not there."""
    began = anyio.current_time()
    assert await tools.toolbox("en", told.append) is None
    return round(anyio.current_time() - began, 3)


@pytest.mark.parametrize("anyio_backend", [VIRTUAL_TIME])
@pytest.mark.parametrize(("allowed", "seconds"), [(10, 5), (2, 2)])
async def test_a_server_that_never_answers_is_waited_for_once_a_minute(
    silent: Any, allowed: float, seconds: float
):
    told: list[AvatarError] = []
    async with Tools(Settings(mcp=silent, tool_seconds=allowed)) as tools:
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(waited, tools, told)
        assert anyio.current_time() - began == pytest.approx(seconds)
        for _ in range(3):
            assert await waited(tools, told) == 0
        assert f"'deaf': no answer within {seconds} seconds" in str(told[0])
        assert len(told) == 1
        await anyio.sleep(61)
        assert await waited(tools, told) == seconds
        assert await waited(tools, told) == 0
        assert len(told) == 2


@pytest.mark.parametrize("anyio_backend", [VIRTUAL_TIME])
async def test_servers_are_asked_before_anybody_waits(silent: Any):
    told: list[AvatarError] = []
    async with Ensemble(Settings(chat="fake", mcp=silent)) as ensemble:
        await ensemble.load(("chat",))
        began = anyio.current_time()
        assert await ensemble.toolbox("en") is None  # nobody is there to be told
        assert await ensemble.toolbox("en", told.append) is None
        assert anyio.current_time() == began
    assert "'deaf'" in str(told[0])


@pytest.mark.parametrize("anyio_backend", [VIRTUAL_TIME])
async def test_a_server_that_is_slow_to_start_is_there_the_next_minute(
    monkeypatch: pytest.MonkeyPatch, silent: Any
):
    tool = SimpleNamespace(name="hours", description="Hours.", input_schema={})

    async def list_tools() -> SimpleNamespace:
        return SimpleNamespace(tools=[tool])

    @asynccontextmanager
    async def connect(_: McpSource) -> AsyncGenerator[SimpleNamespace]:
        await anyio.sleep(12)
        yield SimpleNamespace(list_tools=list_tools)

    monkeypatch.setattr(McpSource, "_connect", connect)
    told: list[AvatarError] = []
    async with Tools(Settings(mcp=silent)) as tools:
        assert await waited(tools, told) == 5
        await anyio.sleep(61)
        began = anyio.current_time()
        toolbox = await tools.toolbox("en")
        assert anyio.current_time() == began
    assert toolbox is not None
    assert [tool.name for tool in toolbox.tools] == ["deaf_hours"]


@pytest.mark.parametrize("server", [{}, {"command": ["x"], "url": "http://x"}])
def test_a_server_is_a_program_or_an_address(server: Any):
    with pytest.raises(ValueError, match="either"):
        Settings(mcp={"x": server})
