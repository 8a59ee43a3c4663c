"""What becomes of a conversation when replicas, and the machines that they run on, come and go."""

import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from anyio import to_thread

from realtime_avatar.config import Cluster, Replicas, Settings
from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import answer_file, enrol
from realtime_avatar.dialogue.session import open_session
from realtime_avatar.engines.ports import SpeechEnd, SpeechStart
from realtime_avatar.engines.registry import KINDS, Context
from realtime_avatar.engines.remote import RemoteEngine
from realtime_avatar.engines.wire import About
from realtime_avatar.errors import CapacityError, ConfigError
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.audio import join
from realtime_avatar.media.picture import Frame, rgb
from streams import SpeechLike, collect, in_chunks, stream
from two_nodes import TwoNodes

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]

TEXT = "One two three four. Five six seven eight nine. Ten."


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def about(engine: Any, session: Any = None) -> About:
    """Ask a replica, the one that holds the session, about itself."""
    replica = session._link.opened.replica if session is not None else ""
    handle = engine._remote.handle.options(session_id=replica)
    found: About = await handle.about.remote()
    return found


async def until(seconds: float, so: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again whether something is so; fail if it is not in time."""
    with anyio.fail_after(seconds):
        while True:
            if await so():
                return
            await anyio.sleep(0.01)


@asynccontextmanager
async def stopped(process: int) -> AsyncGenerator[None]:
    """Stop a process meanwhile."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def same(one: list[Audio], other: list[Audio]) -> bool:
    """Whether two voices said the same, to the sample and the word."""
    whole, again = join(one), join(other)
    return whole.text.split() == again.text.split() and np.array_equal(whole.pcm, again.pcm)


@pytest.mark.parametrize("name", ["fake", "hibari"])
async def test_a_replica_that_is_killed_in_mid_sentence_is_not_heard_to_be(
    two_nodes: TwoNodes, context: Context, name: str
):
    async with (
        two_nodes.engine("voice", name, context, least=2, most=2) as engine,
        engine.open() as voice,
    ):
        undisturbed = await collect(voice.speak(stream([TEXT])))
        said, victim = list[Audio](), 0
        async with aclosing(voice.speak(stream([TEXT]))) as speech:
            async for chunk in speech:
                said.append(chunk)
                if len(said) == 6:
                    victim = (await about(engine, voice)).process
                    os.kill(victim, signal.SIGKILL)
        assert (await about(engine, voice)).process != victim
        assert same(said, undisturbed)


async def test_a_slow_replica_is_left_for_another(two_nodes: TwoNodes, context: Context):
    twice = two_nodes.engine(
        "voice", "fake", context, least=2, most=2, patience_seconds=1, check_seconds=30
    )
    async with twice as engine, engine.open() as voice:
        undisturbed = await collect(voice.speak(stream([TEXT])))
        slow = (await about(engine, voice)).process
        async with stopped(slow):
            assert same(await collect(voice.speak(stream([TEXT]))), undisturbed)
            assert (await about(engine, voice)).process != slow


async def test_a_machine_may_go_in_mid_sentence(two_nodes: TwoNodes, context: Context):
    first = two_nodes.ray.add_node(num_cpus=8)
    second: Any = None
    large = two_nodes.engine("voice", "fake", context, cpus=6)  # none of the others has so many
    async with large as engine, engine.open() as voice:
        undisturbed = await collect(voice.speak(stream([TEXT])))
        said: list[Audio] = []
        async with aclosing(voice.speak(stream([TEXT]))) as speech:
            async for chunk in speech:
                said.append(chunk)
                if len(said) == 6:
                    second = two_nodes.ray.add_node(num_cpus=8)
                    await to_thread.run_sync(two_nodes.ray.remove_node, first)
        assert same(said, undisturbed)
    await to_thread.run_sync(two_nodes.ray.remove_node, second)


async def test_a_sentence_is_heard_though_its_replica_is_killed(
    two_nodes: TwoNodes, context: Context, speech_like: SpeechLike
):
    said = in_chunks(speech_like(1, 16_000), 1600)

    async with (
        two_nodes.engine("recognizer", "fake", context) as engine,
        engine.open() as recognizer,
    ):
        process = (await about(engine, recognizer)).process

        async def killing() -> AsyncGenerator[Audio]:
            for number, chunk in enumerate(said):
                if number == 5:
                    os.kill(process, signal.SIGKILL)
                yield chunk

        [heard] = await collect(recognizer.transcribe(killing()))
    assert heard.text == "hello there"
    assert (heard.start, heard.end) == (0, 16_000)


async def test_speech_starts_and_ends_once_though_its_replica_is_killed(
    two_nodes: TwoNodes, context: Context, speech_like: SpeechLike
):
    said = in_chunks(
        join([Audio.silence(8000, 16_000), speech_like(1, 16_000), Audio.silence(8000, 16_000)]),
        1600,
    )
    async with (
        two_nodes.engine("detector", "fake", context) as engine,
        engine.open(min_silence_ms=300) as detector,
    ):
        undisturbed = await collect(detector.detect(stream(said)))
        process = (await about(engine, detector)).process

        async def killing() -> AsyncGenerator[Audio]:
            for number, chunk in enumerate(said):
                if number == 8:
                    os.kill(process, signal.SIGKILL)
                yield chunk

        events = await collect(detector.detect(killing()))
    assert [type(event) for event in undisturbed] == [SpeechStart, SpeechEnd]
    assert events == undisturbed


@pytest.mark.weights
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_face_covers_for_one_that_is_lost_or_slow_until_it_is_back(
    two_nodes: TwoNodes, context: Context, speech_like: SpeechLike, how: signal.Signals
):
    async def endless() -> AsyncGenerator[Audio]:
        start = 0
        while True:
            chunk = speech_like(0.2, 24_000)
            yield Audio(chunk.pcm, chunk.rate, start)
            start += chunk.samples
            await anyio.sleep(0.02)

    def one_colour(frame: Frame) -> bool:  # as the fake face has; a photograph has many
        return int(np.ptp(rgb(frame)[..., 0])) < 8

    def plain(shot: Shot) -> bool:
        return shot.frame is not None and one_colour(shot.frame)

    # One that is stopped is not replaced: it is back when it goes on.
    wanted = {"patience_seconds": 2, "check_seconds": 60 if how == signal.SIGSTOP else 2}
    async with two_nodes.engine("face", "fake", context, cover="photo", **wanted) as engine:
        rig = await engine.enrol(read_portrait(default_portrait()), size=(256, 256))
        async with engine.open(rig) as face:
            assert one_colour(await face.idle())
            shots, process = list[Shot](), 0
            with anyio.fail_after(60):
                async with aclosing(face.animate(endless())) as speech:
                    async for shot in speech:
                        shots.append(shot)
                        if len(shots) == 10:
                            process = (await about(engine, face)).process
                            os.kill(process, how)
                        if len(shots) == 50 and how == signal.SIGSTOP:
                            os.kill(process, signal.SIGCONT)
                        if len(shots) > 30 and plain(shot):
                            break
            assert one_colour(await face.idle())
    assert [shot.audio.start for shot in shots] == [960 * n for n in range(len(shots))]
    assert all(plain(shot) for shot in shots[:10])
    assert any(not plain(shot) for shot in shots)
    if how == signal.SIGSTOP:
        assert not any(plain(shot) for shot in shots[20:50])
    assert all(shot.frame is not None for shot in shots)


async def test_there_is_a_replica_as_soon_as_somebody_needs_one(
    two_nodes: TwoNodes, context: Context
):
    from ray import serve

    async with two_nodes.engine("voice", "fake", context, least=0, idle_seconds=1) as engine:

        def running() -> int:
            [deployment] = serve.status().applications["avatar-voice-fake"].deployments.values()
            return sum(deployment.replica_states.values())

        async def nobody() -> bool:
            return not await to_thread.run_sync(running)

        await until(60, nobody)
        async with engine.open() as voice:
            assert len(await collect(voice.speak(stream([TEXT])))) == 10


async def test_a_full_replica_refuses_in_our_words(two_nodes: TwoNodes, context: Context):
    async with two_nodes.engine("voice", "fake", context, sessions=2) as engine:
        async with engine.open(), engine.open():
            with pytest.raises(CapacityError, match="no room") as refused:
                async with engine.open():
                    pass
            assert refused.value.retry_after > 0

        async def empty() -> bool:
            return not (await about(engine)).sessions

        await until(5, empty)


async def test_an_engine_that_does_not_start_says_why(two_nodes: TwoNodes, context: Context):
    wrong = Context(context.store, options={"no_such_option": 1})
    with pytest.raises(ConfigError, match="no_such_option"):
        async with two_nodes.engine("voice", "fake", wrong):
            pass


async def test_cancelling_reaches_the_replica(two_nodes: TwoNodes, context: Context):
    async def never() -> AsyncGenerator[str]:
        yield "One "
        await anyio.sleep_forever()

    async with two_nodes.engine("voice", "fake", context) as engine, engine.open() as voice:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def listen() -> None:
                    await collect(voice.speak(never()))

                async def busy() -> bool:
                    return (await about(engine, voice)).busy > 0

                tasks.start_soon(listen)
                await until(5, busy)
                scope.cancel()

        async def idle() -> bool:
            return not await busy()

        await until(5, idle)
        assert len(await collect(voice.speak(stream([TEXT])))) == 10


async def test_a_new_version_takes_over_the_sessions(
    two_nodes: TwoNodes, context: Context, speech_like: SpeechLike
):
    said = [speech_like(1, 16_000)]
    old, new = (
        Context(context.store, options={"text": text}) for text in ("old words", "new words")
    )
    async with (
        two_nodes.engine("recognizer", "fake", old, finish_seconds=1) as engine,
        engine.open() as recognizer,
    ):
        [heard] = await collect(recognizer.transcribe(stream(said)))
        assert heard.text == "old words"
        async with two_nodes.engine("recognizer", "fake", new, finish_seconds=1):

            async def changed() -> bool:
                [heard] = await collect(recognizer.transcribe(stream(said)))
                assert heard.text in ("old words", "new words")
                return heard.text == "new words"

            await until(30, changed)


async def test_a_question_is_answered_by_engines_elsewhere(
    two_nodes: TwoNodes, recordings: Path, tmp_path: Path
):
    fake: dict[str, Any] = dict.fromkeys(KINDS, "fake")
    fake |= {"voice": {"en": "fake"}, "languages": ("en",)}
    replicas = {"fake": Replicas(cpus=0)}
    cluster = Cluster(
        enabled=True, address=two_nodes.ray.address, engines=replicas, kinds=KINDS, cover=""
    )
    async with Ensemble(Settings(cluster=cluster, **fake)) as ensemble:
        assert isinstance(await ensemble.recognizer(), RemoteEngine)
        film = await answer_file(
            ensemble, recordings / "arctic_a0009.wav", tmp_path / "answer.mp4", (128, 128)
        )
        rig = await enrol(ensemble, (128, 128))
        heard = ""
        async with open_session(ensemble, rig) as session, anyio.create_task_group() as tasks:
            tasks.start_soon(session.run)
            session.command(events.Say(text="Hi"))
            with anyio.fail_after(30):
                async for event in session.events:
                    assert not isinstance(event, events.Problem)
                    if isinstance(event, events.Finished):
                        heard = event.heard
                        break
            tasks.cancel_scope.cancel()
        assert heard == "You said: Hi"
    assert film.question == "hello there"
    assert film.answer == "You said: hello there"
    assert film.seconds == pytest.approx(0.4, abs=0.05)
    for kind in KINDS:
        await two_nodes.gone(kind, "fake")
