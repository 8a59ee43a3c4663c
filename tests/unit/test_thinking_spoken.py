"""What may be spoken, as a pattern."""

import re

import pytest

from realtime_avatar.thinking.spoken import PATTERN, UNSPOKEN


@pytest.mark.parametrize(
    "text",
    [
        "Sure!",
        "The capital of France is Paris, and it has about 2.1 million people.",
        "It opens at 10:30 a.m. and costs 3.50. Is that all right? Yes.",
        "Dr. Smith says: “Sleep well.” He means it!",
        "¡Claro! ¿Qué te gustaría saber? Son 3 de cada 4.",
        "你好！我很好，谢谢。你想聊点什么？",
        "See example.com for more.",
        "1.",
    ],
)
def test_what_people_say_may_be_spoken(text: str) -> None:
    assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure",
        "**Sure!**",
        "One.\nTwo.",
        "- a list.",
        "Here: a, b and c.",
        "Yes! 😀",
        "One. Two. Three. Four. Five.",
        "a, " * 9 + "a.",
        "¡¡¡Hola!",
        "`code`.",
    ],
)
def test_what_is_for_the_eye_may_not(text: str) -> None:
    assert not re.fullmatch(PATTERN, text)


def test_marks_are_no_letters_of_speech() -> None:
    assert all(UNSPOKEN.search(mark) for mark in "*#`_{}<>|[]~^\\\n\t→☀🙂")
    assert not UNSPOKEN.search("Hello, ¿qué? 你好。 3.5%")
