from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np
import pytest
from anyio.lowlevel import checkpoint

from realtime_avatar.config import Settings
from realtime_avatar.dialogue import events as message
from realtime_avatar.dialogue.echo import Echo
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.listening import (
    Began,
    Cue,
    Dropped,
    Ended,
    Failed,
    GoesOn,
    Likely,
    Listener,
    Partial,
)
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.dialogue.session import Session
from realtime_avatar.engines import fake
from realtime_avatar.engines.fake import FakeChat
from realtime_avatar.engines.ports import Message, Transcript
from realtime_avatar.errors import ChatError, EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.live import Beat
from realtime_avatar.thinking.apology import SENTENCES
from realtime_avatar.thinking.knowledge import Knowledge, Passage
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


def said(text: str, end: int = 16_000) -> Transcript:
    return Transcript(text, True, 0, end, "en")


class Script:
    """Stands where the listener does and tells what the test wants."""

    tell: Callable[[Cue], None]

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.languages: Sequence[str] = ()

    async def listen(self, audio: AsyncIterable[Audio], tell: Callable[[Cue], None]) -> None:
        self.tell = tell
        async for _ in audio:
            pass

    def hold(self) -> None:
        self.asked.append("hold")

    def force_end(self) -> None:
        self.asked.append("force_end")

    def restrict(self, languages: Sequence[str]) -> None:
        self.languages = languages


@dataclass
class Live:
    """A session that runs, and all that came out of it."""

    session: Session
    script: Script
    told: list[message.Event] = field(default_factory=list[message.Event])
    beats: list[Beat] = field(default_factory=list[Beat])

    async def hear(self, *cues: Cue) -> None:
        for cue in cues:
            self.script.tell(cue)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(200):
            await checkpoint()

    async def until(self, wanted: type[message.Event], **fields: Any) -> Any:
        """Wait for the next event of a kind, or for the first one with these fields."""
        seen = 0 if fields else len(self.told)
        with anyio.fail_after(60):
            while True:
                for event in self.told[seen:]:
                    if isinstance(event, wanted) and fields.items() <= vars(event).items():
                        return event
                await anyio.sleep(0.02)

    def of(self, kind: type[message.Event]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.of(message.State)]

    @property
    def history(self) -> list[tuple[str, str]]:
        messages = [m for m in self.session.history.messages if m.role != "system"]
        return [(m.role, m.text) for m in messages]


def settings(**options: Any) -> Settings:
    kinds: dict[str, Any] = dict.fromkeys(("detector", "recognizer", "chat", "face"), "fake")
    kinds["voice"] = {"en": "fake", "zh": "fake", "es": "fake"}
    return Settings(**(kinds | options))


@asynccontextmanager
async def live(history: Sequence[Message] = (), **options: Any) -> AsyncGenerator[Live]:
    async with (
        Ensemble(settings(**options)) as ensemble,
        AsyncExitStack() as stack,
        anyio.create_task_group() as tasks,
    ):
        engine = await ensemble.face()
        rig = await engine.enrol(np.full((64, 64, 3), 128, np.uint8))
        face = await stack.enter_async_context(engine.open(rig))
        script = Script()
        session = Session(
            ensemble, face, cast("Listener", script), Echo(), stack, Taste(history=history)
        )
        stage = Live(session, script)

        async def collect_events() -> None:
            async for event in session.events:
                stage.told.append(event)

        async def collect_beats() -> None:
            async with session.playout.beats() as beats:
                async for beat in beats:
                    stage.beats.append(beat)

        for task in (session.run, collect_events, collect_beats):
            tasks.start_soon(task)
        await stage.until(message.State)
        yield stage
        tasks.cancel_scope.cancel()


async def test_a_spoken_turn() -> None:
    async with live() as stage:
        await stage.hear(Began(0), Partial(said("hello")), Likely(said("hello there")))
        assert not stage.of(message.Words)
        await stage.hear(Ended(said("hello there")))
        finished = await stage.until(message.Finished)
        assert finished == message.Finished(turn=1, heard="You said: hello there")
        assert "".join(w.text for w in stage.of(message.Words)) == "You said: hello there"
        assert stage.states == ["idle", "listening", "thinking", "speaking", "idle"]
        heard = stage.of(message.Heard)
        assert [(h.text, h.final, h.turn) for h in heard] == [
            ("hello", False, 1),
            ("hello there", False, 1),
            ("hello there", True, 1),
        ]
        (timings,) = stage.of(message.TurnTimings)
        assert set(timings.stages) == {
            "recognizer", "end_of_turn", "chat", "voice", "face", "playout"
        }  # fmt: skip
        assert stage.history == [("user", "hello there"), ("assistant", "You said: hello there")]


async def test_a_guess_that_proves_wrong_is_never_heard() -> None:
    async with live() as stage:
        await stage.hear(Began(0), Likely(said("what is")))
        await anyio.sleep(1)
        await stage.hear(GoesOn(20_000), Likely(said("what is it")), Ended(said("what is it")))
        finished = await stage.until(message.Finished)
        assert finished.heard == "You said: what is it"
        assert len(stage.of(message.Finished)) == 1
        assert stage.history == [("user", "what is it"), ("assistant", finished.heard)]


async def test_speaking_over_the_avatar_silences_it() -> None:
    async with live() as stage:
        await stage.hear(Likely(said("one")), Ended(said("one")))
        await stage.until(message.Words)
        await stage.hear(Began(0))
        sent = len(stage.beats)
        await anyio.sleep(0.2)
        assert not any(beat.audio.pcm.any() for beat in stage.beats[sent + 1 :])
        await stage.hear(Partial(said("no")))
        (finished,) = stage.of(message.Finished)
        assert finished.interrupted
        assert (finished.heard + " " + finished.unheard) == "You said: one"
        assert stage.history == [("user", "one"), ("assistant", finished.heard)]
        await stage.hear(Likely(said("no")), Ended(said("no")))
        assert (await stage.until(message.Finished)).heard == "You said: no"


async def test_a_cough_makes_it_pause_only() -> None:
    async with live() as stage:
        await stage.hear(Likely(said("one two three")), Ended(said("one two three")))
        await stage.until(message.Words)
        await stage.hear(Began(0))
        await anyio.sleep(0.3)
        await stage.hear(Dropped(4000))
        finished = await stage.until(message.Finished)
        assert finished == message.Finished(turn=1, heard="You said: one two three")
        speaking = [beat.speaking for beat in stage.beats]
        first, last = speaking.index(True), len(speaking) - speaking[::-1].index(True)
        assert not all(speaking[first:last])  # the pause


async def test_a_cough_between_turns_is_nothing() -> None:
    async with live() as stage:
        await stage.hear(Began(0), Dropped(4000))
        assert stage.states == ["idle", "listening", "idle"]
        await stage.hear(Began(0), Partial(said("uh")), Dropped(8000))
        assert [h.text for h in stage.of(message.Heard)] == ["uh", ""]
        assert stage.history == []


async def test_typing_takes_a_turn_and_interrupts() -> None:
    async with live() as stage:
        stage.session.command(message.Say(text="first words"))
        await stage.until(message.Words)
        stage.session.command(message.Say(text="second"))
        assert (await stage.until(message.Finished)).interrupted
        assert (await stage.until(message.Finished)).heard == "You said: second"
        assert [h.turn for h in stage.of(message.Heard)] == [1, 2]


async def test_words_heard_late_do_not_interrupt_what_was_typed_since() -> None:
    async with live() as stage:
        await stage.hear(Began(0))
        stage.session.command(message.Say(text="first words"))
        await stage.until(message.Words)
        await stage.hear(Partial(said("oh")), Likely(said("oh no")), Ended(said("oh no")))
        assert (await stage.until(message.Finished)).heard == "You said: first words"
        await stage.hear(Began(0), Likely(said("and now")), Ended(said("and now")))
        assert (await stage.until(message.Finished)).heard == "You said: and now"


async def test_a_sound_that_is_noticed_after_listening_was_switched_off_pauses_nothing() -> None:
    async with live() as stage:
        stage.session.command(message.Listen(mode="never"))
        stage.session.command(message.Say(text="hello"))
        await stage.until(message.State, state="speaking")
        await stage.hear(Began(0))
        assert not stage.session.playout.paused
        finished = await stage.until(message.Finished)
        assert (finished.heard, finished.interrupted) == ("You said: hello", False)


async def test_stop_is_obeyed() -> None:
    async with live() as stage:
        stage.session.command(message.Say(text="first words"))
        await stage.until(message.Words)
        stage.session.command(message.Stop())
        finished = await stage.until(message.Finished)
        assert finished.interrupted
        await stage.settle()
        assert stage.states[-1] == "idle"


async def test_restart_forgets() -> None:
    before = [Message("user", "hi"), Message("assistant", "hello")]
    async with live(before) as stage:
        assert len(stage.history) == 2
        stage.session.command(message.Restart())
        await anyio.sleep(0.1)
        assert stage.history == []


async def test_an_answer_stopped_before_its_voice_opened_leaves_the_next_one_audible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live() as stage:
        chats = stage.session._chats
        with monkeypatch.context() as slow:

            async def wait(_: str) -> None:
                await anyio.sleep(60)

            slow.setattr(chats, "get", wait)
            stage.session.command(message.Say(text="one"))
            await stage.settle()
            await stage.hear(Began(0), Partial(said("no")))
        await stage.hear(Likely(said("no")), Ended(said("no")))
        finished = await stage.until(message.Finished, turn=2)
        assert (finished.heard, stage.of(message.Problem)) == ("You said: no", [])


async def test_a_failing_stage_is_told_and_the_session_lives_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live() as stage:
        engine = await stage.session._ensemble.voice("en")
        with monkeypatch.context() as broken:

            def fall(**_: Any) -> None:
                raise EngineError("voice", "no breath")

            broken.setattr(engine[0], "open", fall)
            stage.session.command(message.Say(text="hello"))
            problem = await stage.until(message.Problem)
            assert (problem.stage, problem.fatal) == ("voice", False)
            assert "no breath" in problem.message
        stage.session.command(message.Say(text="again"))
        assert (await stage.until(message.Finished)).heard == "You said: again"


def forgetful(failure: Exception) -> Callable[..., AsyncGenerator[str]]:
    """Return what stands in for `FakeChat.reply` and has no answer."""

    async def reply(*_: Any) -> AsyncGenerator[str]:
        await checkpoint()
        raise failure
        yield ""

    return reply


async def test_a_chat_without_an_answer_says_so_and_the_page_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live(language="es") as stage:
        with monkeypatch.context() as broken:
            broken.setattr(FakeChat, "reply", forgetful(ChatError("quota", "429")))
            stage.session.command(message.Say(text="hello"))
            finished = await stage.until(message.Finished)
            assert finished.heard == SENTENCES["es"]["quota"]
            (problem,) = stage.of(message.Problem)
            assert (problem.stage, problem.message) == ("chat", "chat: 429")
        stage.session.command(message.Say(text="again"))
        assert (await stage.until(message.Finished)).heard == "You said: again"


async def test_the_next_chat_of_a_chain_answers_in_the_same_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted = {"scripted": {"replies": ["I can."]}}
    async with live(chat=("fake", "scripted"), engines=scripted) as stage:
        monkeypatch.setattr(FakeChat, "reply", forgetful(ChatError("unreachable", "gone")))
        stage.session.command(message.Say(text="hello"))
        assert (await stage.until(message.Finished)).heard == "I can."
        (problem,) = stage.of(message.Problem)
        assert problem.message == "chat: gone"


async def test_the_chat_is_told_who_the_avatar_is_and_it_says_so_itself(tmp_path: Path) -> None:
    file = tmp_path / "nora.toml"
    file.write_text('name = "Nora"\nfacts = ["The museum opens at ten."]\n')
    async with live(persona=file) as stage:
        stage.session.command(message.Say(text="Are you human?"))
        assert "My name is Nora" in (await stage.until(message.Finished)).heard
        system = stage.session.history.messages[0]
        assert system.role == "system"
        assert "You know: The museum opens at ten." in system.text


async def test_the_chat_reads_what_is_being_said_until_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    async def read_ahead(_: FakeChat, messages: Sequence[Message]) -> None:
        read.append("|".join(one.text for one in messages if one.role != "system"))
        await anyio.sleep(0.2)
        read.append("whole")

    monkeypatch.setattr(fake, "FakeChat", type("Eager", (FakeChat,), {"read_ahead": read_ahead}))

    async def until(last: str) -> None:
        with anyio.fail_after(60):
            while True:
                if read[-2:] == [last, "whole"]:
                    return
                await anyio.sleep(0.02)

    async with live() as stage:
        await stage.hear(Began(0), Partial(said("When do...")))
        await until("When do")
        read.clear()
        await stage.hear(Partial(said("When do you")), Likely(said("When do you open?")))
        await stage.hear(Ended(said("When do you open?")))
        finished = await stage.until(message.Finished)
        assert read == []  # nothing is begun that the question itself would wait for
        read.clear()
        await stage.hear(Began(9))
        await until(f"When do you open?|{finished.heard}|")


async def test_an_answer_that_is_heard_is_not_read_over(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    begun = anyio.Event()

    async def read_ahead(_: FakeChat, messages: Sequence[Message]) -> None:
        read.append(messages[-1].text)
        begun.set()

    monkeypatch.setattr(fake, "FakeChat", type("Eager", (FakeChat,), {"read_ahead": read_ahead}))
    async with live() as stage:
        stage.session.command(message.Say(text="hello"))
        await stage.until(message.State, state="speaking")
        await stage.hear(Began(0))
        await anyio.sleep(0.1)
        await stage.hear(Partial(said("wait a moment")))
        with anyio.fail_after(60):
            await begun.wait()
        assert read == ["wait a moment"]


async def test_what_was_looked_up_is_cited_when_the_answer_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "there").touch()
    found = Passage("visit.md", "Hours", "We open at ten.", 1.0)

    def search(_: object, question: str) -> list[Passage]:
        return [found] if "open" in question else []

    monkeypatch.setattr(Knowledge, "search", search)
    monkeypatch.setattr(Knowledge, "warm", str)
    async with live(knowledge=tmp_path / "there") as stage:
        await stage.hear(Began(0), Likely(said("when do you open")))
        await anyio.sleep(1)
        assert not stage.of(message.Cited)  # it is a guess
        await stage.hear(Ended(said("when do you open")))
        finished = await stage.until(message.Finished)
        assert "We open at ten." in finished.heard  # the fake chat repeats what it is told
        (cited,) = stage.of(message.Cited)
        source = message.Source(document="visit.md", place="Hours", text="We open at ten.")
        assert (cited.turn, cited.sources) == (1, (source,))
        assert stage.history[0] == ("user", "when do you open")
        stage.session.command(message.Say(text="hello"))
        await stage.until(message.Finished)
        assert len(stage.of(message.Cited)) == 1


async def test_ears_that_fail_are_told_of() -> None:
    async with live() as stage:
        await stage.hear(Began(0), Failed(EngineError("recognizer", "deaf")))
        (problem,) = stage.of(message.Problem)
        assert problem.stage == "recognizer"
        assert stage.states[-1] == "idle"


async def test_finish_lets_the_sentence_end() -> None:
    async with live() as stage:
        stage.session.command(message.Say(text="goodbye then"))
        await stage.until(message.Words)
        await stage.session.finish()
        assert stage.of(message.Finished)[-1].heard == "You said: goodbye then"
        stage.session.command(message.Say(text="more"))  # ignored, not an error
        await stage.settle()
        assert len(stage.of(message.Finished)) == 1


async def test_microphone_modes_reach_the_listener() -> None:
    async with live() as stage:
        for mode in ("talk", "always", "never"):
            stage.session.command(message.Listen(mode=mode))
        stage.session.command(message.Language(language="zh"))
        stage.session.command(message.Language(language="xx"))
        problem = await stage.until(message.Problem)
        assert "xx" in problem.message
        assert stage.script.asked == ["hold", "force_end"]
        assert stage.script.languages == ("zh",)
