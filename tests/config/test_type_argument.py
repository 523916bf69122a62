import pytest

from sightline.config import config_type
from sightline.errors import SightlineError
from tests.config.settings import Digits, DigitsTask, Leaf, Middle, NotAConfig, Task, Unnamed


class Mixin:
    pass


class Deep(Mixin, Leaf):
    pass


@pytest.mark.parametrize("cls", [DigitsTask, Leaf, Deep])
def test_found_at_any_depth(cls: type) -> None:
    assert config_type(cls, Task) is Digits


@pytest.mark.parametrize("cls", [Unnamed, Middle])
def test_none_is_given(cls: type) -> None:
    with pytest.raises(SightlineError) as error:
        config_type(cls, Task)
    name = cls.__name__
    assert str(error.value) == (
        f"{name} does not say what its configuration is; write `class {name}(Task[{name}Config])`."
    )


def test_not_a_config() -> None:
    with pytest.raises(
        SightlineError, match=r"but int is not a Config; write `class int\(sightline.config.Config\)`"
    ):
        config_type(NotAConfig, Task)
