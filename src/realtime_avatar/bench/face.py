"""`avatar eval face`: is it believable? Every measure of the face, and its bars."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import anyio
import numpy as np

from realtime_avatar.bench import face_seen, face_sound
from realtime_avatar.bench.face_bars import bars
from realtime_avatar.bench.face_identity import WANTED, Identity
from realtime_avatar.bench.machine import machine
from realtime_avatar.bench.recordings import Clip, held_out, read_recordings
from realtime_avatar.config import load_settings
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.errors import EngineError
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media.audio import Audio

Report = dict[str, Any]

SIDE: Final = 512
"""Of the pictures that are looked at, pixels."""


def bundled_portraits() -> list[Path]:
    """Return the portraits that ship with the package."""
    return sorted(default_portrait().parent.glob("*.jpg"))


def evaluate(
    data: Path | None,
    portraits: Sequence[Path],
    *,
    clips: int = 24,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure the face.

    Args:
        data: Folder of recordings, see `recordings`; without it, what is compared with
            people is left out.
        portraits: To measure, each a row of the table.
        clips: How many recordings each portrait is driven with.
        say: Is told what is being done.

    Returns:
        "machine"; "network" (`face_sound.network`); "voices"; "silence"; "portraits" by
        name; "bars"; "missing": what could not be measured, and what to do about it.

    Raises:
        AvatarError: if a portrait or the recordings cannot be used.
    """
    missing: list[str] = []
    report: Report = {"machine": machine(), "missing": missing}
    tests = held_out(read_recordings(data)) if data else []
    if tests:
        say("the network on recordings")
        report["network"] = face_sound.network(tests)
        labels = [clip.labels for clip in tests]
        jaw = np.concatenate([face_sound.unit(x, "jawOpen") for x in labels])
        report["labels"] = {"sd": float(jaw.std()), "fastest": face_sound.speeds(labels)}
    else:
        missing.append("comparisons with people: give a folder of recordings with --data")
    say("other voices")
    settings = load_settings()
    said = anyio.run(_spoken, missing)
    report["voices"] = {
        name: face_sound.voice(audio) for name, audio in (said | face_sound.recorded()).items()
    }
    report["silence"] = face_sound.silence()
    identity = Identity() if Identity.available() else None
    if identity is None:
        missing.append(f"identity: {WANTED}")
    store = Ensemble(settings).store
    landmarker = FaceLandmarker(store.path("face-landmarker") / "face_landmarker.task")
    speech = next(iter(said.values()), [])
    report["portraits"] = {
        _name(path): _portrait(path, landmarker, tests[:clips], speech, identity, say)
        for path in portraits
    }
    report["bars"] = [asdict(bar) | {"met": bar.met} for bar in bars(report)]
    return report


async def _spoken(missing: list[str]) -> dict[str, list[Audio]]:
    async with Ensemble(load_settings()) as ensemble:
        return await face_sound.spoken(ensemble, missing)


def _name(path: Path) -> str:
    return path.stem.removesuffix("_studio_portrait")


def _portrait(
    path: Path,
    landmarker: FaceLandmarker,
    clips: Sequence[Clip],
    speech: Sequence[Audio],
    identity: Identity | None,
    say: Callable[[str], None],
) -> Report:
    say(f"{_name(path)}")
    rig, quality = enrol(landmarker, read_portrait(path), (SIDE, SIDE))
    report: Report = {"remarks": quality.remarks}
    if not clips and not speech:
        raise EngineError("face", "there is nothing to drive it with: no recordings, no voice")
    if clips:
        report["by_sound"], seen = face_seen.recordings(rig, landmarker, clips)
        report["by_labels"], _ = face_seen.recordings(rig, landmarker, clips, labels=True)
    else:
        seen = [face_seen.look(rig, landmarker, face_sound.moved(clip)) for clip in speech]
    report["step"] = max(float(film.steps.max()) for film in seen)
    if speech:
        report["closures"] = face_seen.lips_closed(rig, landmarker, speech)
    report["silence"] = face_seen.silence(rig)
    if identity:
        portrait = face_seen.rest(rig, landmarker)
        shown = [pair for film in seen for pair in zip(film.pictures, film.faces, strict=True)]
        apart = identity.distances(portrait, shown)
        report["identity"] = {
            "median": float(np.median(apart)),
            "p95": float(np.percentile(apart, 95)),
        }
    report["cost"] = {str(side): _cost(path, side) for side in (SIDE, 2 * SIDE)}
    return report


def _cost(path: Path, side: int) -> Report:
    command = [sys.executable, "-m", "realtime_avatar.bench.face_cost", str(path), str(side)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError("face", (done.stderr.strip().splitlines() or ["it died"])[-1])
    return json.loads(done.stdout)
