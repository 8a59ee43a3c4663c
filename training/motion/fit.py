"""Fits one network to a corpus, and says how well it does."""

import copy
import os
import time

import numpy as np
import torch
from augment import faster, roomed
from batches import Batches, heard
from corpus import OUTPUTS, Corpus
from data import UNITS, Array, Clip
from network import MotionNetwork

# So that a GPU does the same again: cuBLAS needs a workspace for that.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
torch.use_deterministic_algorithms(True)
torch.utils.deterministic.fill_uninitialized_memory = False  # only slower

SPEEDS = (0.8, 0.88, 1.12, 1.25)
# What the eye sees first counts most.
WEIGHT = {
    "jawOpen": 4, "mouthLowerDown": 2, "mouthPucker": 3, "mouthClose": 2.5, "mouthPress": 2.5,
    "tucked": 1, "rounded": 1,
}  # fmt: skip
FINEST = 0.004  # a spread of labels below this is noise
RATE = 2e-3  # of learning, at most


def weights_of(table: dict[str, float]) -> Array:
    return np.array(
        [next((w for n, w in table.items() if u.startswith(n)), 0.5) for u in OUTPUTS], np.float32
    )


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


def fit(
    corpus: Corpus, epochs: int, seed: int, device: str, name: str, closed: float
) -> MotionNetwork:
    """Return a network trained on a corpus, on `device`; the mean over its last steps.

    The same seed on the same device and versions gives the same network. `name` goes before
    what is printed; `closed` is the weight of the lips that meet.
    """
    torch.manual_seed(seed)
    others = beside(corpus, np.random.default_rng(seed))
    batches = Batches(corpus.train, others, corpus.rest, corpus.prior, seed, device)
    real = np.concatenate([c.labels for c in corpus.train])
    scale = (
        weights_of({**WEIGHT, "closed": closed})
        / np.maximum(real.std(0), FINEST) ** 2
        / len(OUTPUTS)
    )
    scale = torch.from_numpy(scale).to(device)
    net = MotionNetwork(len(OUTPUTS))
    with torch.no_grad():
        net.head.weight.mul_(0.1)
        net.head.bias.copy_(torch.from_numpy(real.mean(0)))
    net.to(device)
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, epochs * len(batches), pct_start=0.1
    )
    means, weights = list(average.parameters()), list(net.parameters())
    started, done = time.perf_counter(), 0
    for epoch in range(1, epochs + 1):
        net.train()
        total = torch.zeros((), device=device)
        for mels, labels, mask, trust in batches:
            off = (net(mels).transpose(1, 2) - labels) * mask[..., None]
            counts = scale * trust[:, None]
            loss = (off.square() * counts).sum() + 0.5 * (off.diff(dim=1).square() * counts).sum()
            loss = loss / mask.sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            keep = min(0.997, done / (done + 30))
            with torch.no_grad():
                torch._foreach_lerp_(means, weights, 1 - keep)
            total += loss.detach()
        if epoch % 8 == 0 or epoch == epochs:
            took, loss = time.perf_counter() - started, total.item() / len(batches)
            r = correlations(predict(average, corpus.choose, corpus.prior), corpus.choose)
            print(f"{name} {epoch} {took:.0f} s loss {loss:.3f} {summary(r)}", flush=True)
    return average


@torch.no_grad()
def predict(net: MotionNetwork, clips: list[Clip], prior: Array) -> list[Array]:
    """Return the network's output at 25 fps for each clip, shape (frames, outputs)."""
    net.eval()
    device = net.head.weight.device
    return [net(heard(clip, prior, device))[0].T.cpu().numpy() for clip in clips]


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
