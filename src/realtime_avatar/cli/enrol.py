"""`avatar enrol`: a person's portraits or voice, made ready once and for all."""

from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from realtime_avatar.cli.face import Size, open_rig
from realtime_avatar.cli.report import telling, working
from realtime_avatar.config import Settings, load_settings
from realtime_avatar.errors import ConsentError, InputError

if TYPE_CHECKING:
    from realtime_avatar.identity.consent import Consent
    from realtime_avatar.identity.voices import EnrolledVoice

app = typer.Typer(help="Make a person ready to be seen and heard.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Make a person ready to be seen and heard."""


@app.command()
def face(
    portraits: Annotated[
        list[Path],
        typer.Argument(help="Of one person, the best first; one that smiles lends its teeth."),
    ],
    out: Annotated[Path | None, typer.Option(help="The file; default: NAME.rig.")] = None,
    size: Size = None,
) -> None:
    """Write one file from which the avatar can be shown without its portraits."""
    from realtime_avatar.face.rigfile import SUFFIX, save_rig

    out = out or Path(portraits[0].with_suffix(SUFFIX).name)
    if out.suffix.lower() != SUFFIX:
        raise InputError(f"an avatar's file ends in {SUFFIX}: {out}")
    with working("Enrolling"):
        rig = open_rig(portraits, size)
        save_rig(rig, out)
    typer.echo(f"{out}: {rig.width}x{rig.height} pixels")


@app.command()
def voice(
    sample: Annotated[
        Path, typer.Argument(help="Recording of ten to thirty seconds of one person's speech.")
    ],
    name: Annotated[str, typer.Option(help="What to call the voice.")],
    consent: Annotated[
        str,
        typer.Option(
            metavar="PERSON",
            help="Whose voice it is; by naming them you confirm the words that are shown when"
            " nobody is named.",
        ),
    ] = "",
    spoken: Annotated[
        Path | None,
        typer.Option(help="Recording in which they say “I agree that this avatar speaks with my"
                          " voice.”"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Keep the first guess, which takes seconds.")
    ] = False,
) -> None:  # fmt: skip
    """Learn a voice from a recording, with its owner's consent. Stop at any time: Ctrl-C."""
    from realtime_avatar.identity.consent import WORDING, agree
    from realtime_avatar.media.credentials import now

    if not consent:
        raise ConsentError(
            f"say whose voice it is by --consent PERSON; that means: {WORDING['voice']}"
        )
    try:
        data = sample.read_bytes()
    except OSError as error:
        raise InputError(f"there is no recording {sample}: {error.strerror}") from error
    agreed = agree("voice", consent, WORDING["voice"], data, now())
    settings = load_settings()
    with telling() as tell:
        made = anyio.run(partial(_learn, settings, name, sample, agreed, spoken, quick, tell))
    if made is None:
        return
    for what, figure in (("alike", "similarity"), ("by a second judge", "judged_similarity")):
        if figure in made.figures:
            typer.echo(f"{what}: {made.figures[figure]:.2f}")
    typer.echo(f"{made.name} is ready; try: avatar say 'Hello.' --voice '{made.name}'")


async def _learn(
    settings: Settings,
    name: str,
    sample: Path,
    agreed: "Consent",
    spoken: Path | None,
    quick: bool,
    tell: Callable[[str], None],
) -> "EnrolledVoice | None":
    from realtime_avatar.dialogue.enrolment import MODELS, Enrolment, read_recording
    from realtime_avatar.dialogue.ensemble import Ensemble

    made: EnrolledVoice | None = None
    async with Ensemble(settings) as ensemble:
        enrolment = Enrolment(
            ensemble, name, read_recording(sample), agreed, spoken and read_recording(spoken)
        )
        for model in (*MODELS, "kokoro-82m", "kokoro-voices"):
            tell(f"Fetching {model}")
            await anyio.to_thread.run_sync(ensemble.store.pull, model)
        remarks: tuple[str, ...] = ()
        async with aclosing(enrolment.guess()) as steps:
            async for step in steps:
                tell(step.stage.capitalize())
                made, remarks = step.voice or made, step.remarks
        for remark in remarks:
            typer.echo(remark, err=True)
        if quick:
            return made
        async with aclosing(enrolment.refine()) as steps:
            async for step in steps:
                tell(f"Refining, {step.share:.0%}; Ctrl-C keeps the first guess")
                made = step.voice or made
    return made
