"""`avatar doctor`: what keeps people from talking to the avatar, and what to do."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from realtime_avatar.cli.report import print_json
from realtime_avatar.config import Settings, load_settings

if TYPE_CHECKING:
    from realtime_avatar.server.checkup import Finding

_MARKS = {"good": "[green]✓[/]", "poor": "[yellow]![/]", "bad": "[red]✗[/]"}


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what keeps people from talking to the avatar; exit with 1 if anything does."""
    findings = anyio.run(_examine, load_settings(), json)
    if json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings, quiet: bool) -> "list[Finding]":
    from rich.console import Console
    from rich.markup import escape

    from realtime_avatar.server.checkup import examine

    console, findings = Console(quiet=quiet, highlight=False), list["Finding"]()
    async for finding in examine(settings):
        console.print(
            _MARKS[finding.state], f"[bold]{escape(finding.what)}[/]:", end=" ", soft_wrap=True
        )
        console.print(finding.words, markup=False, soft_wrap=True)
        findings.append(finding)
    return findings
