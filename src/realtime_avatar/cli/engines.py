"""`avatar engines`: what is installed, what is missing and how to get it; engines built anew."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from realtime_avatar.cli.report import print_json, print_table
from realtime_avatar.config import load_settings
from realtime_avatar.errors import ConfigError, ModelMissing

app = typer.Typer()


class Backend(StrEnum):
    """What networks are built for."""

    ONNX = "onnx"
    TENSORRT = "tensorrt"


@app.callback(invoke_without_command=True)
def engines(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the installed engines, what they miss and how to get it."""
    if context.invoked_subcommand:
        return
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


@app.command()
def build(
    engine: Annotated[str, typer.Argument(help="Which: ditto.")],
    backend: Annotated[Backend, typer.Option(help="For what.")] = Backend.ONNX,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; by default in the user's cache.")
    ] = None,
) -> None:
    """Write an engine's networks for another runtime; each is checked against PyTorch first.

    With `tensorrt`, TensorRT or TensorRT-RTX builds an engine of each, whichever is installed.
    """
    from realtime_avatar.cli.report import telling
    from realtime_avatar.models.store import ModelStore

    if engine != "ditto":
        raise ConfigError(
            f"there is nothing to build of the engine {engine!r}; of 'ditto' there is"
        )
    try:
        from realtime_avatar.face.ditto import checkpoint, onnx_export, tensorrt
    except ImportError:
        raise ConfigError(
            "building Ditto needs PyTorch; install it: pip install 'realtime-avatar[gpu]'"
        ) from None
    if backend is Backend.TENSORRT:
        tensorrt.library()  # before minutes of work
    settings = load_settings()
    options = settings.engines.get("ditto", {})
    store = ModelStore(settings.models, offline=settings.offline)
    folder = output or tensorrt.default_folder()
    weights = checkpoint.load(Path(options.get("checkpoint") or store.path("ditto")))
    off: dict[str, float] = {}
    with telling() as tell:

        def report(name: str, error: float) -> None:
            off[name] = error
            tell(f"{name} written")

        side = int(options.get("side", 512)) // 8
        onnx_export.export(weights, folder, side, report, half=backend is Backend.TENSORRT)
    if backend is Backend.TENSORRT:
        tensorrt.build(folder)
    print_table(
        f"Written to {folder}", ["network", "off from PyTorch's"],
        [[name, f"{error:.1e}"] for name, error in off.items()],
    )  # fmt: skip
