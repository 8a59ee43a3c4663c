"""Measures the shipped network, through the code that the product runs it with.

    python training/motion/evaluate.py --data DIR [--speech SPEECH] [--audio FILE.wav ...]

On the recordings held out: Pearson's r of each unit over all frames, and the mean of the
clips' own. On other voices: how widely the jaw moves beside the recordings, and how far the
lips are apart where phonemes say that they meet. On silence: how still it is.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from align import spoken
from data import UNITS, Array, Clip, read, split
from speech import VOICES

from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.network import Stream, shared
from realtime_avatar.media import Audio, Phoneme
from realtime_avatar.media.audio import to_int16
from realtime_avatar.media.motion import INDEX

PAIRS = ("mouthLowerDown", "mouthPress", "mouthUpperUp", "mouthSmile", "mouthStretch")
BARS = {"jawOpen": 0.92, "mouthLowerDown": 0.85, "mouthPucker": 0.78,
        "mouthClose": 0.72, "mouthPress": 0.68}  # fmt: skip
JAW, CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]


def outputs(pcm: Array, frames: int) -> Array:
    """Return the network's outputs at 25 fps, shape (frames, units)."""
    rows, _ = Stream(shared()).push(np.pad(pcm, (0, 16_000)))
    return rows[1::2][:frames, : len(UNITS)]


def motion(pcm: Array, phonemes: tuple[Phoneme, ...] = ()) -> Array:
    """Return what the product would show, shape (frames, 52)."""
    speech = SpeechMotion()
    audio = Audio(to_int16(pcm), 16_000, 0, phonemes=phonemes)
    return np.concatenate([speech.push(audio).weights, speech.finish().weights])


def held_out(clips: list[Clip]) -> None:
    said = [outputs(c.pcm, len(c.labels)) for c in clips]
    p, q = np.concatenate(said), np.concatenate([c.labels for c in clips])
    print(f"held-out recordings: {len(clips)} clips, {len(q)} frames")
    rows: dict[str, list[int]] = defaultdict(list)
    for i, unit in enumerate(UNITS):
        pair = next((name for name in PAIRS if unit.startswith(name)), unit)
        rows[pair].append(i)
    for name, columns in rows.items():
        if q[:, columns].std() < 0.002:
            continue
        r = np.mean([np.corrcoef(p[:, i], q[:, i])[0, 1] for i in columns])
        own = np.mean(
            [
                np.corrcoef(a[:, i], c.labels[:, i])[0, 1]
                for i in columns
                for a, c in zip(said, clips, strict=True)
                if c.labels[:, i].std() > 1e-4
            ]
        )
        spread = np.mean([p[:, i].std() / q[:, i].std() for i in columns])
        bar = f" (bar {BARS[name]})" if name in BARS else ""
        print(f"  {name:18} r {r:.3f}{bar}, clip by clip {own:.3f}, spread {spread:.2f}")


def voice(name: str, clips: list[tuple[Array, list[Phoneme]]], spread: float) -> None:
    """Print the jaw's movement, with and without what the voice knows of its phonemes."""
    alone = [motion(pcm) for pcm, _ in clips]
    jaw = np.concatenate(alone)[:, JAW]
    line = f"  {name:16} jawOpen mean {jaw.mean():.3f} sd {jaw.std():.3f} ({jaw.std() / spread:.2f}"
    line += " of the labels')"
    if any(phonemes for _, phonemes in clips):
        told = [motion(pcm, tuple(phonemes)) for pcm, phonemes in clips]
        for label, made in (("alone", alone), ("told", told)):
            gaps = [
                gap(weights, phoneme)
                for weights, (_, phonemes) in zip(made, clips, strict=True)
                for phoneme in phonemes
                if phoneme.symbol in ("m", "b", "p")
            ]
            closed = np.mean(np.array(gaps) < 0.02)
            line += f"; m b p {label}: closed {closed:.0%} of {len(gaps)}"
    print(line)


def gap(weights: Array, phoneme: Phoneme) -> float:
    """Return the least opening, jawOpen - mouthClose, in the frames that a sound lies in."""
    first = phoneme.start // 640
    last = max(first + 1, -(-phoneme.end // 640))
    opening = weights[first:last, JAW] - weights[first:last, CLOSE]
    return float(opening.min()) if len(opening) else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--audio", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    train, _, test = split(read(args.data))
    held_out(test)
    spread = float(np.concatenate([c.labels for c in train])[:, UNITS.index("jawOpen")].std())
    print(f"other voices (labels: sd {spread:.3f})")
    for path in args.audio:
        pcm, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000, f"{path} is not 16 kHz"
        voice(path.stem, [(pcm, [])], spread)
    voices: dict[str, list[tuple[Array, list[Phoneme]]]] = defaultdict(list)
    for line, pcm, phonemes in spoken(args.speech) if args.speech else []:
        if not line["clip"] and line["speaker"] not in VOICES:
            voices[f"{line['speaker']} {line['language']}"].append((pcm, phonemes))
    for name, clips in voices.items():
        voice(name, clips[:12], spread)
    random = np.random.default_rng(0)
    for name, level in (("digital silence", 0.0), ("hiss at -50 dB", 0.003)):
        pcm = (random.standard_normal(48_000) * level).astype(np.float32)
        print(f"  {name}: jawOpen at most {motion(pcm)[:, JAW].max():.3f}")


if __name__ == "__main__":
    main()
