"""What of a conversation a model gets to see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError
from realtime_avatar.thinking.spoken import ends_sentence
from realtime_avatar.thinking.window import Window


def talk(turns: int, words: int = 10) -> list[Message]:
    said = [Message("system", "You are Ava.")]
    for turn in range(turns):
        said.append(Message("user", f"question {turn} " * words))
        said.append(Message("assistant", f"answer {turn} " * words))
    return said[:-1]


def texts(window: Window, messages: list[Message]) -> list[str]:
    return [message["content"] for message in window.view(messages)]


def test_messages_are_only_appended_while_there_is_room() -> None:
    window = Window(1000)
    short, long = talk(3), talk(4)
    assert texts(window, long)[: len(short)] == texts(window, short)


def test_the_older_half_goes_at_once_and_stays_away() -> None:
    window, long = Window(1000), talk(10)
    window.shrink(long, 1001)
    seen = texts(window, long)
    assert seen[0] == "You are Ava."
    assert seen[-1] == long[-1].text
    assert 6 <= len(seen) <= 12
    assert window.view(long)[1]["role"] == "user"
    assert texts(window, talk(11))[: len(seen)] == seen


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(100, 5000))
def test_shrinking_ends_with_the_question_alone_and_then_refuses(
    lengths: list[int], tokens: int
) -> None:
    said = [
        Message("user" if at % 2 == 0 else "assistant", "x" * n) for at, n in enumerate(lengths)
    ]
    if said[-1].role == "assistant":
        said.append(Message("user", "and?"))
    window, seen = Window(99), len(said)
    while len(view := window.view(said)) > 1:
        assert len(view) <= seen
        seen = len(view)
        window.shrink(said, tokens)
        assert len(window.view(said)) < seen
    assert view == [{"role": "user", "content": said[-1].text}]
    with pytest.raises(InputError, match="too long"):
        window.shrink(said, tokens)


def test_a_new_conversation_is_seen_from_its_start() -> None:
    window = Window(1000)
    window.shrink(talk(10), 1001)
    assert texts(window, talk(2)) == [message.text for message in talk(2)]


def test_own_words_come_back_as_they_were_written() -> None:
    window = Window(1000)
    window.add("One two.  Three four. Five.")
    heard = [
        Message("user", "Count."),
        Message("assistant", "One two. Three"),
        Message("user", "Go on."),
        Message("assistant", "One two. Three four."),
        Message("user", "Again."),
        Message("assistant", "Six."),
        Message("user", "What?"),
    ]
    assert texts(window, heard)[1::2] == ["One two.  Three", "One two.  Three four.", "Six."]


def test_questions_in_a_row_are_joined() -> None:
    window = Window(1000)
    view = window.view([Message("user", "One."), Message("user", "Two.")])
    assert view == [{"role": "user", "content": "One.\nTwo."}]


@pytest.mark.parametrize("text", ["Yes.", "Yes! ", '"Yes."', "好。", "好吗？”", "Well…"])
def test_a_sentence_ends(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", "Yes", "Yes, ", "3.5", "好，", "p.m. and"])
def test_a_sentence_goes_on(text: str) -> None:
    assert not ends_sentence(text)
