"""A server of tools for the tests, by stdio; with the argument "http" it prints its port."""

import os
import sys

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("museum")


@server.tool()
def opening_hours(day: str) -> str:
    """Tell when the museum is open."""
    if day == "Someday":
        raise ToolError("there is no such day")
    return f"On {day} from ten to six, {os.environ.get('GREETING', 'welcome')}."


@server.tool()
async def sleep() -> str:
    """Never answer."""
    await anyio.sleep_forever()
    return ""


@server.tool()
def die() -> str:
    """End the server."""
    os._exit(1)


async def serve_http() -> None:
    import socket

    import uvicorn

    line = socket.create_server(("127.0.0.1", 0))
    print(line.getsockname()[1], flush=True)
    app = server.streamable_http_app()
    await uvicorn.Server(uvicorn.Config(app, log_level="error")).serve(sockets=[line])


if __name__ == "__main__":
    if sys.argv[1:] == ["http"]:
        anyio.run(serve_http)
    else:
        server.run("stdio")
