"""What the adapters of engines on other machines are made of; the whole is in test_cluster."""

import pickle
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import inf
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_avatar.config import load_settings
from realtime_avatar.engines import remote_face
from realtime_avatar.engines.cluster import join
from realtime_avatar.engines.fake import FakeFace
from realtime_avatar.engines.link import _Feeding
from realtime_avatar.engines.ports import Rig
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.remote import Remote, _Said
from realtime_avatar.engines.replay import Replay
from realtime_avatar.engines.wire import About, Frames, Picture, Shared, pack, unpack
from realtime_avatar.errors import (
    AvatarError,
    CapacityError,
    ChatError,
    ConfigError,
    ConsentError,
    EngineError,
    InputError,
    ModelMissing,
    RemoteError,
    StoreError,
)
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.audio import Phoneme
from realtime_avatar.media.picture import rgb
from realtime_avatar.models.store import ModelStore
from streams import collect, settle, stream

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "error",
    [
        AvatarError("a"),
        ConfigError("a"),
        ModelMissing("a"),
        EngineError("voice", "a"),
        ChatError("quota", "a"),
        RemoteError("voice", "slow", "a"),
        InputError("a"),
        CapacityError("a", 7.5),
        StoreError("a"),
        ConsentError("a"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_from_one_process_to_another(error: AvatarError):
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


@pytest.mark.parametrize(("kind", "most", "size"), [("nv12", 2.5, 0.5), ("jpeg", 5, 0.3)])
def test_pictures_travel_smaller_and_look_the_same(kind: Frames, most: float, size: float):
    y, x = np.mgrid[:96, :64].astype(np.float32)
    frame = np.stack([128 + 100 * np.sin(x / 9), 2 * y, 3 * x], -1).astype(np.uint8)
    packed = pack(Shot(Audio.silence(960, 24_000), frame), kind)
    assert isinstance(packed.frame, Picture)
    assert packed.frame.data.nbytes <= size * frame.nbytes
    shown = rgb(unpack(packed).frame)
    assert shown.shape == frame.shape
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - frame).mean() < most


def test_what_a_gpu_painted_travels_as_it_was_painted():
    planes = np.random.default_rng(0).integers(16, 240, (96, 64), np.uint8)
    packed = pack(planes, "nv12")
    assert packed.data is planes
    assert (unpack(packed) == planes).all()
    assert not np.shares_memory(unpack(packed), planes)
    assert unpack(pack(planes, "jpeg")).shape == (64, 64, 3)


def test_what_is_no_picture_travels_as_it_is():
    shot = Shot(Audio.silence(960, 24_000), None)
    assert pack(shot, "nv12") is shot
    assert unpack("word") == pack("word", "jpeg") == "word"
    weights = np.zeros((2, 3), np.float32)
    assert pack(weights, "nv12") is weights


def test_audio_is_cut_with_its_phonemes_and_without_its_text():
    audio = Audio(
        np.arange(10, dtype=np.int16), 10, 5, "word", (Phoneme("a", 5, 8), Phoneme("b", 8, 15))
    )
    assert audio.after(5) is audio
    rest = audio.after(8)
    assert (rest.start, rest.end, rest.text, list(rest.pcm)) == (8, 15, "", list(range(3, 10)))
    assert rest.phonemes == audio.phonemes[1:]


async def test_a_stream_is_given_again_from_where_it_is_needed():
    replay = Replay(stream(range(6)))
    first, again = list[int](), list[int]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        first = [item async for item in head(replay, 4)]
        replay.drop(lambda item: item < 2)
        again = await collect(replay.items())
    assert first == [0, 1, 2, 3]
    assert again == [2, 3, 4, 5]
    assert replay.kept == (2, 3, 4, 5)


async def test_what_comes_after_what_is_kept_was_replaced_is_not_lost():
    pause = anyio.Event()

    async def slow() -> AsyncGenerator[int]:
        yield 1
        await pause.wait()
        yield 2

    replay = Replay(slow())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        async with aclosing(replay.items()) as items:
            assert await anext(items) == 1
            with anyio.move_on_after(0.01):
                await anext(items)
        replay.replace(replay.kept)
        pause.set()
        assert await collect(replay.items()) == [1, 2]


async def test_a_consumer_who_was_replaced_takes_nothing_more():
    replay = Replay(stream([1, 2, 3]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        stale, items = replay.items(), replay.items()
        assert await anext(stale) == 1
        assert await anext(items) == 1
        assert await collect(stale) == []
        assert await collect(items) == [2, 3]


async def test_a_replica_that_does_not_take_what_it_is_given_is_not_waited_for_without_end():
    replay, feeding = Replay(stream([1])), _Feeding()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        async with aclosing(replay.items()) as items:
            await anext(items)
            assert feeding.begin(2, replay).deadline == inf  # it has had all that there is
            feeding.hurry(2)
            assert feeding.wait.deadline < inf
            assert feeding.begin(2, replay).deadline < inf  # though it gave what it had before
            feeding.taken(replay)
            assert feeding.wait.deadline == inf
        tasks.cancel_scope.cancel()


async def head(replay: Replay[int], count: int) -> AsyncGenerator[int]:
    items = replay.items()
    for _ in range(count):
        yield await anext(items)


async def test_a_stream_is_read_only_as_it_is_asked_for_and_not_kept_for_ever():
    read: list[int] = []

    async def endless() -> AsyncGenerator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    replay = Replay(endless(), most=3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        await settle()
        assert read == []
        assert replay.hungry
        items = replay.items()
        for number in range(10):
            assert await anext(items) == number
        await settle()
        assert len(read) == 10
        assert replay.kept == (7, 8, 9)
        tasks.cancel_scope.cancel()


async def test_an_error_of_the_stream_comes_after_its_items():
    async def failing() -> AsyncGenerator[int]:
        yield 1
        raise InputError("no more")

    replay = Replay(failing())
    got: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay.read)
        for _ in range(2):
            with pytest.raises(InputError, match="no more"):
                async for item in replay.items():
                    got.append(item)  # noqa: PERF401 (what came before the error counts)
    assert got == [1, 1]


def speech(text: str, start: int = 0) -> list[Audio]:
    """Ten samples for each word, each of another value."""
    return [
        Audio(np.full(10, sum(map(ord, word)), np.int16), 100, start + 10 * number, word + " ")
        for number, word in enumerate(text.split())
    ]


@pytest.mark.parametrize("lost", range(8))
def test_a_sentence_that_was_broken_off_is_said_again_and_heard_once(lost: int):
    text = "One two. Three, four five! Six seven."
    said = _Said()
    heard = [audio for chunk in speech(text)[:lost] if (audio := said.new(chunk))]
    rest = said.rest(text)
    assert not rest or rest[0].split()[0] in ("One", "Three,", "Six")
    again = [audio for chunk in speech(" ".join(rest)) if (audio := said.new(chunk))]
    assert [(one.start, one.text, list(one.pcm)) for one in [*heard, *again]] == [
        (one.start, one.text, list(one.pcm)) for one in speech(text)
    ]


def test_what_is_lost_twice_is_heard_once_too():
    text = "One two. Three four. Five."
    said, heard, rest = _Said(), list[Audio](), text
    for lost in (3, 1, 9):
        heard += [audio for chunk in speech(rest)[:lost] if (audio := said.new(chunk))]
        rest = " ".join(said.rest(rest)) if lost < 9 else ""
    assert "".join(one.text for one in heard).split() == text.split()
    assert [one.start for one in heard] == [0, 10, 20, 30, 40]


def test_a_chunk_of_which_half_was_heard_is_cut():
    said = _Said()
    said.new(Audio(np.zeros(15, np.int16), 100, 0, "One two "))
    said.rest("One two three")
    [*again] = filter(None, map(said.new, speech("One two three")))
    assert [(one.start, one.samples, one.text) for one in again] == [
        (15, 5, ""),
        (20, 10, "three "),
    ]


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"realtime-avatar\[cluster\]"):
        join("")


def test_settings_of_the_cluster():
    settings = load_settings(
        cluster={"enabled": True, "engines": {"ditto": {"gpus": 0.5, "least": 0}}}
    )
    assert settings.cluster.engines["ditto"].gpus == 0.5
    assert settings.cluster.kinds == ("recognizer", "voice", "face")
    with pytest.raises(ConfigError, match="cluster"):
        load_settings(cluster={"engines": {"ditto": {"gpu": 1}}})


class Nowhere:
    """A handle of Ray Serve's whose deployment has no replica, nor will have one."""

    asked = 0

    def options(self, **_: Any) -> "Nowhere":
        return self

    def remote(self, *_: Any) -> "Nowhere":
        Nowhere.asked += 1
        return self

    def cancel(self) -> None: ...

    async def __anext__(self) -> None:
        await anyio.sleep_forever()


async def test_a_conversation_begins_with_the_cover_where_no_replica_is(
    monkeypatch: pytest.MonkeyPatch,
):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[serve]'")
    monkeypatch.setattr(remote_face, "_SOON", 0.1)
    monkeypatch.setattr(Nowhere, "asked", 0)
    fake = FakeFace(Context(ModelStore()))
    engine = remote_face.RemoteFace(Remote("face", Nowhere(), About(), 1, 60), fake)
    cover = await fake.enrol(np.full((64, 64, 3), 128, np.uint8))
    rig = Rig(64, 64, remote_face.RemoteRig(Shared("a", []), cover), ())
    with anyio.fail_after(10):
        async with engine.open(rig) as face:
            assert Nowhere.asked == 1
            assert (await face.idle()).shape == (64, 64, 3)
