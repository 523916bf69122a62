from collections.abc import Callable
from functools import cache

import pytest

from tests.deploy.trained import Run, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The run of a kind of task, trained when it is first asked for."""
    return cache(lambda kind: train(kind, tmp_path_factory.mktemp(kind)))
