import pytest

from sightline.service.domain.references import parse_dataset, unknown, version_key
from sightline.service.domain.refusals import RefusedError


def test_a_dataset_is_a_name_or_a_name_and_a_version() -> None:
    assert parse_dataset("digits") == ("digits", None)
    assert parse_dataset(" digits:1.0.0 ") == ("digits", "1.0.0")


@pytest.mark.parametrize(
    "text", ["", ":1.0.0", "digits:", "digits:1", "digits:1.0.0.0", "digits:latest", "a:1.0.0:b"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        parse_dataset(text)


def test_versions_are_ordered_by_number() -> None:
    assert sorted(["1.10.0", "1.9.0", "0.0.1"], key=version_key) == ["0.0.1", "1.9.0", "1.10.0"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert str(unknown("Dataset", "x", ["b", "a", "a"], "")) == "Dataset 'x' is unknown; there are: a, b."
    assert "there are none yet: publish one." in str(unknown("Dataset", "x", [], "publish one"))
    assert "and 5 more." in str(unknown("Dataset", "x", [f"d{i:02}" for i in range(25)], ""))
