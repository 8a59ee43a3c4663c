"""llama.cpp's own server, which speaks the OpenAI protocol, on a port of this machine."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from realtime_avatar.engines.openmp import ensure_libgomp
from realtime_avatar.models.store import ModelStore

KEY = "open-sesame"


@dataclass(frozen=True)
class LlamaServer:
    """Where it is."""

    url: str


@contextmanager
def llama_server() -> Generator[LlamaServer]:
    """Serve the smallest model; `KEY` opens it."""
    from realtime_avatar.engines import runtime  # sets how OpenMP waits, before it is loaded

    assert runtime
    ensure_libgomp()
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(next(ModelStore().path("smollm2-135m").glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.n_batch = 2048, 2, 64
    params.cache_ram_mib = 0
    params.verbosity, params.warmup, params.ui = -1, False, False
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [KEY]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)
    server.handle_metrics()
    yield LlamaServer(f"{server.listening_address}/v1")
    del server
