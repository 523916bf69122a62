from collections.abc import Iterable

import pytest

from sightline.errors import SightlineError
from sightline.models.names import Catalogue, resolved, smp_names, timm_names, torchvision_names


def unasked() -> Iterable[str]:
    raise AssertionError("this library need not have been asked")


CATALOGUE: Catalogue = {"sightline": lambda: ["own"], "timm": timm_names, "torchvision": torchvision_names}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("own", "sightline/own"),
        ("resnet18", "timm/resnet18"),
        ("resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("timm/resnet18", "timm/resnet18"),
        ("tu-resnet18", "timm/resnet18"),
        ("torchvision/resnet18", "torchvision/resnet18"),
        ("regnet_y_400mf", "torchvision/regnet_y_400mf"),
    ],
)
def test_a_name_means_the_first_library_that_has_it(text: str, meant: str) -> None:
    assert str(resolved(text, CATALOGUE, "classifier")) == meant


def test_only_libraries_up_to_that_one_are_asked() -> None:
    catalogue: Catalogue = {"sightline": lambda: ["own"], "timm": unasked}
    assert resolved("own", catalogue, "classifier").library == "sightline"
    assert resolved("sightline/own", {"timm": unasked, **CATALOGUE}, "classifier").name == "own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnet81", "no classifier 'resnet81'; did you mean 'resnet18'?"),
        ("torchvison/resnet18", "no library 'torchvison'; did you mean 'torchvision'?"),
        ("torchvision/resnet19", "did you mean 'resnet18'?"),
        ("timm/regnet_y_400mf", "no classifier 'timm/regnet_y_400mf'"),
        ("", "no classifier ''; it is one of own, "),
    ],
)
def test_unknown_names_are_refused(text: str, message: str) -> None:
    with pytest.raises(SightlineError) as refused:
        resolved(text, CATALOGUE, "classifier")
    assert message in str(refused.value)


def test_deprecated_encoders_are_not_offered() -> None:
    names = smp_names()
    assert "mit_b0" in names
    assert not [name for name in names if name.startswith(("timm-", "tu-"))]
