"""`avatar serve`: the page on which people talk to the avatar."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from realtime_avatar.cli.report import working
from realtime_avatar.config import Settings, load_settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 for the whole network.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    portrait: Annotated[
        Path | None, typer.Option(help="Photograph of the avatar; by default the bundled one.")
    ] = None,
    persona: Annotated[Path | None, typer.Option(help="File that says who the avatar is.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Keep to this language (en, zh, es); by default it is heard.")
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(help="Conversations at once; by default one for each core.")
    ] = None,
    require_keys: Annotated[
        bool | None,
        typer.Option(
            "--require-keys/--open-to-anyone",
            help="Whether everybody must show an API key (`avatar keys`); by default whoever"
            " comes from another machine.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Run the engines on a cluster of Ray: the one that this machine belongs to, or"
            " the one at cluster.address. See docs/scaling.md.",
        ),
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Let people talk to the avatar in their browsers."""
    settings = load_settings(
        host=host,
        port=port,
        portrait=portrait,
        persona=persona,
        language=language,
        max_sessions=max_sessions,
        require_keys=require_keys,
        cluster={"enabled": True} if cluster else None,
    )
    from realtime_avatar.engines.runtime import share_memory
    from realtime_avatar.telemetry.logs import set_up_logs

    share_memory()
    set_up_logs(json=settings.log_json)
    anyio.run(partial(_serve, settings, open_page=open_))


async def _serve(settings: Settings, *, open_page: bool) -> None:
    from realtime_avatar.server.run import run
    from realtime_avatar.thinking.persona import read_persona

    name = settings.name
    if settings.persona:
        name = read_persona(settings.persona, name).name
    with ExitStack() as loading:
        loading.enter_context(working("Loading the models"))

        def started(address: str) -> None:
            loading.close()
            print(f"Talk to {name} at {address}", flush=True)
            if settings.host not in ("127.0.0.1", "::1", "localhost") and not settings.tls_cert:
                print(
                    "Browsers on other machines allow the microphone on https only:"
                    " set tls_cert, or put a proxy before it.",
                    file=sys.stderr,
                )
            if open_page:
                typer.launch(address)

        await run(settings, started)
