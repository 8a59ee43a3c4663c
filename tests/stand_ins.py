"""Small stand-ins for libraries and servers whose weights cannot be had everywhere.

They have the names, shapes and rates of the real ones (Pocket TTS 4.0, coqui-tts 0.27, OpenAI's
speech route), so that the code that loads and runs those is the code that is tested.
"""

import json
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.bench.stand_in import Answer, sound

RATE = 24_000


class Tensor:
    """As much of torch.Tensor as engines use."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values
        self.shape = values.shape

    def to(self, device: str) -> "Tensor":
        assert device == "cpu"
        return self

    def detach(self) -> "Tensor":
        return self

    cpu = detach

    def numpy(self) -> NDArray[np.float32]:
        return self.values


def tone(text: str) -> Iterator[NDArray[np.float32]]:
    """80 ms of sound for each word, in pieces of 80 ms."""
    turn = np.arange(1920) * 2 * np.pi * 200 / RATE
    for _ in text.split():
        yield (0.3 * np.sin(turn)).astype(np.float32)


class TTSModel:
    """pocket_tts.TTSModel."""

    sample_rate = RATE

    @classmethod
    def load_model(cls, language: str | None = None, temp: float | None = None) -> "TTSModel":
        assert language in ("english", "spanish")
        return cls()

    def get_state_for_audio_prompt(self, prompt: str | Tensor) -> dict[str, Any]:
        if isinstance(prompt, Tensor):
            assert prompt.shape[0] == 1
            assert prompt.values.dtype == np.float32
        else:
            assert prompt in ("alba", "lola")
        return {"prompt": prompt}

    def generate_audio_stream(
        self, model_state: dict[str, Any], text_to_generate: str, stop: threading.Event
    ) -> Iterator[Tensor]:
        if not text_to_generate.strip():
            raise ValueError("empty")
        for piece in tone(text_to_generate):
            if stop.is_set():
                return
            yield Tensor(piece)


class XttsConfig:
    def load_json(self, path: str) -> None:
        json.loads(Path(path).read_text())


class Xtts:
    """TTS.tts.models.xtts.Xtts."""

    class speaker_manager:  # noqa: N801
        speakers = {  # noqa: RUF012
            "Claribel Dervla": {
                "gpt_cond_latent": Tensor(np.zeros((1, 32, 1024), np.float32)),
                "speaker_embedding": Tensor(np.zeros((1, 512, 1), np.float32)),
            }
        }

    @classmethod
    def init_from_config(cls, config: XttsConfig) -> "Xtts":
        return cls()

    def load_checkpoint(self, config: XttsConfig, checkpoint_dir: str, eval: bool) -> None:  # noqa: A002
        assert Path(checkpoint_dir).is_dir()

    def to(self, device: str) -> "Xtts":
        return self

    def get_conditioning_latents(self, audio_path: list[str]) -> tuple[Tensor, Tensor]:
        assert Path(audio_path[0]).read_bytes().startswith(b"RIFF")
        return (
            Tensor(np.ones((1, 32, 1024), np.float32)),
            Tensor(np.ones((1, 512, 1), np.float32)),
        )

    def inference_stream(
        self, text: str, language: str, gpt_cond_latent: Tensor, speaker_embedding: Tensor
    ) -> Iterator[Tensor]:
        assert language in ("en", "es", "zh-cn")
        assert gpt_cond_latent.shape == (1, 32, 1024)
        assert speaker_embedding.shape == (1, 512, 1)
        return (Tensor(piece) for piece in tone(text))


def speaking(body: Any) -> Answer:
    """Return what Gemini's text-to-speech models answer: a tone, cut within samples."""
    (content,) = body["contents"]
    assert body["generationConfig"]["responseModalities"] == ["AUDIO"]
    text = content["parts"][0]["text"]
    data = b"".join((piece * 32767).astype("<i2").tobytes() for piece in tone(text))
    pieces = [data[at : at + 1001] for at in range(0, len(data), 1001)]
    return Answer([*map(sound, pieces[:-1]), sound(pieces[-1], finish="STOP")])


class _Speech(BaseHTTPRequestHandler):
    """POST /v1/audio/speech."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = self.headers["Authorization"] == "Bearer secret" and self.path == "/v1/audio/speech"
        if not right or body["response_format"] != "pcm" or body["voice"] != "alloy":
            self.send_error(401)
            return
        data = b"".join((piece * 32767).astype("<i2").tobytes() for piece in tone(body["input"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for at in range(0, len(data), 1001):  # odd: samples are cut in two
            self.wfile.write(data[at : at + 1001])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def standing_in(name: str, folder: Path) -> Generator[dict[str, Any]]:
    """Put a stand-in into the place of what an engine needs; yield the options that it wants."""
    with pytest.MonkeyPatch.context() as patch:
        if name == "openai-speech":
            with ThreadingHTTPServer(("127.0.0.1", 0), _Speech) as server:
                thread = threading.Thread(target=server.serve_forever)
                thread.start()
                yield {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "key": "secret"}
                server.shutdown()
                thread.join()
            return
        torch: dict[str, Any] = {"from_numpy": Tensor}
        if "torch" not in sys.modules:  # else it knows
            torch["cuda"] = SimpleNamespace(is_available=lambda: False)
        modules: dict[str, dict[str, Any]] = {
            "torch": torch,
            "pocket_tts": {"TTSModel": TTSModel},
            "TTS.tts.configs.xtts_config": {"XttsConfig": XttsConfig},
            "TTS.tts.models.xtts": {"Xtts": Xtts},
        }
        for path, content in modules.items():
            parts = path.split(".")
            for index in range(1, len(parts) + 1):
                parent = ".".join(parts[:index])
                if parent not in sys.modules:
                    patch.setitem(sys.modules, parent, ModuleType(parent))
            for key, value in content.items():
                patch.setattr(sys.modules[path], key, value, raising=False)
        if name == "xtts":
            (folder / "config.json").write_text("{}")
            yield {"accept_licence": "CPML", "folder": folder}
        elif name == "pocket-tts":
            yield {"accept_licence": "CC-BY-4.0"}
        else:
            yield {}
