"""Conversations with the real models."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from browser.people import Person, Server

pytestmark = [pytest.mark.browser, pytest.mark.weights]

Visit = Callable[..., Person]
SILENCE = np.zeros(3 * 48_000, np.int16)
NO_UDP = ("--webrtc-ip-handling-policy=disable_non_proxied_udp",)

# How much the picture changes within a second, around the mouth and in its upper corners.
CHANGES = """(async () => {
  const { picture } = avatar;
  const look = () => {
    const canvas = new OffscreenCanvas(64, 64);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0, 64, 64);
    return context.getImageData(0, 0, 64, 64).data;
  };
  const moved = { mouth: 0, corner: 0 };
  for (let before = look(), step = 0; step < 20; step++) {
    await new Promise(resolve => setTimeout(resolve, 50));
    const now = look();
    for (let y = 0; y < 64; y++)
      for (let x = 0; x < 64; x++) {
        const change = Math.abs(now[4 * (64 * y + x)] - before[4 * (64 * y + x)]);
        if (y >= 35 && y < 45 && x >= 24 && x < 40) moved.mouth += change / 160;
        if (y < 10 && x < 16) moved.corner += change / 160;
      }
    before = now;
  }
  return moved;
})()"""


@pytest.fixture(scope="module")
def real(serve: Callable[..., Server]) -> Server:
    return serve('languages = ["en"]\n', fake=False)


@pytest.fixture
def sentence(recordings: Path) -> NDArray[np.int16]:
    """He turned sharply and faced Gregson across the table. 48 kHz."""
    with wave.open(str(recordings / "arctic_a0009.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return np.repeat(pcm, 48_000 // file.getframerate())


@pytest.mark.parametrize("flags", [(), NO_UDP], ids=["webrtc", "socket"])
def test_a_whole_spoken_turn(
    real: Server, visit: Visit, sentence: NDArray[np.int16], flags: tuple[str, ...]
) -> None:
    person = visit(real.address, microphone=[SILENCE] * 3 + [sentence], flags=flags)
    person.start()
    heard = person.wait_event("heard", "e.final && e.text")
    assert "turned sharply" in heard["text"]
    person.wait_event("words")
    moved = person.run(CHANGES)
    assert moved["mouth"] > 3 * moved["corner"]
    finished = person.wait_event("finished")
    assert finished["heard"].strip()
    expect(person.find(".captions .line.avatar .words")).to_have_text(finished["heard"].strip())


def test_speaking_over_the_avatar_interrupts_it(
    real: Server, visit: Visit, sentence: NDArray[np.int16]
) -> None:
    person = visit(real.address, microphone=[sentence] * 20)
    person.choose("Push to talk")
    person.start()
    person.type("Please count slowly from one to forty.")
    asked = person.wait_event("heard", "e.text.startsWith('Please')")
    person.wait_event("words", f"e.turn === {asked['turn']}")
    person.choose("Just speak")
    cut = person.wait_event("finished", f"e.turn === {asked['turn']}")
    assert cut["interrupted"]
    assert cut["heard"].strip()
