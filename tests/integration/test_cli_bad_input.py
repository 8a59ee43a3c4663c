"""Bad input gets one clear line and exit code 2, and loses nothing.

What concerns sound and text runs with fake engines behind the real command; what concerns
the portrait runs with the real face.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_avatar.cli import main as avatar
from realtime_avatar.face.portrait import default_portrait
from realtime_avatar.media.read import read_audio

FIXTURES = Path(__file__).parent.parent / "fixtures"
FAKES = {
    "AVATAR_RECOGNIZER": "fake",
    "AVATAR_CHAT": "fake",
    "AVATAR_VOICE": '{"en": "fake", "zh": "fake", "es": "fake"}',
    "AVATAR_FACE": "fake",
}


@dataclass
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `avatar ARGUMENTS…` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["avatar", *arguments])
        code = 0
        try:
            avatar()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def assert_refused(done: Done, *words: str) -> None:
    assert done.code == 2, done.err
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("avatar: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0]
    assert not list(Path.cwd().glob("*.mp4"))
    assert not list(Path.cwd().glob(".*.part"))


def write_sound(path: Path, seconds: float = 1, rate: int = 16_000, codec: str = "") -> Path:
    """Write a tone by PyAV, in whatever format the name asks for."""
    import av
    from av.audio.frame import AudioFrame

    codec = codec or {".mp3": "libmp3lame", ".wav": "pcm_s16le"}[path.suffix]
    t = np.arange(int(seconds * rate)) / rate
    tone = (8000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = "stereo"  # type: ignore[attr-defined]
        frame = AudioFrame.from_ndarray(np.repeat(tone, 2)[None], format="s16", layout="stereo")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:  # type: ignore[attr-defined]
            file.mux(packet)
    return path


@pytest.mark.parametrize("command", ["answer", "transcribe"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.wav", None, "there is no file"),
        ("empty.wav", b"", "empty"),
        ("text.wav", b"Dear sir, this is a letter and not a recording.\n" * 50, "text.wav"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "header.wav"),
        ("picture.wav", (FIXTURES / "portraits" / "back.jpg").read_bytes(), "no sound"),
    ],
)
def test_files_that_hold_no_sound(
    run: Run, tmp_path: Path, command: str, name: str, content: bytes | None, words: str
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert_refused(run(command, name, **FAKES), words)


@pytest.mark.parametrize("command", ["answer", "transcribe"])
def test_a_folder_is_no_recording(run: Run, tmp_path: Path, command: str):
    assert_refused(run(command, str(tmp_path), **FAKES), "is a folder")


@pytest.mark.parametrize("command", ["answer", "transcribe"])
def test_silence(run: Run, tmp_path: Path, command: str):
    import wave

    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    assert_refused(run(command, "silence.wav", **FAKES), "silence.wav")


def test_an_hour_is_too_long_a_question(run: Run, tmp_path: Path):
    write_sound(tmp_path / "minute.mp3", 60, 16_000)
    minute = (tmp_path / "minute.mp3").read_bytes()
    (tmp_path / "hour.mp3").write_bytes(minute * 60)  # MP3 is its frames, one after another
    assert_refused(run("answer", "hour.mp3", **FAKES), "60")


@pytest.mark.parametrize(
    ("name", "rate", "codec"),
    [("phone.wav", 8000, "pcm_s16le"), ("studio.wav", 96_000, "pcm_f32le"), ("a.mp3", 44_100, "")],
)
def test_all_sorts_of_recordings_are_answered(
    run: Run, tmp_path: Path, name: str, rate: int, codec: str
):
    write_sound(tmp_path / name, 1, rate, codec)
    done = run("answer", name, "--json", **FAKES)
    assert done.code == 0, done.err
    assert (tmp_path / "answer.mp4").stat().st_size > 1000


def test_a_recording_that_was_cut_off_is_answered_as_far_as_it_goes(
    run: Run, tmp_path: Path, recordings: Path
):
    whole = (recordings / "arctic_a0009.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    assert run("answer", "cut.wav", "--json", **FAKES).code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "nothing to say"), ("  \n", "nothing to say"), ("🙂🎉", "nothing to say"),
     ("a" * 100_000, "5,000")],
    ids=["empty", "blank", "emoji", "long"],
)  # fmt: skip
def test_texts_that_cannot_be_said(run: Run, text: str, words: str):
    assert_refused(run("say", text, **FAKES), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--language", "tlh"), "'tlh'"),
        (("--voice", "parrot"), "'parrot'"),
        (("--voice", "fake:nobody"), "'nobody'"),
        (("--out", "nowhere/film.mp4"), "nowhere"),
        (("--out", "film.avi"), "film.mp4"),
    ],
)
def test_choices_that_do_not_exist(run: Run, arguments: tuple[str, ...], words: str):
    assert_refused(run("say", "hello", *arguments, **FAKES), words)


@pytest.mark.parametrize("option", ["--out", "--report"])
@pytest.mark.parametrize("name", ["nowhere/voices.json", "folder.json"])
def test_an_evaluation_that_could_not_be_kept_is_not_begun(
    run: Run, tmp_path: Path, option: str, name: str
):
    (tmp_path / "folder.json").mkdir()
    assert_refused(run("eval", "voice", option, name, **FAKES), f"{name} cannot be written")


def test_an_unknown_engine(run: Run):
    assert_refused(run("say", "hello", **{**FAKES, "AVATAR_FACE": "mask"}), "'mask'", "photo")


def test_a_setting_that_does_not_exist(run: Run, tmp_path: Path):
    (tmp_path / "avatar.toml").write_text("colour = 'blue'\n")
    assert_refused(run("say", "hello", **FAKES), "colour")


def test_models_are_missing_and_there_is_no_network(run: Run, tmp_path: Path, recordings: Path):
    question = str(recordings / "jfk.wav")
    empty = {"AVATAR_MODELS": str(tmp_path / "models"), "AVATAR_OFFLINE": "1"}
    assert_refused(run("answer", question, **empty), "avatar models pull")


def test_a_model_whose_hash_is_wrong(run: Run, tmp_path: Path, recordings: Path):
    folder = tmp_path / "models" / "whisper-base"
    folder.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes(b"something else")
    question = str(recordings / "jfk.wav")
    done = run("transcribe", question, AVATAR_MODELS=str(tmp_path / "models"))
    assert_refused(done, "whisper-base")


def test_the_disk_is_full(tmp_path: Path):
    """A real full disk: a file system of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "realtime_avatar", "say", "many words " * 200,
             "--out", str(disk / "film.mp4")],
            env={**os.environ, **FAKES}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "No space left" in done.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# The portrait, with the real face.


def portrait() -> Image.Image:
    return Image.open(default_portrait()).convert("RGB")


def three_faces(path: Path) -> None:
    one = portrait().resize((400, 400))
    row = Image.new("RGB", (1200, 400))
    for index in range(3):
        row.paste(one, (400 * index, 0))
    row.save(path)


def small_face(path: Path) -> None:
    scene = Image.new("RGB", (800, 800), (90, 120, 90))
    scene.paste(portrait().resize((90, 90)), (300, 300))
    scene.save(path)


def nobody(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (512, 512, 3), np.uint8)
    Image.fromarray(noise).save(path)


def profile(path: Path) -> None:
    Image.open(FIXTURES / "portraits" / "profile.jpg").save(path)


def back(path: Path) -> None:
    Image.open(FIXTURES / "portraits" / "back.jpg").save(path)


def not_a_picture(path: Path) -> None:
    path.write_bytes(b"this is not a picture")


def half_a_picture(path: Path) -> None:
    whole = default_portrait().read_bytes()
    path.write_bytes(whole[: len(whole) // 3])


@pytest.mark.weights
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nobody, "no face"),
        (back, "no face"),
        (three_faces, "3 faces"),
        (small_face, "pixels"),
        (profile, "turned"),
        (not_a_picture, "bad.png"),
        (half_a_picture, "bad.png"),
    ],
)
def test_portraits_that_cannot_speak(
    run: Run, tmp_path: Path, make: Callable[[Path], None], words: str
):
    make(tmp_path / "bad.png")
    fakes = {**FAKES, "AVATAR_FACE": "photo"}
    assert_refused(run("say", "hello", "--portrait", "bad.png", **fakes), words)


@pytest.mark.weights
def test_a_portrait_that_is_not_there(run: Run):
    fakes = {**FAKES, "AVATAR_FACE": "photo"}
    assert_refused(run("say", "hello", "--portrait", "gone.png", **fakes), "gone.png")


def cmyk(path: Path) -> None:
    portrait().convert("CMYK").save(path.with_suffix(".jpg"))


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    portrait().rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif)


def animated(path: Path) -> None:
    frames = [portrait().resize((400, 400)), Image.new("RGB", (400, 400))]
    frames[0].save(path.with_suffix(".gif"), save_all=True, append_images=frames[1:])


def huge(path: Path) -> None:
    portrait().resize((12_000, 12_000)).save(path, compress_level=0)


@pytest.mark.weights
@pytest.mark.parametrize("make", [cmyk, rotated, animated, pytest.param(huge, id="12000 pixels")])
def test_portraits_that_need_some_care(run: Run, tmp_path: Path, make: Callable[[Path], None]):
    make(tmp_path / "odd.png")
    (path,) = tmp_path.glob("odd.*")
    fakes = {**FAKES, "AVATAR_FACE": "photo"}
    done = run("say", "hello", "--portrait", path.name, "--square", "256", "--json", **fakes)
    assert done.code == 0, done.err
    assert read_audio(tmp_path / "say.mp4").seconds == pytest.approx(0.12, abs=0.05)
