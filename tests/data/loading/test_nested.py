from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from sightline.data.loading.nested import each_tensor, in_first

ONE, TWO = torch.ones(2), torch.full((2,), 2.0)


class Pair(NamedTuple):
    image: Any
    label: Any


@dataclass(frozen=True)
class Held:
    image: Any
    name: str


def _doubled(tensor: torch.Tensor) -> torch.Tensor:
    return tensor * 2


def test_structures_stay_what_they_are() -> None:
    mapping = defaultdict(list, a=ONE)
    for value, expected in [
        (ONE, TWO),
        ((ONE, "x", 3), (TWO, "x", 3)),
        ([ONE, None], [TWO, None]),
        (Pair(ONE, [ONE]), Pair(TWO, [TWO])),
        (OrderedDict(b=ONE, a=(ONE,)), OrderedDict(b=TWO, a=(TWO,))),
        (mapping, defaultdict(list, a=TWO)),
        (Held(ONE, "x"), Held(TWO, "x")),
        ({"a": {"b": [Held((ONE,), "y")]}}, {"a": {"b": [Held((TWO,), "y")]}}),
        (Pair, Pair),
    ]:
        changed = each_tensor(value, _doubled)
        assert type(changed) is type(value)
        assert repr(changed) == repr(expected)
    assert each_tensor(mapping, _doubled).default_factory is list
    assert mapping["a"] is ONE


def test_the_first_element_alone() -> None:
    for value, expected in [
        (ONE, TWO),
        ((ONE, ONE), (TWO, ONE)),
        ({"a": ONE, "b": ONE}, {"a": TWO, "b": ONE}),
        (Pair(ONE, ONE), Pair(TWO, ONE)),
        (Held(ONE, "x"), Held(TWO, "x")),
        ([], []),
    ]:
        assert repr(in_first(value, _doubled)) == repr(expected)
