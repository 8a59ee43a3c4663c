"""Makes the corpus, trains the motion network on it, and writes that as ONNX.

python training/motion/train.py --data DIR --work WORK --out src/realtime_avatar/face/weights/motion.onnx
"""  # noqa: E501

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from augment import faster, roomed, varied
from corpus import OUTPUTS, Corpus, gather
from data import UNITS, Array, Clip
from export import export
from network import AHEAD, MotionNetwork
from numpy.typing import NDArray
from speech import make

from realtime_avatar.face.spectrum import Leveller

SPEEDS = (0.8, 0.88, 1.12, 1.25)
# What the eye sees first counts most.
WEIGHT = {
    "jawOpen": 4, "mouthLowerDown": 2, "mouthPucker": 3, "mouthClose": 2.5, "mouthPress": 2.5,
    "closed": 1.5, "tucked": 1, "rounded": 1,
}  # fmt: skip
SHARE = 1.0  # of what is not a recording, an epoch
LEAD = 30  # frames of silence, at most, in front of a clip
FINEST = 0.004  # a spread of labels below this is noise


def weights_of(outputs: tuple[str, ...]) -> Array:
    return np.array(
        [next((w for n, w in WEIGHT.items() if u.startswith(n)), 0.5) for u in outputs], np.float32
    )


class Batches:
    """An epoch's clips, those of nearly equal length side by side, varied anew each time.

    The bars are about the recordings: each is heard twice, once as it is; of everything
    else a share is drawn.
    """

    def __init__(self, corpus: Corpus, others: list[Clip], random: np.random.Generator, size: int):
        self.random, self.size, self.prior = random, size, corpus.prior
        self.still = np.pad(corpus.rest, (0, len(OUTPUTS) - len(UNITS)))
        self.clips = [*corpus.train, *others]
        self.mels = [c.mels.astype(np.float16) for c in self.clips]
        self.recordings = len(corpus.train)
        self.drawn = int(SHARE * len(others))
        self.count = -(-(2 * self.recordings + self.drawn) // size)

    def __iter__(self):
        recordings = np.arange(self.recordings)
        drawn = self.random.choice(len(self.clips) - self.recordings, self.drawn, replace=False)
        drawn += self.recordings
        order = np.concatenate([recordings, recordings, drawn])
        change = np.concatenate(
            [recordings < 0, recordings >= 0, self.random.random(len(drawn)) < 0.75]
        )
        lengths = [len(self.clips[i].labels) + self.random.random() for i in order]
        sorted_ = np.argsort(lengths)
        starts = list(range(0, len(order), self.size))
        self.random.shuffle(starts)
        for start in starts:
            some = sorted_[start : start + self.size]
            yield self.batch(order[some], change[some])

    def batch(self, some: NDArray[np.int64], change: NDArray[np.bool_]) -> list[torch.Tensor]:
        frames = max(len(self.clips[i].labels) for i in some) + LEAD
        mels = np.full((len(some), frames * 4 + 2 * AHEAD, 64), -12, np.float32)
        labels = np.zeros((len(some), frames, len(OUTPUTS)), np.float32)
        mask = np.zeros((len(some), frames), np.float32)
        trust = np.stack([self.clips[i].trust for i in some])
        for row, i in enumerate(some):
            n = len(self.clips[i].labels)
            # The recordings begin at the same moment before a breath; nothing else does.
            lead = self.random.integers(0, LEAD + 1) if change[row] else 0
            mels[row, : 4 * lead] = self.mels[i][self.random.integers(0, 8, 4 * lead)]
            mels[row, 4 * lead : 4 * (lead + n)] = self.mels[i][: 4 * n]
            labels[row, :lead] = self.still
            labels[row, lead : lead + n] = self.clips[i].labels
            mask[row, : lead + n] = 1
        mels = varied(mels, change, self.random)
        mels = Leveller(self.priors(mels), len(some)).level(mels)
        return [torch.from_numpy(x) for x in (mels.transpose(0, 2, 1).copy(), labels, mask, trust)]

    def priors(self, mels: Array) -> Array:
        """Return means to begin with: as at the start of a stream, or well into one."""
        loud = np.log(np.exp(mels).mean(2))
        speech = loud > np.percentile(loud, 95, axis=1, keepdims=True) - 25 * np.log(10) / 10
        own = (mels * speech[..., None]).sum(1) / speech.sum(1)[:, None]
        known = self.random.uniform(-0.6, 1.0, (len(mels), 1)).clip(0)
        return (self.prior + known * (own - self.prior)).astype(np.float32)


def prior_of(clips: list[Clip]) -> Array:
    """Return the mean over speech of each band, shape (64,)."""
    mels = np.concatenate([c.mels for c in clips])
    loud = np.log(np.exp(mels).mean(1))
    return mels[loud > np.percentile(loud, 95) - 30 * np.log(10) / 10].mean(0)


def silence(count: int, silent: Array, random: np.random.Generator) -> list[Clip]:
    """Return clips in which nobody speaks: digital silence, hiss of any level."""
    labels = np.zeros((75, len(OUTPUTS)), np.float32)
    labels[:, : len(UNITS)] = silent
    trust = np.ones(len(OUTPUTS), np.float32)
    return [
        Clip(
            "silence",
            (random.standard_normal(75 * 640) * 10 ** random.uniform(-5, -2.3)).astype(np.float32),
            labels,
            trust,
        )
        for _ in range(count)
    ]


def beside(corpus: Corpus, random: np.random.Generator) -> list[Clip]:
    """Return what is heard beside the recordings: other voices, speeds, rooms, silence."""

    def some(clips: list[Clip], share: float) -> list[Clip]:
        count = int(len(clips) * share)
        return [clips[i] for i in random.choice(len(clips), count, replace=False)]

    spoken = [*corpus.voices, *corpus.free]
    made = list(spoken)
    for speed in SPEEDS:
        made += [faster(c, speed) for c in (*some(corpus.train, 0.1), *some(spoken, 0.06))]
    made += [roomed(c, random) for c in (*some(corpus.train, 0.1), *some(spoken, 0.1))]
    return made + silence(60, corpus.rest, random)


@torch.no_grad()
def predict(net: MotionNetwork, clips: list[Clip], prior: Array) -> list[Array]:
    """Return the network's output at 25 fps for each clip, shape (frames, outputs)."""
    net.eval()
    out = []
    for clip in clips:
        mels = np.pad(clip.mels, ((0, 2 * AHEAD), (0, 0)), constant_values=-12)[None]
        x = torch.from_numpy(Leveller(prior).level(mels)[0].T[None].copy())
        out.append(net(x)[0].T.numpy())
    return out


def correlations(predicted: list[Array], clips: list[Clip]) -> dict[str, float]:
    """Return Pearson's r of each unit over all frames, and the spread of jawOpen."""
    p = np.concatenate(predicted)
    q = np.concatenate([c.labels for c in clips])
    p, q = p - p.mean(0), q - q.mean(0)
    r = (p * q).mean(0) / (p.std(0) * q.std(0) + 1e-9)
    found = dict(zip(OUTPUTS, r.tolist(), strict=True))
    for name in ("mouthLowerDown", "mouthPress", "mouthUpperUp"):
        found[name] = (found[name + "Left"] + found[name + "Right"]) / 2
    jaw = UNITS.index("jawOpen")
    return {**found, "spread": float(p[:, jaw].std() / q[:, jaw].std())}


def summary(r: dict[str, float]) -> str:
    shown = {
        "jaw": "jawOpen", "lower": "mouthLowerDown", "pucker": "mouthPucker",
        "close": "mouthClose", "press": "mouthPress", "funnel": "mouthFunnel",
        "closed": "closed", "tucked": "tucked", "rounded": "rounded", "spread": "spread",
    }  # fmt: skip
    return " ".join(f"{short} {r[name]:.3f}" for short, name in shown.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="recordings (see README)")
    parser.add_argument("--work", type=Path, required=True, help="keeps the synthetic speech")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--channels", type=int, default=144)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    make(args.data, args.work)
    corpus = gather(args.data, args.work, prior_of)
    train(corpus, args, np.random.default_rng(args.seed))


def train(corpus: Corpus, args: argparse.Namespace, random: np.random.Generator) -> None:
    batches = Batches(corpus, beside(corpus, random), random, 20)
    real = np.concatenate([c.labels for c in corpus.train])
    scale = torch.from_numpy(weights_of(OUTPUTS) / np.maximum(real.std(0), FINEST) ** 2)
    scale = (scale / scale.numel()).to(args.device)
    net = MotionNetwork(len(OUTPUTS), args.channels)
    with torch.no_grad():
        net.head.weight.mul_(0.1)
        net.head.bias.copy_(torch.from_numpy(real.mean(0)))
    average = copy.deepcopy(net)
    net.to(args.device)
    count = sum(p.numel() for p in net.parameters())
    print(f"{count:,} parameters, {batches.count} batches of {len(batches.clips)} clips")
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2e-3, args.epochs * batches.count, pct_start=0.1
    )
    started, done = time.perf_counter(), 0
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for batch in batches:
            mels, labels, mask, trust = (x.to(args.device) for x in batch)
            with torch.autocast(args.device, torch.bfloat16):
                out = net(mels).transpose(1, 2)
            off = (out.float() - labels) * mask[..., None]
            weight = scale * trust[:, None]
            loss = (off.square() * weight).sum() + 0.5 * (off.diff(dim=1).square() * weight).sum()
            loss = loss / mask.sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            keep = min(0.997, done / (done + 30))
            with torch.no_grad():
                for a, b in zip(average.parameters(), net.parameters(), strict=True):
                    a.lerp_(b.to(a.device), 1 - keep)
            total += loss.item()
        line = f"{epoch + 1} {time.perf_counter() - started:.0f} s loss {total / batches.count:.3f}"
        if epoch % 8 == 7 or epoch == args.epochs - 1:
            r = correlations(predict(average, corpus.choose, corpus.prior), corpus.choose)
            line += f" {summary(r)}"
            some = corpus.others[::3]
            r = correlations(predict(average, some, corpus.prior), some)
            line += f" | other voices {summary(r)}"
            export(average, corpus.prior, corpus.rest, OUTPUTS, args.out)
        print(line, flush=True)


if __name__ == "__main__":
    main()
