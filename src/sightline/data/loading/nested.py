"""Batches of any structure: tuples, named tuples, lists, mappings and dataclasses, in each other."""

import copy
import dataclasses
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import torch


def each_tensor(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """``value``, a batch or part of one, with what ``function`` gives for each tensor in it.

    What is neither a tensor nor holds some in a way that is known stays as it is.
    """
    if isinstance(value, torch.Tensor):
        return function(value)
    return _rebuilt(value, lambda _, inner: each_tensor(inner, function))


def in_first(batch: Any, function: Callable[[Any], Any]) -> Any:
    """``batch`` with ``function`` of its first element (of a tensor: of itself) in place of that."""
    if isinstance(batch, torch.Tensor):
        return function(batch)
    return _rebuilt(batch, lambda place, inner: inner if place else function(inner))


def _rebuilt(value: Any, change: Callable[[int, Any], Any]) -> Any:
    """``value`` with its elements changed; ``change`` is given the place of each, from 0, and the element."""
    if isinstance(value, Mapping):
        changed = {key: change(place, inner) for place, (key, inner) in enumerate(value.items())}
        if type(value) is dict or not isinstance(value, MutableMapping):
            return changed
        other = copy.copy(value)  # it may hold more than its items
        other.update(changed)
        return other
    if isinstance(value, list):
        return [change(place, inner) for place, inner in enumerate(value)]
    if isinstance(value, tuple):
        elements = (change(place, inner) for place, inner in enumerate(value))
        make = getattr(value, "_make", None)  # a named tuple
        return make(elements) if make else tuple(elements)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        other = copy.copy(value)
        for place, field in enumerate(dataclasses.fields(value)):
            # Of frozen ones too: the copy is not yet anybody's.
            object.__setattr__(other, field.name, change(place, getattr(value, field.name)))
        return other
    return value
