"""`python -m realtime_avatar.bench.live_chromium PLAN FOLDER`: a person at a browser.

A headless Chromium, whose microphone plays a recording, takes a call; a script in its page
(`live_page.js`) keeps what is heard and seen there, on the page's own clocks.
"""

import base64
import shutil
import sys
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import anyio
import cv2
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from realtime_avatar.bench.live_face import find_face
from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_question import HOP, RATE
from realtime_avatar.bench.live_recording import Asked, Recording, encode_face
from realtime_avatar.bench.live_script import LEAD, Script, find_lines, script
from realtime_avatar.bench.live_skew import AUDIBLE
from realtime_avatar.errors import AvatarError, ConfigError, EngineError

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_SETTLE = 1.5  # seconds from the first picture to the one that the face is found in
_LAST = 30_000  # ms for the last answer, should it be longer than its slot
_CROPS = 200  # fetched at once
_SOUNDS = 1000  # the same of sound, each of 10 ms
_CLOCK = 5.0  # seconds over which the clock of the sound is compared with the page's
_TALKING = 0.15  # seconds before an interruption in which something was heard


async def converse(plan: Plan, folder: Path) -> Recording:
    """Take part in a conversation; return what was perceived.

    Raises:
        ConfigError: if Playwright or a Chromium is missing.
        EngineError: if the page fails.
    """
    try:
        from playwright.async_api import Error, async_playwright
    except ImportError as error:
        raise ConfigError("the browser is driven by Playwright: pip install playwright") from error
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise ConfigError("no Chromium is installed; on Debian: apt install chromium")
    said = await to_thread.run_sync(script, plan)
    microphone = folder / "microphone.wav"
    await to_thread.run_sync(said.write, microphone)
    flags = [*_FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        context = await browser.new_context(bypass_csp=True, permissions=["microphone"])
        page = await context.new_page()
        try:
            return await _take_part(page, plan.url, said)
        except Error as error:
            raise EngineError("chromium", error.message.splitlines()[0]) from error
        finally:
            await browser.close()


async def _take_part(page: Any, url: str, said: Script) -> Recording:
    await page.goto(f"{url}/health")
    await page.evaluate((files("realtime_avatar.bench") / "live_page.js").read_text("utf-8"))
    delays = await page.evaluate("bench.connect()")
    began = anyio.current_time()
    await anyio.sleep(_SETTLE)
    address = await page.evaluate("bench.picture()")
    box = await to_thread.run_sync(find_face, _picture(address))
    square = {"left": box.left, "top": box.top, "side": box.side} if box else None
    await page.evaluate("square => bench.watch(square ?? {left: 0, top: 0, side: 1})", square)
    await anyio.sleep_until(began + LEAD / 2)
    await page.evaluate("bench.note()")
    await anyio.sleep_until(began + said.seconds)
    await page.evaluate(f"bench.idle({_LAST})")
    await page.evaluate("bench.note()")
    kept = await page.evaluate("bench.end()")
    faces: list[bytes] = []
    if box:
        for first in range(0, len(kept["pictures"]), _CROPS):
            crops = await page.evaluate(f"bench.crops({first}, {first + _CROPS})")
            faces += _faces(crops, await page.evaluate("bench.side"))
    whole = await _samples(page)
    return _recording(kept, delays, whole, faces, said)


async def _samples(page: Any) -> NDArray[np.int16]:
    """Return all that was heard."""
    some, first = [np.zeros(0, np.int16)], 0
    while data := await page.evaluate(f"bench.sounds({first}, {first + _SOUNDS})"):
        some.append(np.frombuffer(base64.b64decode(data), np.int16))
        first += _SOUNDS
    return np.concatenate(some)


def _recording(
    kept: dict[str, Any],
    delays: dict[str, float],
    whole: NDArray[np.int16],
    faces: list[bytes],
    said: Script,
) -> Recording:
    times, microphone = _sound(kept["microphone"])
    heard_at, voice = _sound(kept["voice"])
    heard_at += delays["speaker"]
    audible = heard_at[voice > AUDIBLE]
    asked: list[Asked] = []
    grid = np.arange(times[0], times[-1], HOP / RATE)
    heard = np.interp(grid, times, microphone).astype(np.float32)
    for line, late in zip(said.lines, find_lines(said, heard), strict=True):
        start = times[0] + late - delays["microphone"]
        first, last = float(start + line.first), float(start + line.last)
        over = bool(((audible > first - _TALKING) & (audible < first)).any())
        asked.append(Asked(line.question, first, last, over, line.counted))
    return Recording(
        voice,
        heard_at,
        whole[: len(voice) * HOP],
        np.array([at / 1000 for at, _ in kept["pictures"]]),
        faces,
        asked,
        [(at / 1000, event) for at, event in kept["events"]],
        {"delays": delays, "pictures": _pictures(kept), "stats": kept["stats"]},
    )


def _sound(batches: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return when each level of 5 ms of a track was there, and the levels.

    Each batch brings the time at which the page had it. The page is only ever late: the
    promptest within some seconds tell how the sound's clock stands to the page's.
    """
    came = np.array([batch[0] / 1000 for batch in batches])
    begins = np.array([batch[1] for batch in batches])
    sizes = np.array([len(batch[2]) for batch in batches])
    late = came - (begins + sizes * HOP / RATE)
    offsets = np.array([late[np.abs(came - at) < _CLOCK / 2].min() for at in came])
    times = [
        begin + offset + np.arange(size) * HOP / RATE
        for begin, offset, size in zip(begins, offsets, sizes, strict=True)
    ]
    return np.concatenate(times), np.concatenate([np.array(b[2], np.float32) for b in batches])


def _pictures(kept: dict[str, Any]) -> dict[str, float]:
    """Return the browser's own count of pictures and freezes; see `live_turns.pictures`."""
    (start, before), (end, after) = (
        (at, next(one for one in inbound if one["kind"] == "video"))
        for at, inbound in kept["stats"]
    )
    gaps = [
        (late - early) / 1000 / max(1, number - known)
        for (early, known), (late, number) in pairwise(kept["pictures"])
    ]
    return {
        "fps": (after["framesDecoded"] - before["framesDecoded"]) * 1000 / (end - start),
        "freezes": float(after["freezeCount"] - before["freezeCount"]),
        "longest": max(gaps, default=0.0),
    }


def _picture(address: str) -> NDArray[np.uint8]:
    """Return a PNG in a data address as RGB."""
    data = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _faces(crops: str, side: int) -> list[bytes]:
    pixels = np.frombuffer(base64.b64decode(crops), np.uint8).reshape(-1, side, side)
    return [encode_face(face) for face in pixels]


def main() -> None:
    plan, folder = Plan.read(Path(sys.argv[1])), Path(sys.argv[2])
    try:
        anyio.run(converse, plan, folder).save(folder)
    except AvatarError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
