"""Speech to motion, measured without a picture: recordings, other voices, closures, silence."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.recordings import FPS, RATE, Clip
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.engines.ports import Speaker
from realtime_avatar.errors import ModelMissing
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.network import Stream, shared
from realtime_avatar.media.audio import Audio, join, to_int16
from realtime_avatar.media.motion import INDEX, Motion
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample

Floats = NDArray[np.float32]

UNITS: Final = {
    "jawOpen": ("jawOpen",),
    "lower lip": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "pucker": ("mouthPucker",),
    "mouthClose": ("mouthClose",),
    "mouthPress": ("mouthPressLeft", "mouthPressRight"),
}
"""What is compared, and the ARKit weights of which it is the mean."""

LIPS: Final = frozenset("mbp")
"""Phonemes at which the lips meet."""

SENTENCES: Final = {
    "en": (
        "My baby brother Bob bought a big map of Paris.",
        "Please put the number of people on the table before Monday.",
        "Maybe the problem is simpler than it appears to be.",
    ),
    "es": (
        "Mi primo Pablo compró un mapa muy bonito para mamá.",
        "También pueden beber un poco de agua por la mañana.",
    ),
    "zh": ("妈妈买了八本漂亮的书，爸爸帮忙搬。", "明天我们跑步，不怕冰天雪地。"),
}
VOICES: Final = {
    "en": ("hibari", "kokoro:af_heart", "kokoro:am_adam", "kokoro:bf_emma"),
    "es": ("kokoro:ef_dora", "kokoro:em_alex"),
    "zh": ("kokoro:zf_xiaoxiao", "kokoro:zm_yunxi"),
}
RECORDINGS: Final = ("jfk.wav", "arctic_a0007.wav", "arctic_a0009.wav")
_JAW, _CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]


def moved(audio: Audio, fps: int = FPS) -> Motion:
    """Return what the product's face does while this is heard."""
    speech = SpeechMotion(fps)
    parts = [speech.push(audio), speech.finish()]
    return Motion(
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.pose for part in parts]),
    )


def correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's r; 0 where one of them is constant."""
    if min(a.std(), b.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def unit(weights: Floats, name: str) -> Floats:
    """Return one of `UNITS` out of ARKit weights."""
    return weights[:, [INDEX[part] for part in UNITS[name]]].mean(1)


def network(clips: Sequence[Clip]) -> dict[str, Any]:
    """Compare the network's own output with the labels of recordings.

    Returns:
        For each of `UNITS`: `r` over all frames, `clip`, the mean of the clips' own, and
        `spread`, its standard deviation over the labels'.
    """
    net = shared()
    columns = [INDEX[name] for name in net.units]
    made: list[Floats] = []
    for clip in clips:
        rows, _ = Stream(net).push(np.pad(clip.audio.float32(), (0, RATE)))
        weights = np.zeros((len(clip.labels), len(INDEX)), np.float32)
        weights[:, columns] = rows[1::2][: len(clip.labels), : len(columns)]
        made.append(weights)
    return compare(made, [clip.labels for clip in clips])


def compare(made: Sequence[Floats], labels: Sequence[Floats]) -> dict[str, Any]:
    """Return how well clips of weights, (frames, 52) each, agree: see `network`."""
    report: dict[str, Any] = {}
    for name in UNITS:
        a, b = ([unit(clip, name) for clip in clips] for clips in (made, labels))
        all_a, all_b = np.concatenate(a), np.concatenate(b)
        own = [correlation(x, y) for x, y in zip(a, b, strict=True) if y.std() > 1e-3]
        report[name] = {
            "r": correlation(all_a, all_b),
            "clip": float(np.mean(own)) if own else 0.0,
            "spread": float(all_a.std() / max(float(all_b.std()), 1e-6)),
        }
    return report


def speeds(weights: Sequence[Floats]) -> dict[str, float]:
    """Return what the fastest 1% of frames exceed, for each of `UNITS`, change a frame."""
    return {
        name: float(np.percentile(np.concatenate([_speed(unit(x, name)) for x in weights]), 99))
        for name in UNITS
    }


def _speed(values: Floats) -> Floats:
    return np.abs(np.diff(values))


def silence() -> float:
    """Return the widest that the jaw opens at silence, hiss at -50 dB and idling."""
    random = np.random.default_rng(0)
    widest = 0.0
    for level in (0.0, 0.003):
        pcm = to_int16((random.standard_normal(3 * RATE) * level).astype(np.float32))
        widest = max(widest, float(moved(Audio(pcm, RATE, 0)).weights[:, _JAW].max()))
    return max(widest, float(SpeechMotion().idle(100).weights[:, _JAW].max()))


async def spoken(ensemble: Ensemble, missing: list[str]) -> dict[str, list[Audio]]:
    """Return synthetic speech of several voices with its phonemes, 16 kHz, by voice.

    Args:
        ensemble: That has the voices.
        missing: Gets a sentence for each voice whose model is not there.
    """
    made: dict[str, list[Audio]] = defaultdict(list)
    for language, names in VOICES.items():
        for name in names:
            engine_name, _, speaker = name.partition(":")
            settings = ensemble.settings.model_copy(update={"voice": {language: engine_name}})
            async with Ensemble(settings, ensemble.store) as chosen:
                try:
                    engine, _ = await chosen.voice(language)
                except ModelMissing as error:
                    missing.append(f"voice {name}: {error}")
                    continue
                who = Speaker(speaker) if speaker else None
                async with engine.open(language=language, speaker=who) as voice:
                    for text in SENTENCES[language]:
                        said = join([audio async for audio in voice.speak(_once(text))])
                        made[f"{name} {language}"].append(resample(said, RATE))
    return dict(made)


def recorded() -> dict[str, list[Audio]]:
    """Return the bundled recordings of people, by name."""
    return {name: [read_audio(bundled(f"speech/{name}"))] for name in RECORDINGS}


def voice(clips: Sequence[Audio]) -> dict[str, Any]:
    """Return how one voice moves the mouth by its sound alone, and with its phonemes.

    Returns:
        `mean` and `sd` of jawOpen by sound alone; `closures`, how many m, b and p there
        are; `alone` and `told`, the share of them at which jawOpen - mouthClose gets
        below 0.02.
    """
    alone = [moved(replace(clip, phonemes=())).weights for clip in clips]
    jaw = np.concatenate(alone)[:, _JAW]
    report: dict[str, Any] = {"mean": float(jaw.mean()), "sd": float(jaw.std())}
    if any(clip.phonemes for clip in clips):
        told = [moved(clip).weights for clip in clips]
        for label, made in (("alone", alone), ("told", told)):
            gaps = [
                float((weights[span, _JAW] - weights[span, _CLOSE]).min())
                for weights, clip in zip(made, clips, strict=True)
                for span in closures(clip, len(weights))
            ]
            report[label] = float(np.mean(np.array(gaps) < 0.02))
            report["closures"] = len(gaps)
    return report


def closures(audio: Audio, frames: int) -> list[slice]:
    """Return the frames, at 25 fps, in which each m, b and p lies."""
    spans: list[slice] = []
    for phoneme in audio.phonemes:
        first = (phoneme.start - audio.start) * FPS // audio.rate
        last = -(-(phoneme.end - audio.start) * FPS // audio.rate)
        if phoneme.symbol in LIPS and first < frames:
            spans.append(slice(first, max(first + 1, min(last, frames))))
    return spans


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
