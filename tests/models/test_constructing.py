import pytest

from sightline.errors import SightlineError
from sightline.models.constructing import checked_sizes, constructed


def net(classes: int, *, width: int = 8) -> tuple[int, int]:
    """Stands for a library's constructor."""
    if width < 1:
        raise ValueError("width must be positive.")
    return classes, width


def test_options_reach_the_constructor() -> None:
    assert constructed("net", net, {"width": 3}, classes=2) == (2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"widht": 3},
            r"net: cannot be built with \{widht: 3\} \(.*unexpected keyword argument 'widht'\)\.$",
        ),
        ({"width": 0}, r"net: cannot be built with \{width: 0\} \(width must be positive\)\.$"),
        ({"classes": 3}, r"net: 'classes' is no option"),
    ],
)
def test_refused_options_are_named(options: dict[str, int], message: str) -> None:
    with pytest.raises(SightlineError, match=message):
        constructed("net", net, options, classes=2)


def test_a_model_needs_classes_and_bands() -> None:
    checked_sizes("net", 1, 1)
    with pytest.raises(SightlineError, match="net: 'classes' is 0"):
        checked_sizes("net", 0, 3)
    with pytest.raises(SightlineError, match="net: 'channels' is -1"):
        checked_sizes("net", 2, -1)
