"""Which library's model a name means: ``resnet18``, ``timm/resnet18.a1_in1k``, ``torchvision/resnet18``."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

from sightline.config.wording import instead
from sightline.errors import SightlineError

Library = Literal["sightline", "timm", "torchvision", "smp", "transformers"]


class ModelName(NamedTuple):
    """A model, or the encoder of one, by the library that it is from. As text: ``timm/resnet18``."""

    library: Library
    name: str

    def __str__(self) -> str:
        return f"{self.library}/{self.name}"


Catalogue = Mapping[Library, Callable[[], Iterable[str]]]
"""The names that are known, by library; asked for in this order, only as far as needed."""


def resolved(text: str, catalogue: Catalogue, what: str) -> ModelName:
    """The model that ``text`` means: of the library that it begins with, or the first that has it.

    Args:
        text: a name, with or without the library before it. A timm name may end in the tag of its pretrained
            weights (``resnet18.a1_in1k``), or begin with ``tu-`` as in segmentation-models-pytorch.
        catalogue: where to look.
        what: what it is called in messages, such as "classifier".

    Raises:
        SightlineError: no library has it.
    """
    libraries: dict[str, Library] = {str(library): library for library in catalogue}
    before, slash, name = text.partition("/")
    if not slash:
        before, name = "", text
    elif before not in libraries:
        raise SightlineError(
            f"{what} '{text}': there is no library '{before}'{instead(before, libraries, verb='is one of')}"
        )
    if "timm" in libraries and name.startswith("tu-"):
        before, name = before or "timm", name.removeprefix("tu-")
    searched: list[Library] = [libraries[before]] if before else list(catalogue)
    for library in searched:
        if (name.partition(".")[0] if library == "timm" else name) in catalogue[library]():
            return ModelName(library, name)
    known = [known for library in searched for known in catalogue[library]()]
    raise SightlineError(f"there is no {what} '{text}'{instead(name, known, verb='is one of')}")


@cache
def timm_names() -> tuple[str, ...]:
    """The architectures of timm, without the tags of their weights."""
    import timm

    return tuple(timm.list_models())


@cache
def torchvision_names() -> tuple[str, ...]:
    """The classifiers of torchvision."""
    from torchvision import models

    return tuple(models.list_models(module=models))


@cache
def smp_names() -> tuple[str, ...]:
    """The encoders that segmentation-models-pytorch has beside those of timm.

    Its ``timm-…`` ones are left out: they are deprecated there, and timm has each of them.
    """
    from segmentation_models_pytorch.encoders import encoders

    return tuple(name for name in encoders if not name.startswith("timm-"))
