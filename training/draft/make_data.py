"""Lets the model make up conversations, on which a draft head is trained and measured.

    python make_data.py model.gguf conversations.json --seconds 200

Questions: the model continues a user's turn, whose topic and first words are drawn from seeds.py;
replies: it answers under the avatar's own system prompt.
"""

import argparse
import json
import random
import re
import time
from pathlib import Path

import torch
from held_out import QUESTIONS
from seeds import FOLLOW_UPS, HINTS, OPENERS, TOPICS, words
from target import IM_END, Cache, Config, Target, generate
from tokenizers import Tokenizer

from realtime_avatar.thinking.local.gguf import Gguf
from realtime_avatar.thinking.local.vocabulary import Vocabulary
from realtime_avatar.thinking.persona import Persona, system_prompt

SHARES = {"en": 0.4, "zh": 0.3, "es": 0.3}
HELD_OUT = 300
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


class Maker:
    """Makes questions and replies in one language."""

    def __init__(self, target: Target, tokenizer: Tokenizer, language: str, system: str) -> None:
        self.target, self.tokenizer, self.language = target, tokenizer, language
        self.prefix_ids = self.ids(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user")
        with torch.inference_mode():
            self.prefix: Cache = target.prefix(self.prefix_ids)[0]
        self.draw = random.Random(f"seeds {language}")
        self.topics, self.openers = words(TOPICS[language]), words(OPENERS[language])
        self.seen = set(QUESTIONS[language].strip().lower().splitlines())

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def questions(self, count: int, accept: bool = False) -> list[str]:
        """Make up to a number of new questions.

        Args:
            count: How many are begun; some are thrown away.
            accept: Whether to keep all, for a try with a model of noise.
        """
        begun, prompts = [], []
        for _ in range(count):
            opener = self.draw.choice(self.openers) if self.draw.random() < 0.75 else ""
            hint = HINTS[self.language].format(self.draw.choice(self.topics))
            prompt = f"<|im_start|>system\n{hint}<|im_end|>\n<|im_start|>user\n{opener}"
            begun.append(opener)
            prompts.append(self.ids(prompt))
        made = generate(self.target, None, prompts, [1.0] * count, LONGEST_QUESTION)
        return self.chosen(begun, made, accept)

    def chosen(self, begun: list[str], made: list[list[int]], accept: bool) -> list[str]:
        """Return of the ends of questions those new and speakable, put to their beginnings."""
        ends = self.tokenizer.decode_batch([m[:-1] for m in made])
        found = []
        for opener, tokens, end in zip(begun, made, ends, strict=True):
            text = (opener + end).strip()
            whole = tokens[-1] == IM_END and speakable(text, self.language)
            new = text.lower() not in self.seen and not (CODE.search(text))
            if accept or (whole and new and 1 < len(text) < 200):
                self.seen.add(text.lower())
                found.append(as_heard(text, self.language, self.draw))
        return found

    def replies(self, prompts: list[list[int]], warmth: list[float]) -> list[list[int]]:
        return generate(self.target, self.prefix, prompts, warmth, LONGEST_REPLY)

    def answered(self, befores: list[dict], texts: list[str], warmth: list[float]) -> list[dict]:
        """Return conversations continued by questions and the model's replies to them.

        A conversation: its tokens after the prefix, and where in them its replies lie.
        """
        prompts = [
            before["tokens"] + self.ids((AGAIN if before["tokens"] else "\n") + text + TURN)
            for before, text in zip(befores, texts, strict=True)
        ]
        replies = self.replies(prompts, warmth)
        spoken = self.tokenizer.decode_batch([r[:-1] for r in replies])
        result = []
        for before, prompt, reply, text, heat in zip(
            befores, prompts, replies, spoken, warmth, strict=True
        ):
            result.append(
                {
                    "language": self.language,
                    "tokens": prompt + reply,
                    "replies": [*before["replies"], [len(prompt), len(prompt) + len(reply)]],
                    "speakable": before["speakable"] and not UNSPOKEN.search(text),
                    "warmth": heat,
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
            found = self.chosen([opener], [tokens], accept)
            texts.append(found[0] if found else None)
        return texts


def fresh() -> dict:
    return {"tokens": [], "replies": [], "speakable": True}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true", help="try it with a small model of noise")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    config = Config(2, 64, 4, 2, 128)
    target = Target.random(config) if args.toy else Target.load(args.model, args.device)
    tokenizer = Vocabulary(Gguf(args.model)).tokenizer
    tokenizer.encode_special_tokens = False
    systems = {language: system_prompt(Persona(), language) for language in SHARES}
    makers = {
        language: Maker(target, tokenizer, language, systems[language]) for language in SHARES
    }
    held = HELD_OUT if not args.toy else 4
    sets: dict[str, list[dict]] = {"train": []}
    counts = dict.fromkeys(SHARES, 0)
    begun = time.time()

    for language, maker in makers.items():
        written = QUESTIONS[language].strip().splitlines()[:held]
        found: list[str] = []
        while len(found) < held:
            found += maker.questions(2 * held, args.toy)
        for name, texts in (("written", written), ("generated", found[:held])):
            for tag, warmth in (("", 0.0), (" at 0.2", 0.2)):
                made = maker.answered([fresh() for _ in texts], texts, [warmth] * len(texts))
                sets.setdefault(name + tag, []).extend(made)
        for entry in [e for e in sets["written"] if e["language"] == language][:8]:
            print(tokenizer.decode(entry["tokens"]))
    print("held-out sets", time.time() - begun)

    rounds = 0
    while time.time() - begun < args.seconds:
        language = min(counts, key=lambda name: counts[name] / SHARES[name])
        maker = makers[language]
        start = time.time()
        texts = maker.questions(args.batch, args.toy)
        asked = time.time()
        warmth = [0.7 if maker.draw.random() < 0.2 else 0.25 for _ in texts]
        made = maker.answered([fresh() for _ in texts], texts, warmth)
        replied = time.time()
        # A third of the conversations go on for a second turn.
        going = [entry for entry in made[: len(made) // 3] if entry["speakable"] or args.toy]
        nexts = maker.follow_ups(going, args.toy) if going else []
        pairs = [(e, text) for e, text in zip(going, nexts, strict=True) if text]
        if pairs:
            befores, again = zip(*pairs, strict=True)
            second = maker.answered(list(befores), list(again), [0.25] * len(pairs))
            gone = {id(entry) for entry in befores}
            made = [entry for entry in made if id(entry) not in gone] + second
        kept = [entry for entry in made if entry["speakable"] or args.toy]
        sets["train"] += kept
        counts[language] += sum(len(entry["replies"]) for entry in kept)
        rounds += 1
        print(language, len(texts), "questions", round(asked - start, 1), "s; replies",
              round(replied - asked, 1), "s; second turns", len(pairs),
              round(time.time() - replied, 1), "s; kept", len(kept), flush=True)  # fmt: skip
        for entry in kept[:1] + kept[-1:]:
            print("   ", tokenizer.decode(entry["tokens"]))
        if args.toy and rounds >= 3:
            break
    report = {
        "pairs": counts,
        "conversations": len(sets["train"]),
        "tokens": sum(len(entry["tokens"]) for entry in sets["train"]),
        "reply_tokens": sum(b - a for e in sets["train"] for a, b in e["replies"]),
        "seconds": round(time.time() - begun, 1),
    }
    print(report)
    prefixes = {language: maker.prefix_ids for language, maker in makers.items()}
    args.out.write_text(json.dumps({"report": report, "prefixes": prefixes, "sets": sets}))


if __name__ == "__main__":
    main()
