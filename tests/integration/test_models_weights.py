"""The store on the real weights that `make test` has fetched."""

from pathlib import Path

import pytest

from realtime_avatar.models.catalogue import bundled
from realtime_avatar.models.store import ModelStore

pytestmark = pytest.mark.weights
DEFAULTS = [model.id for model in bundled().defaults()]


@pytest.mark.parametrize("model", DEFAULTS)
def test_every_byte_is_what_the_catalogue_says(store: ModelStore, model: str) -> None:
    store.verify(model)
    assert {status.model.id: status.state for status in store.status()}[model] == "ready"


@pytest.mark.parametrize("model", DEFAULTS)
def test_a_pull_of_what_is_there_asks_nobody(
    store: ModelStore, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    again = ModelStore(store.root, offline=True)
    assert again.pull(model) == store.root / model


def test_one_store_can_be_filled_from_another(store: ModelStore, tmp_path: Path) -> None:
    other = ModelStore(tmp_path, offline=True)
    folder = other.pull("face-landmarker", source=store.root)
    [file] = [path for path in folder.iterdir() if path.suffix == ".task"]
    assert file.read_bytes() == (store.path("face-landmarker") / file.name).read_bytes()
