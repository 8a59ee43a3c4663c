"""`avatar generate`: many films, and none of them twice."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from realtime_avatar.dialogue.scripts import read_scripts
from realtime_avatar.errors import InputError
from realtime_avatar.face.portrait import default_portrait
from serving import FAKES

COMMAND = [sys.executable, "-m", "realtime_avatar", "generate", "scripts.csv", "--square", "128"]


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd=folder, env=os.environ | FAKES | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def made(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {Path(film["film"]).stem: film for film in json.loads(done.stdout)["films"]}


def frames(film: Path) -> int:
    with av.open(str(film), "r") as file:
        return sum(1 for _ in file.decode(video=0))


def test_each_row_becomes_a_film_once(tmp_path: Path):
    (tmp_path / "me.jpg").write_bytes(default_portrait().read_bytes())
    table = tmp_path / "scripts.csv"
    table.write_text(
        "\ufeffname,text,portrait\nhello,one two three,\n,four five,me.jpg\nbad,…!,\n", "utf-8"
    )
    done = run(tmp_path, "--json")
    assert done.returncode == 2  # a row that is no good is found before any work
    assert "row 3" in done.stderr
    table.write_text("name,text,portrait\nhello,one two three,\n,four five,me.jpg\n", "utf-8")
    done = run(tmp_path, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "scripts"
    assert frames(folder / "hello.mp4") == 8
    assert frames(folder / "0002.mp4") == 5
    report = json.loads(done.stdout)
    assert report["seconds"] == pytest.approx(13 / 25)
    assert report["throughput"] == pytest.approx(report["seconds"] / report["elapsed"])
    again = made(run(tmp_path, "--json"))
    assert all(film["skipped"] for film in again.values())
    table.write_text("name,text,portrait\nhello,one two,\n,four five,me.jpg\n", "utf-8")
    changed = made(run(tmp_path, "--json"))
    assert {name: film["skipped"] for name, film in changed.items()} == {
        "hello": False,
        "0002": True,
    }
    assert frames(folder / "hello.mp4") == 5
    other = made(run(tmp_path, "--json", AVATAR_EMOTION="sad"))
    assert not any(film["skipped"] for film in other.values())


def test_killed_it_goes_on_where_it_was(tmp_path: Path):
    rows = [f"film{index:02},{'so ' * 60}" for index in range(12)]
    (tmp_path / "scripts.csv").write_text("name,text\n" + "\n".join(rows) + "\n")
    folder = tmp_path / "scripts"
    with subprocess.Popen(
        [*COMMAND, "--workers", "2"],
        cwd=tmp_path,
        env=os.environ | FAKES,
        stdout=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + 60
        while len(list(folder.glob("film*.mp4"))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        process.kill()
    whole = {film.name: film.stat().st_mtime_ns for film in folder.glob("film*.mp4")}
    assert 3 <= len(whole) < 12
    for name in whole:
        assert frames(folder / name) == 150
    done = run(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    skipped = {Path(film["film"]).name for film in made(done).values() if film["skipped"]}
    assert skipped == set(whole)
    films = {film.name: film.stat().st_mtime_ns for film in folder.glob("film*.mp4")}
    assert len(films) == 12
    assert {name: films[name] for name in whole} == whole
    assert list(folder.glob(".*.part")) == []


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path):
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    (tmp_path / "scripts.csv").write_text("name,text,portrait\na,one,no.jpg\nb,two,\n")
    done = run(tmp_path, "--json")
    assert done.returncode == 1
    assert "a.mp4" in done.stderr
    assert "not a picture" in done.stderr
    films = made(done)
    assert films["b"]["seconds"] > 0
    assert "not a picture" in films["a"]["problem"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no row"),
        ("text\n", "no row"),
        ("words\nhello\n", "column 'words'"),
        ("name\nhello\n", "no column 'text'"),
        ("text,name\nhello\n", "as many fields"),
        ("text,name\nhello,a,b\n", "as many fields"),
        ("text,name\nhello,../a\n", "no name of a file"),
        ("text,name\nhello,.a\n", "no name of a file"),
        ("text,name\nhello,a\nhello,a\n", "names 2 films 'a'"),
        ("text,portrait\nhello,nobody.jpg\n", "no file"),
        ("text\n\xff\n", "cannot be read"),
    ],
)
def test_a_bad_table_is_refused_in_words(tmp_path: Path, text: str, why: str):
    table = tmp_path / "scripts.csv"
    table.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=why):
        read_scripts(table)
