"""`avatar bench live`: how long a person waits, and what they see and hear meanwhile.

A server is started on this machine; people, each in a process of their own, ask it recorded
questions aloud and sometimes speak over its answers. Every figure is taken where a person
would take it, in the client, and on its clock.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from anyio import create_task_group, current_time, run_process, sleep, to_thread
from numpy.typing import NDArray

from realtime_avatar.bench.live_bars import bars
from realtime_avatar.bench.live_face import landmarker
from realtime_avatar.bench.live_figures import figures
from realtime_avatar.bench.live_film import Film, film
from realtime_avatar.bench.live_mouth import openings
from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_question import HOP, read_question
from realtime_avatar.bench.live_recording import Recording
from realtime_avatar.bench.live_server import Server, serving
from realtime_avatar.bench.live_skew import skews
from realtime_avatar.bench.live_turns import Heard, pictures, turns
from realtime_avatar.bench.machine import machine
from realtime_avatar.config import Settings
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.errors import EngineError
from realtime_avatar.face.landmarks import FaceLandmarker

Report = dict[str, Any]
Say = Callable[[str], None]
Client = Literal["light", "chromium"]

REPLIES: Final = (
    "That is a good question. The sun warms the sea, the water rises as vapour, and far above"
    " the hills it is cold enough to fall again.",
    "I would love to know that myself. Some say that maps were first drawn by people who"
    " never left their village, but only listened.",
    "Most probably, yes. People have built small boats for thousands of years, and many of"
    " them found their way home without a compass.",
    "Not as far as I know. Both of them moved to the mountains in the spring, and before"
    " summer they had opened a very small museum.",
)
"""What the scripted chat answers unless its own replies are set."""

QUESTIONS: Final = ("questions/en.flac", "speech/arctic_a0009.wav", "speech/arctic_a0007.wav")

_AROUND = 0.2  # seconds of an answer's sound that are looked at before and after it
_OFTEN = 5.0  # seconds between two looks at what the server uses


def bundled_questions() -> list[Path]:
    """Return the English recordings that ship with the package and end with their speech."""
    return [bundled(name) for name in QUESTIONS]


async def bench_live(
    settings: Settings,
    questions: Sequence[Path],
    *,
    turns: int = 20,
    sessions: Sequence[int] = (1,),
    chat: str = "",
    client: Client = "light",
    say: Say = lambda _: None,
) -> Report:
    """Measure conversations.

    Args:
        settings: The server's, which it reads itself as well.
        questions: Recordings, asked in turn.
        turns: Of each session, those not counted that warm the engines up.
        sessions: How many people talk at once, one figure after another.
        chat: Engine to be used instead of the one that the settings name.
        client: "light" or "chromium".
        say: Is told what is being done.

    Returns:
        `machine`, `client`, `chat`, `questions`, `turns`; `runs`, for each of `sessions`
        what `figures` returns, and of the `server` every few seconds: when, the bytes of
        memory that it held, and its threads; and `bars`.

    Raises:
        AvatarError: if a question is no good, or the server or a client fails.
    """
    for question in questions:
        await to_thread.run_sync(read_question, question)
    settings = with_chat(settings, chat)
    thinker, about = ", ".join(settings.chats), machine()
    perceived: list[Conversations] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in sessions:
            say(f"Talking, {count} at once")
            paths = tuple(str(path.resolve()) for path in questions)
            plan = Plan("", paths, turns, warm=len(paths))
            place = Path(folder) / str(count)
            perceived.append(await converse(settings, plan, count, client, place))
    runs = await _look(settings, perceived, say)
    return {
        "machine": about,
        "client": client,
        "chat": thinker,
        "questions": [path.name for path in questions],
        "turns": turns,
        "runs": runs,
        "bars": [asdict(bar) | {"met": bar.met} for bar in bars(runs, client, thinker)],
    }


def with_chat(settings: Settings, chat: str) -> Settings:
    """Return the settings with another chat engine, if one is named."""
    settings = settings.model_copy(update={"chat": (chat,) if chat else settings.chats})
    if settings.chats == ("scripted",) and "scripted" not in settings.engines:
        own = {"scripted": {"replies": REPLIES}}
        settings = settings.model_copy(update={"engines": settings.engines | own})
    return settings


async def converse(
    settings: Settings, plan: Plan, count: int, client: Client, place: Path
) -> "Conversations":
    """Let so many people talk at once, with a server of their own.

    Args:
        settings: The server's.
        plan: Of each of them; the server's URL is filled in.
        count: How many.
        client: "light" or "chromium".
        place: An empty folder.

    Raises:
        AvatarError: if the server or a client fails.
    """
    variables = {
        "AVATAR_CHAT": json.dumps(settings.chats),
        "AVATAR_ENGINES": json.dumps(settings.engines),
        "AVATAR_MAX_SESSIONS": str(max(count, settings.max_sessions)),
    }
    folders = [place / str(number) for number in range(count)]
    used: list[tuple[float, int, int]] = []
    async with serving(variables) as server:
        try:
            async with create_task_group() as watching:
                watching.start_soon(_watch, server, used)
                async with create_task_group() as tasks:
                    for number, folder in enumerate(folders):
                        folder.mkdir(parents=True)
                        told = replace(plan, url=server.url, seed=number)
                        tasks.start_soon(_person, told, client, folder)
                watching.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise _first(group) from None
    recordings = [await to_thread.run_sync(Recording.load, folder) for folder in folders]
    return Conversations(count, recordings, used)


@dataclass(frozen=True, slots=True)
class Conversations:
    """What people perceived who talked at once.

    Attributes:
        count: How many they were.
        recordings: Theirs.
        used: By the server, every few seconds: when, bytes of memory, threads.
    """

    count: int
    recordings: list[Recording]
    used: list[tuple[float, int, int]]


async def _watch(server: Server, used: list[tuple[float, int, int]]) -> None:
    """Note every few seconds what the server holds: seconds, bytes, threads."""
    start = current_time()
    while (usage := server.usage()) is not None:
        used.append((current_time() - start, *usage))
        await sleep(_OFTEN)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _person(plan: Plan, client: Client, folder: Path) -> None:
    plan.write(folder / "plan.json")
    module = f"realtime_avatar.bench.live_{client}"
    command = [sys.executable, "-m", module, str(folder / "plan.json"), str(folder)]
    done = await run_process(command, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise EngineError(f"{client} client", (words or ["it died"])[-1])


async def _look(settings: Settings, perceived: Sequence[Conversations], say: Say) -> list[Report]:
    """Work out the figures, now that nothing is measured any more."""
    finder = await to_thread.run_sync(landmarker)
    looks: list[list[_Look]] = []
    for talk in perceived:
        say(f"Looking at {sum(len(recording.faces) for recording in talk.recordings)} pictures")
        looks.append([await to_thread.run_sync(_Look.at, one, finder) for one in talk.recordings])
    seen = [answer for people in looks for person in people for answer in person.answers()]
    async with Ensemble(settings) as ensemble:
        films = await film(ensemble, finder, [pcm for *_, pcm in seen], say) if seen else []
    for (person, turn, _), take in zip(seen, films, strict=True):
        person.compare(turn, take)
    runs: list[Report] = []
    for talk, people in zip(perceived, looks, strict=True):
        heard = [turn for person in people for turn in person.turns]
        shown = [pictures(recording) for recording in talk.recordings]
        runs.append({"sessions": talk.count} | figures(heard, shown) | {"server": talk.used})
    return runs


@dataclass(frozen=True, slots=True)
class _Look:
    """What one person perceived, looked at."""

    recording: Recording
    mouth: NDArray[np.float32] | None
    turns: list[Heard]

    @classmethod
    def at(cls, recording: Recording, finder: FaceLandmarker) -> "_Look":
        mouth = openings(finder, recording.faces) if recording.faces else None
        return cls(recording, mouth, turns(recording, mouth))

    def answers(self) -> list[tuple["_Look", Heard, NDArray[np.int16]]]:
        """Return each turn whose lips were seen, and its sound."""
        at, voice = self.recording.sound_at, self.recording.voice
        found: list[tuple[_Look, Heard, NDArray[np.int16]]] = []
        for turn in self.turns:
            if turn.mouth is not None:
                first, last = np.searchsorted(at, (turn.began - _AROUND, turn.ended + _AROUND))
                found.append((self, turn, voice[first * HOP : last * HOP]))
        return found

    def compare(self, turn: Heard, take: Film) -> None:
        """Fill in a turn's skew."""
        assert self.mouth is not None
        found, turn.lost = skews(take, self.recording, self.mouth, turn.began, turn.ended)
        turn.skews = [phrase.skew for phrase in found]
