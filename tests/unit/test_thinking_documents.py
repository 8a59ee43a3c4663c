from pathlib import Path

import pytest

from documents import VISIT, write_pdf
from realtime_avatar.errors import InputError
from realtime_avatar.thinking.documents import LONGEST, Section, read_document


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_markdown_is_cut_at_paragraphs_and_placed_by_its_headings(tmp_path: Path):
    assert read_document(written(tmp_path, "visit.md", VISIT)) == [
        Section("", "Welcome to the museum of clocks."),
        Section(
            "Visit › Hours",
            "The museum opens at ten in the morning and closes at six in the evening.",
        ),
        Section(
            "Visit › Tickets",
            "Tickets cost twelve francs; children under sixteen enter free of charge.",
        ),
        Section("Visit › Tickets", "``` # not a heading ```"),
        Section("Rules", "Dogs are not allowed, except guide dogs."),
    ]


def test_a_long_paragraph_is_cut_between_sentences(tmp_path: Path):
    sentences = [f"This is the sentence with the number {number}." for number in range(40)]
    found = read_document(written(tmp_path, "long.txt", " ".join(sentences)))
    assert len(found) > 3
    assert all(len(section.text) <= LONGEST for section in found)
    assert all(section.text.endswith(".") for section in found)
    assert " ".join(section.text for section in found) == " ".join(sentences)


def test_nothing_of_a_text_is_lost_in_any_language(tmp_path: Path):
    text = "几点关门？六点。门票多少钱！十二法郎" + "很" * 900 + " v. 3.14? yes!no ... end"
    found = read_document(written(tmp_path, "odd.txt", text))
    assert "".join("".join(section.text for section in found).split()) == "".join(text.split())
    assert all(len(section.text) <= LONGEST for section in found)


def test_a_pdf_is_placed_by_its_pages(tmp_path: Path):
    path = tmp_path / "leaflet.PDF"
    write_pdf(path, "The tower is closed.", "", "The lift works.")
    assert read_document(path) == [
        Section("page 1", "The tower is closed."),
        Section("page 3", "The lift works."),
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.docx", "x", "none of the documents"),
        ("x.txt", b"\xff\xfe\x00", "UTF-8"),
        ("x.txt", " \n\n ", "no text"),
        ("x.pdf", "not a PDF", "no PDF"),
        ("x.pdf", "", "no PDF"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, text: str | bytes, words: str, tmp_path: Path):
    with pytest.raises(InputError, match=words):
        read_document(written(tmp_path, name, text))


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="No such file"):
        read_document(tmp_path / "none.md")
