"""Lets the model make up conversations, on which a draft head is trained and measured.

    python make_data.py model.gguf conversations.json.gz --seconds 200
    python make_data.py model.gguf more.json.gz --seed 2 --without conversations.json.gz

Questions, remarks and sentences of novels: the model continues a user's turn, whose topic and
first words are drawn from seeds.py; replies: it answers under the avatar's own system prompt. More
data, of another seed, asks nothing again that is in the files named; some of it is held out, as
"talks".
"""

import argparse
import gzip
import json
import random
import re
import time
import zlib
from pathlib import Path

import torch
from held_out import QUESTIONS
from seeds import (
    CHAT,
    FOLLOW_UPS,
    HINTS,
    OPENERS,
    REQUESTS,
    TALE,
    TALE_OPENERS,
    TOPICS,
    words,
)
from target import IM_END, Cache, Config, Target, generate
from tokenizers import Tokenizer

from realtime_avatar.thinking.local.gguf import Gguf
from realtime_avatar.thinking.local.vocabulary import Vocabulary
from realtime_avatar.thinking.persona import Persona, system_prompt

SHARES = {"en": 1 / 3, "zh": 1 / 3, "es": 1 / 3}
KINDS = {"question": 0.55, "remark": 0.2, "tale": 0.12, "request": 0.13}
"""What a conversation begins with."""
HELD_OUT, TALKS = 300, 75
LONGEST_QUESTION, LONGEST_REPLY = 40, 110
TURN = "<|im_end|>\n<|im_start|>assistant\n"
AGAIN = "\n<|im_start|>user\n"
UNSPOKEN = re.compile(r"[`*#<>{}\[\]|\\\n_=~]|https?:")
CODE = re.compile(
    r"python|javascript|java\b|c\+\+|html|css|sql|código|代码|编程|程序|\bcode\b", re.IGNORECASE
)
HAN = re.compile(r"[一-鿿]")
OTHER = re.compile(r"[\u0250-\u1fff\u2e80-\uffff]")


def speakable(text: str, language: str) -> bool:
    """Return whether a text is one that somebody might say in a language."""
    han = len(HAN.findall(text))
    if UNSPOKEN.search(text) or not text:
        return False
    if language == "zh":
        return han >= 0.4 * len(text)
    return not OTHER.search(text)


def as_heard(text: str, language: str, draw: random.Random) -> str:
    """Now and then return a text without punctuation or capitals, as recognisers write."""
    if draw.random() > 0.12:
        return text
    text = re.sub(r"[.,!?¡¿;:，。！？；：]", "", text).strip()
    return text if language == "zh" else text.lower()


def plain(text: str) -> str:
    """Return a text without what two that ask the same may differ in."""
    return re.sub(r"[\W_]", "", text.lower())


def load(path: Path) -> dict:
    """Return what was written to a file; .gz is packed."""
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


class Maker:
    """Makes questions and replies in one language."""

    def __init__(
        self, target: Target, tokenizer: Tokenizer, language: str, system: str, seed: int
    ) -> None:
        self.target, self.tokenizer, self.language = target, tokenizer, language
        self.prefix_ids = self.ids(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user")
        with torch.inference_mode():
            self.prefix: Cache = target.prefix(self.prefix_ids)[0]
        self.draw = random.Random(f"seeds {language} {seed}")
        self.topics, self.openers = words(TOPICS[language]), words(OPENERS[language])
        self.seen = set(map(plain, QUESTIONS[language].strip().splitlines()))

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def without(self, entries: list[dict]) -> None:
        """Ask nothing again that conversations began with."""
        mine = [entry for entry in entries if entry["language"] == self.language]
        begun = [entry["tokens"][: entry["replies"][0][0]] for entry in mine]
        for text in self.tokenizer.decode_batch(begun):
            self.seen.add(plain(text.strip().removesuffix("assistant")))

    def begun(self, kind: str) -> tuple[str, str]:
        """Return a hint and the first words of a turn."""
        hint, openers = HINTS, self.openers
        if kind in ("tale", "request"):
            hint, openers = TALE, TALE_OPENERS[self.language].split("|")
        elif kind == "remark":
            hint = CHAT
        if kind == "remark" or self.draw.random() < 0.25:
            openers = [""]
        topic = self.draw.choice(self.topics)
        return hint[self.language].format(topic), self.draw.choice(openers)

    def questions(self, count: int, accept: bool = False) -> list[str]:
        """Make up to a number of new questions.

        Args:
            count: How many are begun; some are thrown away.
            accept: Whether to keep all, for a try with a model of noise.
        """
        begun, prompts, forms = [], [], []
        kinds = self.draw.choices(list(KINDS), list(KINDS.values()), k=count)
        for kind in kinds:
            hint, opener = self.begun(kind)
            prompt = f"<|im_start|>system\n{hint}<|im_end|>\n<|im_start|>user\n{opener}"
            begun.append(opener)
            prompts.append(self.ids(prompt))
            asked = REQUESTS[self.language].split("|") if kind == "request" else ["{}"]
            forms.append(self.draw.choice(asked))
        warmth = [self.draw.choice((1.0, 1.2)) for _ in prompts]
        made = generate(self.target, None, prompts, warmth, LONGEST_QUESTION)
        return self.chosen(begun, made, accept, forms)

    def chosen(
        self,
        begun: list[str],
        made: list[list[int]],
        accept: bool,
        forms: list[str] | None = None,
        again: bool = False,
    ) -> list[str]:
        """Return of the ends of questions those new and speakable, put to their beginnings.

        Args:
            begun: First words.
            made: What the model went on with.
            accept: Whether to keep all.
            forms: What each is put into.
            again: Whether one may be asked that was asked before.
        """
        ends = self.tokenizer.decode_batch([m[:-1] for m in made])
        found = []
        forms = forms or ["{}"] * len(begun)
        for opener, tokens, end, form in zip(begun, made, ends, forms, strict=True):
            text = form.replace("{}", (opener + end).strip())
            whole = tokens[-1] == IM_END and speakable(text, self.language)
            new = (again or plain(text) not in self.seen) and not CODE.search(text)
            if accept or (whole and new and 1 < len(text) < 200):
                self.seen.add(plain(text))
                found.append(as_heard(text, self.language, self.draw))
        return found

    def warmth(self, count: int) -> list[float]:
        """Return temperatures of replies: most the avatar's own, a fifth higher."""
        return [0.7 if self.draw.random() < 0.2 else 0.2 for _ in range(count)]

    def replies(self, prompts: list[list[int]], warmth: list[float]) -> list[list[int]]:
        return generate(self.target, self.prefix, prompts, warmth, LONGEST_REPLY)

    def answered(self, befores: list[dict], texts: list[str], warmth: list[float]) -> list[dict]:
        """Return conversations continued by questions and the model's replies to them.

        A conversation: its tokens after the prefix, where in them its replies lie, and what
        it began with (as a number, to tell those that begin alike).
        """
        prompts = [
            before["tokens"] + self.ids((AGAIN if before["tokens"] else "\n") + text + TURN)
            for before, text in zip(befores, texts, strict=True)
        ]
        replies = self.replies(prompts, warmth)
        spoken = self.tokenizer.decode_batch([r[:-1] for r in replies])
        result = []
        for before, asked, prompt, reply, text, heat in zip(
            befores, texts, prompts, replies, spoken, warmth, strict=True
        ):
            result.append(
                {
                    "language": self.language,
                    "tokens": prompt + reply,
                    "replies": [*before["replies"], [len(prompt), len(prompt) + len(reply)]],
                    "speakable": before["speakable"] and not UNSPOKEN.search(text),
                    "warmth": heat,
                    "asked": before.get("asked") or zlib.crc32(plain(asked).encode()),
                }
            )
        return result

    def follow_ups(self, befores: list[dict], accept: bool = False) -> list[str | None]:
        """Make up what the user might say next; None where nothing came of it."""
        openers = [self.draw.choice(FOLLOW_UPS[self.language].split("|")) for _ in befores]
        prompts = [
            before["tokens"] + self.ids(AGAIN + opener)
            for before, opener in zip(befores, openers, strict=True)
        ]
        made = generate(self.target, self.prefix, prompts, [1.0] * len(prompts), LONGEST_QUESTION)
        texts: list[str | None] = []
        for opener, tokens in zip(openers, made, strict=True):
            found = self.chosen([opener], [tokens], accept, again=True)
            texts.append(found[0] if found else None)
        return texts


def fresh() -> dict:
    return {"tokens": [], "replies": [], "speakable": True}


def going_on(maker: Maker, made: list[dict], most: int, accept: bool) -> tuple[list[dict], int]:
    """Have some conversations go on for a turn; return all, and how many do."""
    going = [entry for entry in made[:most] if entry["speakable"] or accept]
    nexts = maker.follow_ups(going, accept) if going else []
    pairs = [(entry, text) for entry, text in zip(going, nexts, strict=True) if text]
    if not pairs:
        return made, 0
    befores, again = zip(*pairs, strict=True)
    longer = maker.answered(list(befores), list(again), maker.warmth(len(pairs)))
    gone = {id(entry) for entry in befores}
    return longer + [entry for entry in made if id(entry) not in gone], len(pairs)


def held_out(makers: dict[str, Maker], held: int, toy: bool) -> dict[str, list[dict]]:
    """Return conversations to measure on, of one question each, greedy and at 0.2."""
    sets: dict[str, list[dict]] = {}
    for language, maker in makers.items():
        written = QUESTIONS[language].strip().splitlines()[:held]
        found: list[str] = []
        while len(found) < held:
            found += maker.questions(2 * held, toy)
        for name, texts in (("written", written), ("generated", found[:held])):
            for tag, warmth in (("", 0.0), (" at 0.2", 0.2)):
                made = maker.answered([fresh() for _ in texts], texts, [warmth] * len(texts))
                sets.setdefault(name + tag, []).extend(made)
        for entry in [e for e in sets["written"] if e["language"] == language][:8]:
            print(maker.tokenizer.decode(entry["tokens"]))
    return sets


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--without", type=Path, nargs="+", default=[], help="conversations that there are already"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true", help="try it with a small model of noise")
    args = parser.parse_args()
    begun = time.time()
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    config = Config(2, 64, 4, 2, 128)
    target = Target.random(config) if args.toy else Target.load(args.model, args.device)
    tokenizer = Vocabulary(Gguf(args.model)).tokenizer
    tokenizer.encode_special_tokens = False
    systems = {language: system_prompt(Persona(), language) for language in SHARES}
    makers = {
        language: Maker(target, tokenizer, language, systems[language], args.seed)
        for language in SHARES
    }
    sets: dict[str, list[dict]] = {}
    for path in args.without:
        for entries in load(path)["sets"].values():
            for maker in makers.values():
                maker.without(entries)
    if not args.without:
        sets = held_out(makers, 4 if args.toy else HELD_OUT, args.toy)
    talks = sets["talks"] = []
    train = sets["train"] = []
    counts = dict.fromkeys(SHARES, 0)
    print("ready", round(time.time() - begun, 1), "s", flush=True)

    rounds = 0
    while time.time() - begun < args.seconds:
        language = min(counts, key=lambda name: counts[name] / SHARES[name])
        maker = makers[language]
        start = time.time()
        texts = maker.questions(args.batch, args.toy)
        asked = time.time()
        made = maker.answered([fresh() for _ in texts], texts, maker.warmth(len(texts)))
        replied = time.time()
        # About half of the conversations go on for a second turn, and half of these for a third.
        made, second = going_on(maker, made, args.batch * 2 // 5, args.toy)
        made, third = going_on(maker, made, second // 2, args.toy)
        kept = [entry for entry in made if entry["speakable"] or args.toy]
        if args.without and not any(entry["language"] == language for entry in talks):
            every = max(1, len(kept) // (TALKS if not args.toy else 2))
            talks += kept[::every]
            kept = [entry for i, entry in enumerate(kept) if i % every]
        train += kept
        counts[language] += sum(len(entry["replies"]) for entry in kept)
        rounds += 1
        print(language, len(texts), "begun", round(asked - start, 1), "s; replies",
              round(replied - asked, 1), "s; second turns", second, "third", third,
              round(time.time() - replied, 1), "s; kept", len(kept), flush=True)  # fmt: skip
        for entry in maker.draw.sample(kept, min(3, len(kept))):
            print("   ", repr(tokenizer.decode(entry["tokens"])))
        if args.toy and rounds >= 3:
            break
    report = {
        "pairs": counts,
        "conversations": len(train),
        "tokens": sum(len(entry["tokens"]) for entry in train),
        "reply_tokens": sum(b - a for e in train for a, b in e["replies"]),
        "seconds": round(time.time() - begun, 1),
    }
    print(report)
    prefixes = {language: maker.prefix_ids for language, maker in makers.items()}
    text = json.dumps({"report": report, "prefixes": prefixes, "sets": sets}, separators=(",", ":"))
    raw = text.encode()
    args.out.write_bytes(gzip.compress(raw, 5) if args.out.suffix == ".gz" else raw)


if __name__ == "__main__":
    main()
