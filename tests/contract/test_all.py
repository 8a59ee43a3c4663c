"""What every kind of engine owes: a name, its models, options in words, a third party's place."""

import sys
from pathlib import Path

import pytest

from engines_under_test import ENGINES, WEIGHTLESS, resolved
from realtime_avatar.engines.registry import KINDS, Context, Kind, engine_class, load, names
from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.models.store import ModelStore

ALL = [(kind, name) for kind, engines in ENGINES.items() for name, _ in engines]


@pytest.mark.parametrize("kind", KINDS)
def test_built_in_engines_are_registered(kind: Kind):
    assert set(names(kind)) >= {name for name, _ in ENGINES[kind]}


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_an_unknown_option_is_an_error_in_words(kind: Kind, name: str, store: ModelStore):
    options = resolved(dict(ENGINES[kind])[name])
    with pytest.raises(ConfigError, match="colour"):
        load(kind, name, Context(store, options=options | {"colour": "blue"}))


@pytest.mark.parametrize(("kind", "name"), [one for one in ALL if one[1] not in WEIGHTLESS])
def test_missing_models_are_named(kind: Kind, name: str, tmp_path: Path):
    models = engine_class(kind, name).models
    given = resolved(dict(ENGINES[kind])[name])
    options = {key: given[key] for key in ("device",) if key in given}
    with pytest.raises(ModelMissing, match="|".join(models)):
        load(kind, name, Context(ModelStore(tmp_path, offline=True), options=options))


def test_an_unknown_engine_is_an_error_that_names_the_known(store: ModelStore):
    with pytest.raises(ConfigError, match=r"no voice engine 'parrot'.*fake"):
        load("voice", "parrot", Context(store))


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with one engine that works and one that cannot be imported."""
    (tmp_path / "parrot.py").write_text(
        "class Parrot:\n"
        "    models = ()\n"
        "    def __init__(self, context):\n"
        "        self.words = context.options.get('words', 'hello')\n"
        "    def close(self):\n"
        "        pass\n"
    )
    info = tmp_path / "parrot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[realtime_avatar.chats]\nparrot = parrot:Parrot\nbroken = parrot_of_clay:Parrot\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "parrot", raising=False)


@pytest.mark.usefixtures("third_party")
def test_a_third_partys_engine_is_found_and_loaded_only_when_named(store: ModelStore):
    assert "parrot" in names("chat")
    assert "parrot" not in sys.modules
    assert load("chat", "parrot", Context(store, options={"words": "hi"})).words == "hi"


@pytest.mark.usefixtures("third_party")
def test_a_broken_engine_is_an_error_in_words(store: ModelStore):
    with pytest.raises(ConfigError, match=r"'broken' cannot be loaded.*parrot_of_clay"):
        load("chat", "broken", Context(store))
