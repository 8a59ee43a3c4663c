"""Compares draft heads, in four bits, on what is held out of conversations.

    python measure.py model.gguf conversations.json more.json --heads old/head.pt new/head.pt

It prints tokens for each pass with three guesses, in brackets for passes that begin early in an
answer, and the shares of right guesses. "train" is every hundredth conversation of the training.
"""

import argparse
import json
from pathlib import Path

import torch
from head import DraftHead
from target import NEWLINE, Config, Target
from train import Corpus, Prefixes, Trainer, merged

GUESSES = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--heads", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, help="where to write all figures")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true")
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    config = Config(2, 64, 4, 2, 128) if args.toy else Config()
    target = Target.random(config) if args.toy else Target.load(args.model, args.device)
    data = merged(args.data)
    kinds = list(data["prefixes"])
    with torch.no_grad():
        prefixes = Prefixes(target, data["prefixes"], NEWLINE)
    some = data["sets"].pop("train")[::100]  # to see how much better what was learnt is guessed
    sets = {name: entries for name, entries in data["sets"].items() if entries} | {"train": some}
    figures: dict[str, dict] = {}
    for name, entries in sets.items():
        corpus = Corpus(entries, kinds)
        corpus.read(target, prefixes.caches)
        corpus.to(target.device)
        for path in args.heads:
            saved = torch.load(path, map_location=target.device)
            vocabulary = torch.tensor(saved["vocabulary"], device=target.device)
            head = DraftHead(config).to(target.device)
            head.load_state_dict({key: value.float() for key, value in saved["weights"].items()})
            trainer = Trainer(target, head, vocabulary, prefixes)
            trainer.quantise()
            found = figures.setdefault(str(path), {})[name] = trainer.measure(corpus)
            for language, values in found.items():
                per_pass, early = (
                    values[key][GUESSES] for key in ("tokens_per_pass", "early_tokens_per_pass")
                )
                print(path, name, language, per_pass, f"({early})", values["right"], flush=True)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
