import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.media.audio import join
from realtime_avatar.voice.clauses import Ending
from realtime_avatar.voice.delivery import CHUNK, FRAME, RATE, Delivery
from realtime_avatar.voice.reading import Utterance

SYMBOLS = "həlˈO, ðˈɛɹ."
PIECES = (("Hello, ", 0), ("there.", 7))


def utterance(ending: Ending = Ending.SENTENCE) -> Utterance:
    return Utterance(SYMBOLS, PIECES, ending)


def sound(
    level: float = 0.1, lead: int = 10, frames: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A tone between silences, and durations of `frames` for each symbol."""
    durations = np.array([lead, *[frames] * len(SYMBOLS), 8], np.int64)
    wave = np.zeros(int(durations.sum()) * FRAME, np.float32)
    spoken = np.arange(lead * FRAME, len(wave) - 8 * FRAME)
    wave[spoken] = level * np.sqrt(2) * np.sin(2 * np.pi * 200 * spoken / RATE)
    return wave, durations


def test_silence_around_it_is_trimmed_and_chunks_are_short_and_consecutive():
    wave, durations = sound()
    chunks = Delivery(0.1).chunks(utterance(), wave, durations)
    whole = join(chunks)
    assert 0 < len(wave) - whole.samples - (10 + 8) * FRAME + 480 + 1440 + 240 < 500
    assert [chunk.start for chunk in chunks] == list(range(0, whole.samples, CHUNK))
    assert all(chunk.samples == CHUNK for chunk in chunks[:-1])


def test_pauses_stand_between_utterances_but_not_at_the_ends():
    delivery = Delivery(0.1)
    first = join(delivery.chunks(utterance(Ending.SENTENCE), *sound()))
    second = join(delivery.chunks(utterance(Ending.COMMA), *sound()))
    third = join(delivery.chunks(utterance(), *sound()))
    assert second.start == first.end
    assert third.start == second.end
    assert second.samples - first.samples == 7200
    assert third.samples - first.samples == 3600
    assert not second.pcm[:7200].any()


def test_words_and_phonemes_are_where_they_are_heard():
    wave, durations = sound()
    chunks = Delivery(0.1).chunks(utterance(), wave, durations)
    whole = join(chunks)
    assert whole.text == "Hello, there."
    assert [phoneme.symbol for phoneme in whole.phonemes] == ["h", "ə", "l", "oʊ", "ð", "ɛ", "ɹ"]
    starts = [phoneme.start for phoneme in whole.phonemes]
    assert starts == sorted(starts)
    # The times are 55 ms earlier than predicted; 20 ms are kept before the sound.
    eth = whole.phonemes[4]
    assert abs(eth.start - (7 * 4 * FRAME - 1320 + 480)) <= 120
    there = next(chunk for chunk in chunks if "there." in chunk.text)
    assert there.start <= eth.start < there.end
    assert whole.phonemes[3].end < eth.start  # a comma is a pause


def test_silent_text_goes_with_the_next_sound_or_at_the_end():
    delivery = Delivery(0.1)
    delivery.carry("🙂 ")
    chunks = delivery.chunks(utterance(), *sound())
    delivery.carry(" 🎉")
    last = delivery.finish()
    assert "".join(chunk.text for chunk in [*chunks, *last]) == "🙂 Hello, there. 🎉"
    assert last[0].start == chunks[-1].end
    assert not last[0].pcm.any()
    nothing = Delivery(0.1)
    nothing.carry("🙂")
    assert nothing.finish() == []


@pytest.mark.parametrize("level", [0.02, 0.1, 0.4])
def test_loudness_goes_to_the_common_level(level: float):
    delivery = Delivery(0.1)
    said = [join(delivery.chunks(utterance(), *sound(level))) for _ in range(12)]
    heard = said[-1].float32()[9600:-4800]
    assert 0.08 < np.sqrt(np.square(heard).mean()) < 0.13


def test_peaks_are_not_clipped():
    wave, durations = sound(0.01)
    wave[len(wave) // 2] = 2.0
    whole = join(Delivery(0.01).chunks(utterance(), wave, durations))
    assert 0.8 < np.abs(whole.float32()).max() < 0.9


@pytest.mark.parametrize("extra", range(0, 4801, 480))
def test_no_word_is_lost_at_the_end_of_a_chunk(extra: int):
    wave, durations = sound(frames=2)
    wave = np.concatenate([wave, np.full(extra, 0.1, np.float32)])
    late = Utterance(SYMBOLS, (("Hello, ", 0), ("there", 11), (".", 12)), Ending.SENTENCE)
    durations[-3:] = 400  # as if the end came much later than the sound
    whole = join(Delivery(0.1).chunks(late, wave, durations))
    assert whole.text == "Hello, there."
    assert all(phoneme.end <= whole.end for phoneme in whole.phonemes)


def test_a_beginning_goes_on_in_its_longer_version_without_a_break():
    short, short_frames = sound(lead=10)
    long, long_frames = sound(lead=13, frames=5)  # later, and slower
    delivery = Delivery(0.1)
    beginning = join(delivery.chunks(utterance(), short, short_frames, until=1))
    rest = join(delivery.chunks(utterance(), long, long_frames))
    assert (beginning.text, rest.text) == ("Hello, ", "there.")
    assert [p.symbol for p in beginning.phonemes] == ["h", "ə", "l", "oʊ"]
    assert [p.symbol for p in rest.phonemes] == ["ð", "ɛ", "ɹ"]
    assert rest.start == beginning.end <= rest.phonemes[0].start
    pcm = join([beginning, rest]).pcm.astype(float)
    tone = pcm[RATE // 10 : -RATE // 10]
    step = 2 * np.pi * 200 / RATE * tone.max()  # the steepest that this tone can be
    assert np.abs(np.diff(tone)).max() < step * 1.2
    assert np.sqrt(np.square(tone).mean()) == pytest.approx(tone.max() / np.sqrt(2), rel=0.02)
    assert join(delivery.chunks(utterance(), *sound())).text == "Hello, there."


def test_the_rest_of_a_beginning_is_as_loud():
    delivery = Delivery(0.1)
    beginning = join(delivery.chunks(utterance(), *sound(level=0.05), until=1))
    rest = join(delivery.chunks(utterance(), *sound(level=0.05)))
    loud = [np.abs(part.pcm[2400:-2400]).max() for part in (beginning, rest)]
    assert loud[0] == pytest.approx(loud[1], rel=0.01)
