"""Environment variables that a library reads, for as long as that matters."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def replace_variables(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set variables, or remove those that are None, and return what they were."""
    before = {name: os.environ.get(name) for name in variables}
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before


@contextmanager
def variables_set(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables while the block lasts."""
    before = replace_variables(variables)
    try:
        yield
    finally:
        replace_variables(before)
