import numpy as np
import pytest

from realtime_avatar.dialogue.fillers import only_fillers, steady, trails_off
from realtime_avatar.media import Audio


@pytest.mark.parametrize(
    "text",
    ["", " ... ", "Uh.", "Um, uh...", "Ummm", "Mm-hm.", "Mhm.", "Mmhmm", "Uh-huh", "Hmm.", "Er,",
     "Erm", "Ah!", "Oh.", "Eh...", "Em", "嗯。", "嗯嗯", "呃……", "啊，嗯"],
)  # fmt: skip
def test_fillers(text: str):
    assert only_fillers(text)


@pytest.mark.parametrize(
    "text",
    ["Yes.", "No.", "Huh?", "Me?", "Am I?", "Uh, what?", "Her.", "Hm, good.", "Ok", "Sí.",
     "¿Eh, qué?", "A", "好。", "嗯，好", "是", "42", "Um Gottes willen"],
)  # fmt: skip
def test_words(text: str):
    assert not only_fillers(text)


@pytest.mark.parametrize(
    "text",
    ["And so,", "I want to know the", "It is big and", "I would like uh", "Well...", "So –",
     "Quiero el", "Me gusta la casa, pero", "我想知道，", "天气很好，但是", "我喜欢茶和",
     "It depends…", "Dogs or", "",
     "I would like to know.", "Can you tell me?", "So my question is", "Me gustaría saber",
     "我想知道。"],
)  # fmt: skip
def test_what_cannot_be_all(text: str):
    assert trails_off(text)


@pytest.mark.parametrize(
    "text",
    ["What is that?", "My fellow Americans.", "Where is Anna", "¿Cuál es la capital de España?",
     "请问天空为什么是蓝色的。", "That's how it is.", "All I wanted to know.", "Who is it?",
     "Sand", "Tell me more", "Yes."],
)  # fmt: skip
def test_what_may_be_all(text: str):
    assert not trails_off(text)


def vowel(*formants: int) -> np.ndarray:
    """A quarter of a second of a voice of 120 Hz, louder near the formants."""
    t = np.arange(4000) / 16_000
    partials = range(120, 6000, 120)
    gains = [sum(np.exp(-(((f - g) / 200) ** 2)) for g in formants) + 0.01 for f in partials]
    return np.sum([a * np.sin(2 * np.pi * f * t) for a, f in zip(gains, partials, strict=True)], 0)


def sound(*vowels: np.ndarray) -> Audio:
    pcm = np.concatenate(vowels)
    return Audio((8000 * pcm / np.abs(pcm).max()).astype(np.int16), 16_000, 0)


def test_one_vowel_is_steady_and_two_are_not():
    uh, ee = vowel(600, 1200), vowel(300, 2300)
    assert steady(sound(uh))
    assert steady(sound(uh, 0.4 * uh))
    assert not steady(sound(uh, ee))
    assert steady(Audio.silence(100, 16_000))
