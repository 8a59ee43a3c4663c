from itertools import pairwise

import pytest

from realtime_avatar.engines.ports import Message
from realtime_avatar.thinking.question import recent

SYSTEM = Message("system", "You are Ava.")


def talk(turns: int) -> list[Message]:
    """Return a conversation of so many answered questions, and one more question."""
    messages = [SYSTEM]
    for turn in range(turns):
        messages += [Message("user", f"q{turn}"), Message("assistant", f"a{turn}")]
    return [*messages, Message("user", f"q{turns}")]


@pytest.mark.parametrize("turns", range(30))
def test_what_is_told_is_recent_begins_with_a_question_and_ends_with_the_last(turns: int):
    told = recent(talk(turns), 8)
    assert told[0] == SYSTEM
    assert told[1].role == "user"
    assert told[-1].text == f"q{turns}"
    assert len(told) - 1 <= 8
    assert told[1:] == talk(turns)[-(len(told) - 1) :]
    if turns >= 4:
        assert len(told) - 1 >= 4


def test_it_is_cut_seldom_so_that_what_was_read_serves_again():
    begins = [recent(talk(turns), 8)[1] for turns in range(40)]
    changes = sum(one != other for one, other in pairwise(begins))
    assert changes <= 40 / 2


def test_a_short_conversation_is_told_whole():
    assert recent(talk(3), 8) == talk(3)


@pytest.mark.parametrize("most", [2, 3])
def test_the_question_is_always_told(most: int):
    lonely = [Message("assistant", "Hello!")] * 9 + [Message("user", "Well?")]
    assert recent(lonely, most)[-1] == Message("user", "Well?")
