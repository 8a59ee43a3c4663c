"""What every test may ask for."""

from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.models.store import ModelStore
from two_nodes import TwoNodes, start_two_nodes


@pytest.fixture(scope="session", autouse=True)
def own_credentials(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Films are not signed with the user's certificate, nor the user's voices looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVATAR_CREDENTIALS", str(tmp_path_factory.mktemp("credentials")))
        patch.setenv("AVATAR_PEOPLE", str(tmp_path_factory.mktemp("people")))
        yield


@pytest.fixture(autouse=True)
def own_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without voices and records of consent."""
    monkeypatch.setenv("AVATAR_PEOPLE", str(tmp_path / "people"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Keep what whoever runs the tests has, documents and conversations, out of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def nobody_at_google(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the credentials of whoever runs the tests, and look for none in the network."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nowhere")


@pytest.fixture(scope="session")
def two_nodes() -> Generator[TwoNodes]:
    """A cluster of Ray on this machine, one for all tests."""
    with start_two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def store() -> ModelStore:
    return ModelStore()


@pytest.fixture
def context(store: ModelStore) -> Context:
    return Context(store, threads=2)


@pytest.fixture(autouse=True)
def weights_are_here(request: pytest.FixtureRequest, store: ModelStore) -> None:
    """Fail, rather than skip, when the models that `make test` fetches are not there."""
    if request.node.get_closest_marker("weights") is None:
        return
    try:
        for model in ("whisper-base", "smart-turn"):
            store.path(model)
    except ModelMissing as error:
        pytest.fail(f"{error}; `make test` fetches it")


@pytest.fixture
def recordings() -> Path:
    """Real speech: jfk.wav, arctic_a0007.wav, arctic_a0009.wav."""
    return bundled("speech")


@pytest.fixture
def speech_like() -> Callable[[float, int], Audio]:
    """A buzz with the pitch and the syllables of speech, for engines that need no words."""

    def make(seconds: float, rate: int) -> Audio:
        t = np.arange(int(seconds * rate)) / rate
        buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 12))
        syllables = np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
        return Audio((4000 * buzz * syllables).astype(np.int16), rate, 0)

    return make
