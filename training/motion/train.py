"""Makes the corpus, trains the motion network on it, and writes that as ONNX.

python training/motion/train.py --data DIR --work WORK --out src/realtime_avatar/face/weights/motion.onnx
"""  # noqa: E501

import argparse
from pathlib import Path

import torch
from batches import prior_of
from corpus import OUTPUTS, Corpus, gather
from export import export
from fit import fit
from network import MotionNetwork
from speech import make
from teach import taught

EPOCHS = 128
SEED = 7
CLOSED = 4.0  # weight of lips that meet: heard in more voices than with 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="recordings (see README)")
    parser.add_argument("--work", type=Path, required=True, help="keeps the synthetic speech")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="teachers that learn at once")
    args = parser.parse_args()
    make(args.data, args.work)
    corpus = gather(args.data, args.work, prior_of)
    net = train(corpus, args.device, args.workers)
    export(net, corpus.prior, corpus.rest, OUTPUTS, args.out)


def train(corpus: Corpus, device: str, workers: int) -> MotionNetwork:
    """Return the student of eight teachers, on the CPU."""
    torch.set_num_threads(1)
    student = taught(corpus, SEED + 1, device, workers)
    return fit(student, EPOCHS, SEED, device, "student", CLOSED).cpu()


if __name__ == "__main__":
    main()
