from collections.abc import Sequence
from itertools import accumulate, pairwise, takewhile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from realtime_avatar.errors import InputError
from realtime_avatar.voice.clauses import AHEAD, LIMIT, Clause, Cutter, Ending, Pace, cut
from streams import collect, stream


def clauses(text: str, pace: Pace | None = None) -> list[Clause]:
    cutter = Cutter(pace)
    return [*cutter.feed(text), *cutter.finish()]


def texts(text: str, pace: Pace | None = None) -> list[str]:
    return [clause.text.strip() for clause in clauses(text, pace)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Sure!", ["Sure!"]),
        ("Sure! I can.", ["Sure!", "I can."]),
        ("Hi. OK. No.", ["Hi.", "OK.", "No."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        (
            "Dr. Smith is in. Mr. and Mrs. Lee are out.",
            ["Dr. Smith is in.", "Mr. and Mrs. Lee are out."],
        ),
        ("Pi is 3.14 and e is 2.72. Good.", ["Pi is 3.14 and e is 2.72.", "Good."]),
        ("Come at 10:30 a.m. on Friday. Bye.", ["Come at 10:30 a.m. on Friday.", "Bye."]),
        ("He lives in the U.S. now. She too.", ["He lives in the U.S. now.", "She too."]),
        ("Take fruit, e.g. Golden apples.", ["Take fruit, e.g. Golden apples."]),
        ("See No. 5 first. No. Wait.", ["See No. 5 first.", "No.", "Wait."]),
        ("Born on Jan. 5 in Rome. Yes.", ["Born on Jan. 5 in Rome.", "Yes."]),
        ("J. K. Rowling wrote it. True.", ["J. K. Rowling wrote it.", "True."]),
        ("Go to https://a.com/x?q=A.B now. OK.", ["Go to https://a.com/x?q=A.B now.", "OK."]),
        ("Mail me@site.org. Thanks.", ["Mail me@site.org.", "Thanks."]),
        ("approx. five of them. Yes.", ["approx. five of them.", "Yes."]),
        ('He said "Yes." Then he left.', ['He said "Yes."', "Then he left."]),
        ("Wait... what is it?", ["Wait... what is it?"]),
        ("Well... What is it?", ["Well...", "What is it?"]),
        ("No way!Really?", ["No way!", "Really?"]),
        ("One\nTwo\n\nThree", ["One", "Two", "Three"]),
        ("1. Open it. 2. Close it.", ["1. Open it.", "2. Close it."]),
        ("¡Hola! ¿Qué tal? Bien.", ["¡Hola!", "¿Qué tal?", "Bien."]),
        ("¡Hola!¿Qué tal?", ["¡Hola!", "¿Qué tal?"]),
        (
            "El Sr. Ruiz y la Dra. Paz viven en EE. UU. ahora.",
            ["El Sr. Ruiz y la Dra. Paz viven en EE. UU. ahora."],
        ),
        ("Cuesta 3,50 euros. Vale.", ["Cuesta 3,50 euros.", "Vale."]),
        ("你好！今天好吗？很好。", ["你好！", "今天好吗？", "很好。"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("价格是3.5元。谢谢", ["价格是3.5元。", "谢谢"]),
    ],
)
def test_sentences_end_where_they_end(text: str, expected: list[str]):
    assert texts(text, Pace(first=60, hurry=200)) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            "Well, yes, of course I can do that for you.",
            "Well, yes, of course I can do that for you.",
        ),
        ("Of course I can, and I will do it today.", "Of course I can,"),
        (
            "The highest mountain in the world is Mount Everest.",
            "The highest mountain in the world",
        ),
        ("La montaña más alta del mundo es el Everest.", "La montaña más alta del mundo"),
        ("世界上最高的山是珠穆朗玛峰。", "世界上最高的山"),
        ("Claro que puedo, y lo haré hoy mismo.", "Claro que puedo,"),
        ("我当然可以帮你，今天就做。", "我当然可以帮你，"),
        (
            "The thing that I wanted to tell everybody who came here is quite simple",
            "The thing that I wanted to tell everybody",
        ),
        (
            "Learning languages needs speaking every single day without exception whatsoever",
            "Learning languages needs speaking every single day without exception",
        ),
        (
            "人工智能可以帮助人们更快地完成许多重复的工作从而节省时间",
            "人工智能可以帮助人们更快地完成许多重复的",
        ),
    ],
)
def test_the_first_clause_comes_early(text: str, first: str):
    assert texts(text, Pace(first=15, hurry=60))[0] == first


def halves(text: str, char: str) -> bool:
    """Words of two characters."""
    return len(text) % 2 == 0


def test_chinese_is_cut_between_words_where_they_are_known():
    pace = Pace(first=15, subject=12, hurry=27, later=30, growth=3, word_ends=halves)
    text = "今天天气晴朗适合散步买菜朋友" * 3
    first, second, *rest = texts(text, pace)
    assert first == "今天天气晴朗适合散步"  # the first of an even length over nine
    assert second == text[10:42]  # may be three times as long, and has nothing to be cut at before
    assert not rest


def test_no_clause_begins_with_a_comma():
    pace = Pace(first=15, hurry=27)
    for count in range(5, 20):
        assert not any(text.startswith("，") for text in texts("好" * count + "，真好。", pace))


def test_a_number_is_not_cut_from_its_word():
    text = "Miguel de Cervantes nació en Alcalá de Henares en el siglo XVI."
    assert texts(text, Pace(first=15, hurry=48)) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Spiders have eight legs.",
        "A frog is a small amphibian that has no tail.",
        "The answer that you can give me is short.",
        "Rome, the capital of Italy is old.",
        "这座城市虽然很小但是很漂亮。",
    ],
)
def test_only_a_long_subject_is_cut_from_its_verb(text: str):
    assert texts(text, Pace(first=15, hurry=60)) == [text]


def test_later_clauses_are_whole_sentences_if_they_can_be_ready_in_time():
    later = "It has a comma here, and goes on a little."
    assert texts(f"Yes, of course it does. {later}")[1:] == [later]
    long = "This one is longer than all that was said before, it has a comma, and it does not end"
    assert len(texts(f"Sure! {long} before it is quite long.")) > 2


def test_a_boundary_knows_how_long_the_pause_is():
    endings = [clause.ending for clause in clauses("Of course I can, now. Good\nThen so")]
    assert endings == [Ending.COMMA, Ending.SENTENCE, Ending.PARAGRAPH, Ending.COMMA]


def test_fenced_code_is_marked_and_text_around_it_is_not():
    text = "Like this:\n```python\nprint('Hi. There.')\n```\nDone. ```one line``` is text."
    said = "".join(clause.text for clause in clauses(text) if not clause.code)
    assert said == "Like this:\nDone. ```one line``` is text."
    assert "".join(clause.text for clause in clauses(text)) == text


def test_no_clause_is_longer_than_it_may_be():
    pace = Pace(longest=100)
    for text in ("word " * 200, "x" * 1000, "好" * 300, "the of to a " * 90):
        for clause in clauses(text, pace):
            assert len(clause.text) <= 126


PIECES = [
    "Dr. ", "No. ", "5", "3.14", "e.g. ", "etc. ", "Sure! ", "¿Qué? ", "¡Sí! ", "你好，", "谢谢。",
    "”", "“", ", ", ". ", "... ", "; ", ": ", " ", "\n", "\n\n", "```", "`", "https://a.b/c?d=E ",
    "and ", "because ", "the ", "word ", "extraordinarily ", "A", "z", "10:30 ", "a@b.co ", "的",
    "！", "?", "😀",
]  # fmt: skip


def written() -> SearchStrategy[str]:
    return st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200)


@given(written(), st.lists(st.integers(0, 400), max_size=12))
@example("a\n```x\n```\nb", [1, 2, 3, 4, 5, 6, 7, 8])
def test_pieces_make_no_difference_and_join_to_the_text(text: str, cuts: list[int]):
    whole = clauses(text)
    assert "".join(clause.text for clause in whole) == text
    cutter = Cutter()
    at = [0, *sorted(min(place, len(text)) for place in cuts), len(text)]
    pieces = [clause for a, b in pairwise(at) for clause in cutter.feed(text[a:b])]
    assert pieces + cutter.finish() == whole
    assert all(clause.text for clause in whole)


@pytest.mark.anyio
async def test_a_text_over_the_limit_is_refused_in_words():
    with pytest.raises(InputError, match="5,000 characters"):
        await collect(cut(stream(["word " * 20_000])))


@pytest.mark.anyio
async def test_the_limit_holds_while_streaming():
    said: list[Clause] = []
    with pytest.raises(InputError, match="5,000 characters"):
        async for clause in cut(stream(["A sentence. "] * 10_000)):
            said.append(clause)  # noqa: PERF401, it ends in an error
    assert LIMIT - 50 < sum(len(clause.text) for clause in said) <= LIMIT


def streamed(pieces: Sequence[str]) -> list[Clause]:
    cutter, found = Cutter(Pace(eager=8)), list[Clause]()
    for piece in pieces:
        found += cutter.feed(piece)
        found += [beginning] if (beginning := cutter.beginning()) else []
    return found + cutter.finish()


def words_of(text: str) -> list[Clause]:
    return streamed([word + " " for word in text.split(" ")])


def test_a_first_clause_begins_before_it_is_whole():
    text = "Penguins live in the southern parts of the world where it is cold. They swim very well."
    beginnings = [clause for clause in words_of(text) if not clause.whole]
    texts = [clause.text for clause in beginnings]
    assert texts[:2] == ["Penguins live in ", "Penguins live in the "]
    assert texts[-1] == "Penguins live in the southern parts of the world "
    assert all(len(a.split()) + 1 == len(b.split()) for a, b in pairwise(texts))
    assert all(clause.ending == Ending.WORD for clause in beginnings)


@pytest.mark.parametrize(
    ("text", "latest"),
    [
        ("The ticket costs $5 million for all of them together and more", "costs"),
        ("I think Dr. Jekyll was somebody else altogether in the end and", "think"),
        ("In the year 1969 two people walked on the moon for the first", "year"),
        ("No, the earth is certainly not flat at all as everybody knows and", ""),
        ("يوم سعيد لكل من هنا ومن هناك أيضا يا صديقي العزيز and", ""),
        ("**Nobody** knows that as well as you and everybody else here and", ""),
    ],
)
def test_nothing_begins_that_may_be_read_otherwise_later(text: str, latest: str):
    first = takewhile(lambda clause: not clause.whole, words_of(text))
    beginnings = [clause.text.split()[-1] for clause in first]
    assert not beginnings or beginnings[-1] == latest


def test_a_later_clause_is_begun_with_too():
    found = words_of("Sure! Penguins live in the southern parts of the world. They swim.")
    assert [clause.text for clause in found[:2]] == ["Sure! ", "Penguins live in "]
    assert not found[1].whole


def test_what_follows_a_comma_is_not_begun_with():
    found = words_of("It is cold. When penguins are hungry, they go and catch some fish at sea.")
    beginnings = [clause.text for clause in found if not clause.whole]
    assert beginnings[-1] == "When penguins are hungry, "


@given(st.text(st.sampled_from("ab ,.'’?1$—"), max_size=90), st.lists(st.integers(1, 9)))
@example("aaaaaaaa b, b a a b b. a", [1] * 24)
def test_a_beginning_is_of_the_clause_that_follows(text: str, sizes: list[int]):
    at = [0, *accumulate(sizes), len(text)]
    found = streamed([text[a:b] for a, b in pairwise(at)])
    whole = [clause for clause in found if clause.whole]
    assert "".join(clause.text for clause in whole) == text
    clause_at = 0
    for clause in found:
        if clause.whole:
            clause_at += 1
            continue
        heard = clause.text.split()[:-AHEAD]
        assert heard
        assert whole[clause_at].text.split()[: len(heard)] == heard
