from packaging.requirements import Requirement

from sightline.sandbox.installed import unmet, with_our_own


def names(*texts: str) -> list[str]:
    return [requirement.name for requirement in unmet(map(Requirement, texts))]


def test_versions_are_compared() -> None:
    assert names("pydantic>=2", "Pydantic", "numpy") == []
    assert names("pydantic<2", "numpy>=999") == ["pydantic", "numpy"]


def test_absent_ones_are_named_and_markers_obeyed() -> None:
    assert names("no-such-thing", "no-such-other; python_version < '3'") == ["no-such-thing"]


def test_extras_are_followed() -> None:
    assert names("httpx[no-such-extra]") == []
    assert "no-such-thing" not in names("sightline")
    # An extra that is not installed here: the library is there, what it adds is not.
    assert names("pydantic[email]") in (["email-validator"], [])


def test_a_place_to_install_from_is_never_what_we_have() -> None:
    assert names("numpy @ https://example.com/numpy.whl") == ["numpy"]


def test_our_own_requirements_stand_for_us() -> None:
    found = {
        requirement.name for requirement in with_our_own([Requirement("sightline"), Requirement("tiny")])
    }
    assert {"tiny", "numpy", "pydantic", "polars"} <= found
    assert "sightline" not in found
    assert "torch" not in found


def test_extras_made_of_extras_are_opened() -> None:
    found = {requirement.name for requirement in with_our_own([Requirement("sightline[all]")])}
    assert {"torch", "fastapi", "rasterio", "onnx"} <= found
