from pathlib import Path

import pytest

from sightline.deploy.registry import Registry
from sightline.errors import SightlineError
from tests.deploy.handmade import classifier, detector, without_card


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_pushed_listed_found_pulled_removed(registry: Registry, tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", name="cells")
    detector(tmp_path / "b.onnx", name="drones")
    first, is_new = registry.push(tmp_path / "a.onnx")
    assert is_new
    assert first.reference == f"cells@{first.revision}"
    classifier(tmp_path / "a.onnx", name="cells", description="better")
    second, _ = registry.push(tmp_path / "a.onnx")
    third, _ = registry.push(tmp_path / "b.onnx", "flying things".replace(" ", "-"))
    assert [one.reference for one in registry.revisions("cells")] == [first.reference, second.reference]
    assert [one.reference for one in registry.models()] == [second.reference, third.reference]
    assert registry.find("cells") == second
    assert registry.find(first.reference) == first
    assert registry.find(first.reference[:-4]) == first
    path = registry.pull(first.reference, tmp_path / "back.onnx")
    assert path == tmp_path / "back.onnx"
    assert registry.push(path) == (first, False)
    (tmp_path / "folder").mkdir()
    assert registry.pull("cells", tmp_path / "folder") == tmp_path / "folder" / "cells.onnx"
    assert (tmp_path / "folder" / "cells.onnx").read_bytes() == (tmp_path / "a.onnx").read_bytes()
    assert registry.remove(first.reference) == [first]
    assert registry.revisions("cells") == [second]
    assert registry.remove("cells") == [second]
    assert [one.name for one in registry.models()] == ["flying-things"]
    assert [one.name for one in (tmp_path / "models").iterdir()] == ["flying-things"]


def test_what_is_not_there_is_one_sentence(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"there is no model 'cells' in .*models \(there are: none\)"):
        registry.find("cells")
    classifier(tmp_path / "a.onnx", name="cells")
    revision, _ = registry.push(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match=f"has no such revision; there are {revision.revision}"):
        registry.pull("cells@1999")
    with pytest.raises(SightlineError, match="there is no model 'dogs'"):
        registry.remove("dogs")


def test_a_shortened_revision_names_one(registry: Registry, tmp_path: Path) -> None:
    for text in ("one", "two"):
        classifier(tmp_path / "a.onnx", name="cells", description=text)
        revision, _ = registry.push(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match="is the beginning of several revisions"):
        registry.find(f"cells@{revision.revision[:10]}")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a@b"])
def test_names_are_plain(registry: Registry, tmp_path: Path, name: str) -> None:
    classifier(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match="cannot name a model; use letters, digits"):
        registry.push(tmp_path / "a.onnx", name or "/")


def test_only_models_with_a_card_are_kept(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="has no model card"):
        registry.push(without_card(tmp_path / "a.onnx"))
    (tmp_path / "a.txt").write_text("dear diary")
    with pytest.raises(SightlineError, match=r"a\.txt: is not the name of a model file"):
        registry.push(tmp_path / "a.txt")


def test_a_push_that_broke_off_is_no_revision(registry: Registry, tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", name="cells")
    revision, _ = registry.push(tmp_path / "a.onnx")
    (tmp_path / "models" / "cells" / revision.revision / "revision.json").unlink()
    assert registry.models() == []
    assert registry.push(tmp_path / "a.onnx")[1]
    assert len(registry.models()) == 1


def test_damage_is_found_when_it_is_fetched(registry: Registry, tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", name="cells")
    revision, _ = registry.push(tmp_path / "a.onnx")
    kept = tmp_path / "models" / revision.object_name
    kept.write_bytes(kept.read_bytes()[::-1])
    with pytest.raises(SightlineError, match=f"{revision.reference}: is damaged, its bytes are not those"):
        registry.pull("cells", tmp_path / "back.onnx")
    assert not (tmp_path / "back.onnx").exists()
    (kept.parent / "revision.json").write_text("{}")
    with pytest.raises(SightlineError, match=r"revision\.json: is damaged"):
        registry.models()


def test_the_place_may_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_REGISTRY", str(tmp_path / "elsewhere"))
    classifier(tmp_path / "a.onnx", name="cells")
    Registry().push(tmp_path / "a.onnx")
    assert (tmp_path / "elsewhere" / "cells").is_dir()
