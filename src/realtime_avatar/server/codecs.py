"""Pictures and sound as packets for the network, by FFmpeg's encoders."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from realtime_avatar.media import Audio
from realtime_avatar.media.picture import Frame, i420

Codec = Literal["h264", "vp8"]

AUDIO_RATE = 48_000
PACKET = 960
"""Samples of an Opus packet: 20 ms."""

VIDEO_CLOCK = 90_000
"""Ticks a second of video timestamps in RTP."""

_VOICE_BITS = 48_000  # a second
_SETTLED = 10  # packets of silence after which one is like the other

# One thread and no picture held back. Three milliseconds for 512x512 on one core: VP8's speed is
# fixed, as it is negative, and a picture that is good enough (crf) takes no more bits.
_OPTIONS = {
    "h264": {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1", "crf": "22"},
    "vp8": {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "crf": "14"},
}
_ENCODERS = {"h264": "libx264", "vp8": "libvpx"}
_KEY_INTERVAL = 60  # seconds between key frames if nobody asks for one: they cost a lot


@dataclass(frozen=True, slots=True)
class Chunk:
    """One encoded picture.

    Attributes:
        data: Annex B H.264, or a VP8 frame.
        key: Whether it can be decoded without those before.
    """

    data: bytes
    key: bool


class VideoEncoder:
    """Encodes one stream of pictures of one size.

    Args:
        codec: Which; H.264 is constrained baseline, which every browser decodes.
        fps: Pictures a second.
        bits: A second, on average.

    Attributes:
        codec: The same; it may be changed before the first picture.
    """

    def __init__(self, codec: Codec, fps: int, bits: int) -> None:
        self.codec, self._fps, self._bits = codec, fps, bits
        self._context: VideoCodecContext | None = None
        self._picture: VideoFrame | None = None
        self._encoded: Frame | None = None
        self._key = False

    def ask_for_key(self) -> None:
        """Make the next picture a key frame. May be called from any thread."""
        self._key = True

    def encode(self, frame: Frame | None, index: int) -> Chunk | None:
        """Encode the next picture. Blocking: some milliseconds.

        Args:
            frame: See `Frame`; None repeats the one before.
            index: Its place in the stream, in pictures; greater than the one before.

        Returns:
            The packet; None while there has been no picture.
        """
        if frame is not None and frame is not self._encoded:
            self._encoded = frame
            self._picture = VideoFrame.from_ndarray(i420(frame), format="yuv420p")
        picture = self._picture
        if picture is None:
            return None
        if self._context is None:
            self._context = self._open(picture.width, picture.height)
        asked, self._key = self._key, False
        picture.pict_type = PictureType.I if asked else PictureType.NONE
        picture.pts, picture.time_base = index, Fraction(1, self._fps)
        packets = self._context.encode(picture)
        data = b"".join(bytes(packet) for packet in packets)
        return Chunk(data, any(packet.is_keyframe for packet in packets))

    def _open(self, width: int, height: int) -> VideoCodecContext:
        context = av.CodecContext.create(_ENCODERS[self.codec], "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.framerate, context.time_base = Fraction(self._fps), Fraction(1, self._fps)
        context.bit_rate = self._bits
        context.gop_size = _KEY_INTERVAL * self._fps
        context.thread_count = 1
        # No second may cost more than twice its share, or packets queue up on the way.
        rate = {"maxrate": str(2 * self._bits), "bufsize": str(self._bits)}
        context.options = _OPTIONS[self.codec] | rate
        if self.codec == "h264":
            context.profile = "Baseline"
            untyped = cast("Any", context)
            untyped.color_range, untyped.colorspace = ColorRange.MPEG, Colorspace.ITU601
            context.options |= {"level": level(width, height)}
        return context


def level(width: int, height: int) -> str:
    """Return the H.264 level for pictures of this size at 25 to 30 a second."""
    blocks = -(-width // 16) * -(-height // 16)
    return "3.1" if blocks <= 3600 else "4.0" if blocks <= 8192 else "5.1"


def web_codec(codec: Codec, width: int, height: int) -> str:
    """Return what WebCodecs calls the video of a `VideoEncoder`."""
    if codec == "vp8":
        return "vp8"
    number = round(float(level(width, height)) * 10)
    return f"avc1.42C0{number:02X}"


class OpusEncoder:
    """Encodes one stream of mono speech at 48 kHz."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = AUDIO_RATE, "mono", "s16"
        context.bit_rate = _VOICE_BITS
        context.time_base = Fraction(1, AUDIO_RATE)
        # Each packet carries a little of the one before, in case that is lost.
        context.options = {"application": "voip", "fec": "1", "packet_loss": "3"}
        self._context = context
        self._silent = 0  # packets of silence in a row
        self._silence = b""  # the last of them

    def encode(self, audio: Audio) -> list[bytes]:
        """Encode a whole number of packets' samples; takes a quarter of a millisecond each.

        Silence that lasts, as most of a call does, is one packet again and again.
        """
        packets: list[bytes] = []
        for at in range(0, audio.samples, PACKET):
            pcm = audio.pcm[None, at : at + PACKET]
            self._silent = 0 if pcm.any() else self._silent + 1
            if self._silent > _SETTLED and self._silence:
                packets.append(self._silence)
                continue
            frame = AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = AUDIO_RATE, audio.start + at
            frame.time_base = Fraction(1, AUDIO_RATE)
            packets += [bytes(packet) for packet in self._context.encode(frame)]
            self._silence = packets[-1] if packets and self._silent else b""
        return packets


class OpusDecoder:
    """Decodes one stream of Opus packets to mono at 48 kHz."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = AUDIO_RATE, "mono", "s16"
        self._context = context

    def decode(self, packet: bytes) -> NDArray[np.int16]:
        """Return the samples of one packet.

        Raises:
            ValueError: if it is none.
        """
        if not packet:  # to FFmpeg it would mean the end
            raise ValueError("not an Opus packet")
        try:
            frames = self._context.decode(av.Packet(packet))
        except FFmpegError as error:
            raise ValueError("not an Opus packet") from error
        return np.concatenate([np.zeros(0, np.int16), *(mono(frame) for frame in frames)])


def mono(frame: AudioFrame) -> NDArray[np.int16]:
    """Return the samples of a frame of interleaved or planar int16, its channels averaged."""
    channels = len(frame.layout.channels)
    samples = cast("NDArray[np.int16]", frame.to_ndarray())
    if channels == 1:
        return samples.reshape(-1)
    interleaved = samples.reshape(-1, channels) if samples.shape[0] == 1 else samples.T
    return interleaved.mean(1).astype(np.int16)
