import json
from datetime import UTC, datetime

import pytest

from realtime_avatar.identity.conversations import Conversation, Turn
from realtime_avatar.identity.export import describe, export

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SAID = "What is the weather like in the mountains on Saturday, and what should I take with me?"
PARTS = ("It will be sunny, ", "with rain in the evening. ", "Take an umbrella and a warm coat.")

TALK = Conversation(
    id="c1",
    owner="a-hash",
    avatar="default",
    name="Ava",
    language="",
    started=AT,
    updated=AT,
    turns=(
        Turn(
            1,
            SAID,
            AT,
            "en",
            heard="".join(PARTS),
            state="answered",
            began_s=0.5,
            asked_s=4.5,
            audible_s=5.25,
            ended_s=11.0,
            stages={"playout": 0.75},
            sources=({"document": "weather.md", "place": "", "text": "Sunny"},) * 2,
            timeline=tuple(zip((5.25, 7.0, 8.75), PARTS, strict=True)),
        ),
        Turn(
            2,
            "明天会下雨吗？",
            AT,
            "zh",
            heard="会的。",
            unheard="带伞。",
            state="interrupted",
            began_s=3601.0,
            asked_s=3601.0,
            audible_s=3601.4,
            ended_s=3602.4,
            timeline=((3601.4, "会的。"),),
        ),
        Turn(3, "*Hm* <b>\n# no", AT, state="asked", began_s=3605.0, asked_s=3605.5),
        Turn(4, "Hello?", AT, state="failed", problem="chat: it fails", began_s=3610, asked_s=3611),
    ),
)

MARKDOWN = """\
# Conversation with Ava

2026-03-01 12:30 UTC

**You** (0:00): What is the weather like in the mountains on Saturday, and what should I take \
with me?

**Ava** (0:05): It will be sunny, with rain in the evening. Take an umbrella and a warm coat.

From weather.md

**You** (60:01): 明天会下雨吗？

**Ava** (60:01): 会的。 ~~带伞。~~

**You** (60:05): \\*Hm\\* \\<b\\> \\# no

*The answer was cut off.*

**You** (60:10): Hello?

*chat: it fails*
"""

SRT = """\
1
00:00:00,500 --> 00:00:03,895
You: What is the weather like in the
mountains on Saturday, and what should I

2
00:00:03,895 --> 00:00:04,895
take with me?

3
00:00:05,250 --> 00:00:08,750
Ava: It will be sunny,
with rain in the evening.

4
00:00:08,750 --> 00:00:11,000
Take an umbrella and a warm coat.

5
01:00:01,000 --> 01:00:01,400
You: 明天会下雨吗？

6
01:00:01,400 --> 01:00:02,400
Ava: 会的。

7
01:00:05,000 --> 01:00:06,000
You: *Hm* <b> # no

8
01:00:10,000 --> 01:00:11,000
You: Hello?
"""


def test_markdown_is_for_people() -> None:
    assert export(TALK, "markdown") == MARKDOWN


def test_subtitles_have_the_times_at_which_the_words_were_heard() -> None:
    assert export(TALK, "srt") == SRT


def test_json_has_all_of_it_but_whose_it_is() -> None:
    found = json.loads(export(TALK, "json"))
    assert found == describe(TALK)
    assert "owner" not in found
    assert found["started"] == "2026-03-01T12:30:00+00:00"
    assert found["turns"][0]["stages"] == {"playout": 0.75}
    assert found["turns"][1]["timeline"] == [[3601.4, "会的。"]]
    assert found["turns"][1]["unheard"] == "带伞。"


@pytest.mark.parametrize("form", ["json", "markdown", "srt"])
def test_a_conversation_without_turns_is_exported_too(form: str) -> None:
    empty = Conversation("c1", "", "default", "Ava", "", AT, AT, ())
    assert export(empty, form) is not None  # type: ignore[arg-type]


def test_a_long_word_is_still_one_subtitle() -> None:
    turn = Turn(1, "a" * 200, AT, asked_s=2.0)
    text = export(Conversation("c", "", "d", "Ava", "", AT, AT, (turn,)), "srt")
    assert "a" * 200 in text.replace("\n", "")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            'The quick| brown| fox| jumps| over| the| lazy| dog. |It| has| 3| legs| — "really"! |'
            "And| 你好| too.",
            'Ava: The quick brown fox jumps over the lazy dog. It has 3 legs — "really"! '
            "And 你好 too.",
        ),
        ("会|的，|带|伞| OK。|温|度|是| 25| 度。", "Ava: 会的，带伞 OK。温度是 25 度。"),
        ("¿Qué| hora| |es?| |Son| las| 3.", "Ava: ¿Qué hora es? Son las 3."),
        (" | Yes.", "Ava: Yes."),
    ],
)
def test_the_words_of_a_live_answer_stay_apart(parts: str, words: str) -> None:
    """The parts are those that voices give: a space is with the word that follows it."""
    timeline = tuple((2.0 + at / 4, part) for at, part in enumerate(parts.split("|")))
    turn = Turn(1, "?", AT, state="answered", asked_s=1.0, ended_s=9.0, timeline=timeline)
    text = export(Conversation("c", "", "d", "Ava", "", AT, AT, (turn,)), "srt")
    cues = [cue.split("\n", 2) for cue in text.split("\n\n")[1:]]
    assert " ".join(cue[2].strip() for cue in cues).replace("\n", " ").split() == words.split()
    starts = [cue[1].split(" --> ")[0] for cue in cues]
    assert starts == sorted(starts)
