"""`avatar engines`: what is installed, what is missing and how to get it."""

from typing import Annotated, Any

import typer

from realtime_avatar.cli.report import print_json, print_table
from realtime_avatar.config import load_settings
from realtime_avatar.errors import ConfigError, ModelMissing


def engines(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the installed engines, what they miss and how to get it."""
    from realtime_avatar.engines.registry import KINDS, engine_class, names
    from realtime_avatar.models.store import ModelStore

    settings = load_settings()
    store = ModelStore(settings.models, offline=settings.offline)
    found: list[dict[str, Any]] = []
    for kind in KINDS:
        for name in names(kind):
            missing: list[str] = []
            problem = ""
            try:
                for model in engine_class(kind, name).models:
                    try:
                        store.path(model)
                    except ModelMissing:
                        missing.append(model)
            except ConfigError as error:
                problem = str(error)
            if missing:
                problem = "avatar models pull " + " ".join(missing)
            found.append(
                {
                    "kind": kind,
                    "name": name,
                    "default": name in settings.chosen(kind),
                    "ready": not problem,
                    "missing": missing,
                    "remedy": problem,
                }
            )
    if json:
        print_json(found)
        return
    rows = [
        [
            engine["kind"],
            engine["name"],
            "yes" if engine["default"] else "",
            "ready" if engine["ready"] else engine["remedy"],
        ]
        for engine in found
    ]
    print_table("Engines", ["kind", "name", "chosen", "state"], rows)
