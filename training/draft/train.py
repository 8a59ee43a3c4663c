"""Trains a draft head on what make_data.py made, and measures it.

    python train.py model.gguf conversations.json out --seconds 300
    torchrun --nproc-per-node 4 train.py model.gguf conversations.json more.json out --seconds 300

`out` gets `head.pt` (weights and draft vocabulary), `report.json` and `examples.pt`. Several cards
share the conversations. What is held out of a file is measured on, and nothing that begins alike is
trained on.
"""

import argparse
import itertools
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from head import WINDOW, DraftHead, quantised
from make_data import load
from target import NEWLINE, Cache, Config, Target, left_padded
from torch import Tensor
from torch.nn import functional

STEPS = 4
WEIGHTS = (1.0, 0.8, 0.64, 0.51)
"""How much each draft in a row counts."""
EARLY = 16
"""Tokens of a reply that count as its beginning."""


RANK, WORLD = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
"""Which of how many processes this is: each has a card and a share of the conversations."""


@torch.no_grad()
def averaged(values: list[Tensor]) -> None:
    """Make of each process's values, where there are several, their mean."""
    if WORLD == 1:
        return
    flat = torch.cat([value.reshape(-1) for value in values])
    dist.all_reduce(flat)
    flat /= WORLD
    for value, mean in zip(values, flat.split([v.numel() for v in values]), strict=True):
        value.copy_(mean.view_as(value))


def merged(paths: list[Path]) -> dict:
    """Return the conversations of several files, of those that begin alike one."""
    files = [load(path) for path in paths]
    sets: dict[str, list[dict]] = {}
    for file in files:
        for name, entries in file["sets"].items():
            if name != "train":
                sets.setdefault(name, []).extend(entries)
    seen = {e["asked"] for entries in sets.values() for e in entries if "asked" in e}
    train = sets["train"] = []
    for file in files:
        for entry in file["sets"]["train"]:
            if "asked" in entry:
                if entry["asked"] in seen:
                    continue
                seen.add(entry["asked"])
            train.append(entry)
    pairs = Counter()
    for entry in train:
        pairs[entry["language"]] += len(entry["replies"])
    report = {
        "made": [file["report"] for file in files],
        "pairs": dict(pairs),
        "conversations": len(train),
        "tokens": sum(len(entry["tokens"]) for entry in train),
        "reply_tokens": sum(b - a for e in train for a, b in e["replies"]),
    }
    return {"report": report, "prefixes": files[0]["prefixes"], "sets": sets}


class Corpus:
    """Conversations with the target's hidden states, all in one row on the device."""

    def __init__(self, entries: list[dict], kinds: list[str]) -> None:
        self.entries = entries
        self.lengths = torch.tensor([len(e["tokens"]) for e in entries])
        self.starts = torch.cumsum(self.lengths, 0) - self.lengths
        self.kinds = torch.tensor([kinds.index(e["language"]) for e in entries])
        self.tokens = torch.tensor([t for e in entries for t in e["tokens"]])
        flags = []
        for entry in entries:
            flag = [False] * len(entry["tokens"])
            for a, b in entry["replies"]:  # the target itself makes a reply's first token
                flag[a + 1 : b] = [True] * (b - a - 1)
            flags += flag
        self.flags = torch.tensor(flags)
        self.hidden: Tensor

    @torch.no_grad()
    def read(self, target: Target, prefixes: list[Cache], budget: int = 60000) -> None:
        """Have the target read all conversations; keep its hidden states.

        Args:
            budget: Tokens read at a time.
        """
        self.hidden = torch.empty(
            len(self.tokens), target.config.hidden, dtype=target.dtype, device=target.device
        )
        for kind, prefix in enumerate(prefixes):
            order = [i for i in self.lengths.argsort().tolist() if self.kinds[i] == kind]
            while order:
                n = max(1, budget // int(self.lengths[order[-1]]))
                rows, order = order[-n:], order[:-n]
                tokens, pad = left_padded([self.entries[i]["tokens"] for i in rows], target.device)
                cache = Cache(
                    target.config, len(rows), prefix.length + tokens.shape[1], target.embedding
                )
                cache.share(prefix)
                hidden = target.forward(tokens, pad, cache)
                place = torch.arange(tokens.shape[1], device=target.device) - pad[:, None]
                real = place >= 0
                at = self.starts[rows].to(target.device)[:, None] + place
                self.hidden[at[real]] = hidden[real]

    def to(self, device: torch.device) -> None:
        for name in ("lengths", "starts", "kinds", "tokens", "flags"):
            setattr(self, name, getattr(self, name).to(device))

    def batches(self, slots: int, draw: random.Random) -> list[list[int]]:
        """Return rows of similar lengths, so many that they fill about a number of slots."""
        noisy = sorted((n * draw.uniform(0.9, 1.1), i) for i, n in enumerate(self.lengths.tolist()))
        order = [i for _, i in noisy]
        lengths = self.lengths.tolist()
        result, rows, longest = [], [], 0
        for i in order:
            longest = max(longest, lengths[i])
            if rows and longest * (len(rows) + 1) > slots:
                result.append(rows)
                rows, longest = [], lengths[i]
            rows.append(i)
        result.append(rows)
        draw.shuffle(result)
        return result

    def endless(self, slots: int, draw: random.Random) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Give batches, each with the number of the round through all conversations."""
        for epoch in itertools.count(1):
            for rows in self.batches(slots, draw):
                batch = self.batch(rows)
                if batch["flags"].any():
                    yield epoch, batch

    def batch(self, rows: list[int]) -> dict[str, Tensor]:
        """Return the slots of some conversations, padded at their right."""
        at = torch.tensor(rows, device=self.tokens.device)
        longest = int(max(len(self.entries[i]["tokens"]) for i in rows))
        place = torch.arange(longest, device=at.device)
        real = place < self.lengths[at][:, None]
        index = torch.where(real, self.starts[at][:, None] + place, 0)
        tokens = self.tokens[index]
        # Slot t guesses token t + 2, whose distribution is read off hidden state t + 1.
        flags = (self.flags[index] & real)[:, 2:]
        return {
            "hidden": self.hidden[index],
            "tokens": tokens,
            "flags": functional.pad(flags, (0, 1)),
            "kinds": self.kinds[at],
        }


class Prefixes:
    """The slots of the system prompts, by language."""

    def __init__(self, target: Target, ids: dict[str, list[int]], newline: int) -> None:
        self.caches, hidden, tokens, firsts = [], [], [], []
        for row in ids.values():
            cache, states = target.prefix(row)
            self.caches.append(cache)
            hidden.append(states[-WINDOW:])
            tokens.append([*row, newline][-WINDOW:])
            firsts.append(len(row))
        self.hidden = torch.stack(hidden)
        self.embedding = target.embedding[torch.tensor(tokens, device=target.device)]
        self.firsts = torch.tensor(firsts, device=target.device)

    def of(self, kinds: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        return self.firsts[kinds][:, None], (self.hidden, self.embedding, kinds)


class SoftCrossEntropy(torch.autograd.Function):
    """Cross-entropy between the target's distribution and a fixed matrix times an input.

    Returns the sum over rows, and for each row whether both find the same token likeliest.
    """

    @staticmethod
    def forward(ctx, x: Tensor, matrix: Tensor, wanted: Tensor, best: Tensor):
        logits = functional.linear(x, matrix).float()
        norm = logits.logsumexp(-1)
        loss = norm.sum() - (logits * wanted).sum()
        right = logits.argmax(-1) == best
        slope = (logits - norm[:, None]).exp_().sub_(wanted)
        ctx.save_for_backward(slope.to(x.dtype) @ matrix)
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx, slope: Tensor, _: Tensor):
        return ctx.saved_tensors[0] * slope, None, None, None


class Trainer:
    """Holds the head, the draft vocabulary and what both are measured against."""

    def __init__(self, target: Target, head: DraftHead, vocabulary: Tensor, prefixes: Prefixes):
        self.target, self.head, self.prefixes = target, head, prefixes
        self.vocabulary = vocabulary
        self.dtype = target.dtype
        self.matrix = target.embedding[vocabulary]
        self.teacher = target.head[vocabulary]
        self.spread = torch.ones(target.config.hidden, device=target.device)

    def prepare(self, corpus: Corpus) -> None:
        """Start the input norms so that each of their outputs varies by about one."""
        some = corpus.hidden[:: max(1, len(corpus.hidden) // 20000)].float()
        some = some * torch.rsqrt(some.square().mean(-1, keepdim=True) + 1e-6)
        self.spread = 1 / some.std(0).clamp(min=1e-3)
        self.head.norm_h.weight.data.copy_(self.spread)
        rows = self.target.embedding[self.vocabulary].float()
        rows = rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + 1e-6)
        self.head.norm_e.weight.data.copy_(1 / rows.std(0).clamp(min=1e-3))
        self.head.norm_out.weight.data.copy_(self.target.norm)
        averaged([self.spread, *(p.data for p in self.head.parameters())])

    def guesses(self, batch: dict[str, Tensor], dtype: torch.dtype) -> list[Tensor]:
        first, prefix = self.prefixes.of(batch["kinds"])
        embedding = self.target.embedding[batch["tokens"][:, 1:]]
        return self.head(batch["hidden"][:, :-1], embedding, first, prefix, STEPS, dtype)

    def loss(self, batch: dict[str, Tensor], sharp: float) -> tuple[Tensor, Tensor]:
        """Return the loss per slot and the share of right guesses by step.

        Args:
            batch: Of a corpus.
            sharp: What the target's logits are multiplied by.
        """
        flags = batch["flags"]
        following = batch["hidden"][:, 1:][flags]
        with torch.no_grad():
            logits = functional.linear(self.target.normed(following), self.teacher)
            best = logits.argmax(-1)
            wanted = (logits * sharp).softmax(-1).to(self.dtype)
            unit = self.unit(following)
        total, right = torch.zeros((), device=flags.device), []
        for weight, output in zip(WEIGHTS, self.guesses(batch, self.dtype), strict=True):
            g = output[flags]
            x = self.head.norm_out(g).to(self.dtype)
            loss, good = SoftCrossEntropy.apply(x, self.matrix, wanted, best)
            near = functional.smooth_l1_loss(self.unit(g), unit)
            total = total + weight * (loss / len(best) + 0.1 * near)
            right.append(good.float().mean())
        return total / sum(WEIGHTS), torch.stack(right)

    def unit(self, hidden: Tensor) -> Tensor:
        hidden = hidden.float()
        return hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + 1e-6) * self.spread

    def fit(self, corpus: Corpus, seconds: float, slots: int, rate: float, kind: str,
            sharp: float, decay: float, limit: int | None = None) -> list[dict]:  # fmt: skip
        """Train for a time; return what the losses were.

        Args:
            seconds: How long.
            slots: In a batch.
            rate: The highest learning rate.
            kind: Of optimizer: "adamw" or "muon" (for matrices; AdamW for the rest).
            sharp: What the target's logits are multiplied by.
            decay: Of the matrices' weights.
            limit: At most so many steps.
        """
        head = self.head
        matrices = [linear.weight for linear in head.linears()]
        rest = [p for name, p in head.named_parameters() if "norm" in name]
        betas = (0.9, 0.95)
        optimizers: list[torch.optim.Optimizer] = []
        if kind == "muon":
            optimizers.append(torch.optim.Muon(
                matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))  # fmt: skip
        else:
            optimizers.append(torch.optim.AdamW(
                matrices, lr=rate, betas=betas, weight_decay=decay, fused=True))  # fmt: skip
        optimizers.append(torch.optim.AdamW(rest, lr=1e-3, betas=betas, weight_decay=0.0))
        base = [group["lr"] for o in optimizers for group in o.param_groups]
        batches = corpus.endless(slots, random.Random(2 + RANK))
        parameters = [p for p in head.parameters() if p.requires_grad]
        begun, step, log = time.time(), 0, []
        sums, count = torch.zeros(1 + STEPS, device=self.matrix.device), 0
        while True:
            gone = step / limit if limit else self.agreed((time.time() - begun) / seconds)
            if gone >= 1:
                break
            epoch, batch = next(batches)
            warm = min(1.0, (step + 1) / 60)
            factor = warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * gone)))
            groups = [group for o in optimizers for group in o.param_groups]
            for group, lr in zip(groups, base, strict=True):
                group["lr"] = lr * factor
            head.rough(gone > 0.65)
            loss, right = self.loss(batch, sharp)
            loss.backward()
            averaged([p.grad for p in parameters])
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            sums += torch.cat([loss.detach()[None], right])
            count, step = count + 1, step + 1
            if step % 100 == 0 or (limit and step == limit):
                averaged([sums, *(p.data for p in parameters)])  # rounding may part them
                values = (sums / count).tolist()
                entry = {
                    "step": step,
                    "epoch": epoch,
                    "seconds": round(time.time() - begun, 1),
                    "loss": round(values[0], 4),
                    "right": [round(v, 4) for v in values[1:]],
                }
                if RANK == 0:
                    print(json.dumps(entry), flush=True)
                log.append(entry)
                sums.zero_()
                count = 0
        return log

    def agreed(self, value: float) -> float:
        """Return the mean of a number of each process."""
        shared = torch.tensor([value], device=self.matrix.device)
        averaged([shared])
        return float(shared)

    @torch.no_grad()
    def quantise(self) -> None:
        """Round the matrices to four bits."""
        for linear in self.head.linears():
            linear.weight.copy_(quantised(linear.weight))

    @torch.inference_mode()
    def measure(self, corpus: Corpus) -> dict:
        """Return tokens for each pass of the target by language and length of a draft."""
        self.head.eval()
        found: dict[str, Counter] = {}
        for rows in corpus.batches(8000, random.Random(0)):
            batch = corpus.batch(rows)
            right = self.hits(batch)
            for i, row in enumerate(rows):
                entry = corpus.entries[row]
                for language in (entry["language"], "all"):
                    tally = found.setdefault(language, Counter())
                    for a, b in entry["replies"]:
                        count_passes(right[i], a, b, tally)
        return {language: summary(tally) for language, tally in found.items()}

    def hits(self, batch: dict[str, Tensor]) -> list[list[list[bool]]]:
        """Return for each row and slot whether the first, second ... draft there is right."""
        outputs = self.guesses(batch, torch.float32)
        wanted = functional.pad(batch["tokens"][:, 2:], (0, 1), value=-1)
        right = []
        for output in outputs:
            logits = functional.linear(self.head.norm_out(output), self.matrix.float())
            right.append(self.vocabulary[logits.argmax(-1)] == wanted)
        return torch.stack(right, -1).tolist()


def count_passes(right: list[list[bool]], a: int, b: int, tally: Counter) -> None:
    """Go through a reply as speculative decoding would; count passes and tokens.

    Args:
        right: By slot, whether the draft is right as the first, second ... in a row.
        a: Where the reply begins; its first token is known from reading the question.
        b: Where it ends.
        tally: Counted into.
    """
    for t in range(a - 1, b - 2):
        for step in range(STEPS):
            tally["slots", step] += 1
            tally["right", step] += right[t][step]
    for drafts in range(1, STEPS + 1):
        last = a
        while last < b - 1:
            taken = 0
            while taken < drafts and last + taken < b - 1 and right[last - 1 + taken][taken]:
                taken += 1
            step = min(taken + 1, b - 1 - last)
            tally["passes", drafts] += 1
            tally["tokens", drafts] += step
            if last - a < EARLY:
                tally["early passes", drafts] += 1
                tally["early tokens", drafts] += step
            last += step


def summary(tally: Counter) -> dict:
    ks = range(1, STEPS + 1)
    return {
        "right": [round(tally["right", s] / max(1, tally["slots", s]), 4) for s in range(STEPS)],
        "tokens_per_pass": {k: round(tally["tokens", k] / tally["passes", k], 3) for k in ks},
        "early_tokens_per_pass": {
            k: round(tally["early tokens", k] / tally["early passes", k], 3) for k in ks
        },
        "reply_tokens": tally["tokens", 1],
    }


def draft_vocabulary(entries: list[dict], size: int, always: list[int]) -> tuple[list[int], dict]:
    """Return the most frequent tokens of the data, and how much of replies they cover."""
    counts: Counter = Counter()
    replies: dict[str, Counter] = {}
    for entry in entries:
        counts.update(entry["tokens"])
        for a, b in entry["replies"]:
            reply = entry["tokens"][a:b]
            counts.update(reply)  # twice: what is guessed counts for more than what is read
            replies.setdefault(entry["language"], Counter()).update(reply)
    ranked = always + [t for t, _ in counts.most_common() if t not in always]
    ids = sorted(ranked[: min(size, len(ranked)) // 16 * 16])
    chosen = set(ids)
    cover = {
        language: round(sum(n for t, n in c.items() if t in chosen) / c.total(), 5)
        for language, c in replies.items()
    }
    return ids, cover


@torch.inference_mode()
def examples(trainer: Trainer, corpus: Corpus, ids: dict[str, list[int]]) -> list[dict]:
    """Return prompts with replies, to check another implementation; two with hidden states."""
    target, head = trainer.target, trainer.head
    by_language = {lang: [e for e in corpus.entries if e["language"] == lang] for lang in ids}
    chosen = [e for lang, n in (("en", 8), ("zh", 6), ("es", 6)) for e in by_language[lang][:n]]
    result = []
    for i, entry in enumerate(chosen):
        a, b = entry["replies"][0]
        whole = ids[entry["language"]] + entry["tokens"][:b]
        prompt = len(ids[entry["language"]]) + a
        made = {"language": entry["language"], "prompt": whole[:prompt], "reply": whole[prompt:]}
        if i in (0, 8):
            _, hidden = target.prefix(whole)
            embedding = target.embedding[torch.tensor(whole[1:], device=target.device)]
            g = head(hidden[None, :-1], embedding[None], 0, None, 1, torch.float32)[0]
            logits = functional.linear(head.norm_out(g), trainer.matrix.float())[0]
            made |= {
                "hidden": hidden.half().cpu(),
                "g": g[0].half().cpu(),
                "drafts": trainer.vocabulary[logits.argmax(-1)].cpu(),
            }
        result.append(made)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--whole", type=float, default=1e9, help="seconds in which to be trained")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--slots", type=int, default=16000)
    parser.add_argument(
        "--recipes",
        nargs="+",
        default=["adamw:1e-3:1"],
        help="optimizer:rate:sharp; of several, the best in short tries is taken",
    )
    parser.add_argument("--tries", type=float, default=30, help="seconds of a short try")
    parser.add_argument("--decay", type=float, default=0.05, help="of the matrices' weights")
    parser.add_argument("--vocabulary", type=int, default=24000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true")
    args = parser.parse_args()
    if WORLD > 1:
        if len(args.recipes) > 1:
            parser.error("several cards train by one recipe")
        if args.device == "cuda":
            torch.cuda.set_device(RANK)
        dist.init_process_group("nccl" if args.device == "cuda" else "gloo")
    torch.manual_seed(3)
    torch.backends.cuda.matmul.allow_tf32 = True
    begun = time.time()
    config = Config(2, 64, 4, 2, 128) if args.toy else Config()
    target = Target.random(config) if args.toy else Target.load(args.model, args.device)
    data = merged(args.data)
    kinds = list(data["prefixes"])
    with torch.no_grad():
        prefixes = Prefixes(target, data["prefixes"], NEWLINE)
    ids, cover = draft_vocabulary(data["sets"]["train"], args.vocabulary, [151645, 151643])
    sets = {"train": Corpus(data["sets"].pop("train")[RANK::WORLD], kinds)}
    if RANK == 0:
        print("vocabulary", len(ids), cover, flush=True)
        sets |= {name: Corpus(entries, kinds) for name, entries in data["sets"].items() if entries}
        print(data["report"]["pairs"], data["report"]["tokens"], "tokens")
        print("ready to read", round(time.time() - begun, 1), flush=True)
    for corpus in sets.values():
        corpus.read(target, prefixes.caches)
        corpus.to(target.device)
    read = time.time() - begun
    print("read", round(read, 1), "s", flush=True)
    vocabulary = torch.tensor(ids, device=target.device)

    def run(recipe: str, seconds: float) -> tuple[Trainer, list[dict]]:
        kind, rate, sharp = recipe.split(":")
        torch.manual_seed(3)
        trainer = Trainer(target, DraftHead(config).to(target.device), vocabulary, prefixes)
        trainer.prepare(sets["train"])
        log = trainer.fit(sets["train"], seconds, args.slots, float(rate), kind, float(sharp),
                          args.decay, args.limit)  # fmt: skip
        return trainer, log

    tries = {}
    if len(args.recipes) > 1:
        for recipe in args.recipes:
            tries[recipe] = run(recipe, args.tries)[0].measure(sets["generated"])["all"]
            print("try", recipe, json.dumps(tries[recipe]), flush=True)
    best = max(args.recipes, key=lambda r: tries[r]["tokens_per_pass"][3] if tries else 0)
    start = time.time()
    trainer, log = run(best, min(args.seconds, args.whole - (start - begun)))
    if WORLD > 1:
        dist.destroy_process_group()
    if RANK > 0:
        return
    head = trainer.head
    trained = time.time() - start
    exact = {name: p.detach().clone() for name, p in head.named_parameters()}
    args.out.mkdir(exist_ok=True, parents=True)
    torch.save({"weights": exact, "vocabulary": ids}, args.out / "head.pt")
    print("trained", round(trained, 1), "s", flush=True)
    measured = {}
    head.rough(False)
    for tag in ("", ", 4 bits"):
        if tag:
            trainer.quantise()
        for name, corpus in sets.items():
            if name != "train":
                measured[name + tag] = trainer.measure(corpus)
    for name, values in measured.items():
        for language, value in values.items():
            print(name, language, json.dumps(value))
    report = {
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "devices": WORLD, "options": {k: str(v) for k, v in vars(args).items()},
        "data": data["report"], "vocabulary": len(ids), "cover": cover,
        "seconds": {"reading": round(read, 1), "training": round(trained, 1)},
        "tries": tries, "recipe": best, "log": log, "measured": measured,
    }  # fmt: skip
    (args.out / "report.json").write_text(json.dumps(report, indent=1))
    torch.save(examples(trainer, sets["written"], data["prefixes"]), args.out / "examples.pt")
    print("all", round(time.time() - begun, 1), "s")


if __name__ == "__main__":
    main()
