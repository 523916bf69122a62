"""Runs a function in two processes that train together, as a launcher would start them but quicker."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from sightline.engine.ranks import Ranks, join_ranks, loopback_store

CONTEXT = multiprocessing.get_context("forkserver")
"""Of processes that train and need not import anything first."""
CONTEXT.set_forkserver_preload(["sightline.engine", "torchmetrics.classification", "tests.engine.tiny"])


def start(function: Callable[..., Any], *arguments: Any) -> tuple[list[ForkServerProcess], SimpleQueue, Any]:
    """Start ``function(ranks, *arguments)`` on both ranks."""
    store = loopback_store()
    answers = CONTEXT.SimpleQueue()
    processes = [
        CONTEXT.Process(target=_rank, args=(rank, store.port, answers, function, arguments))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    return processes, answers, store


def on_two_ranks(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What ``function(ranks, *arguments)`` gives on each rank; exceptions as their sentences."""
    processes, answers, _store = start(function, *arguments)
    found = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()
    return [found[rank] for rank in range(2)]


def _rank(
    rank: int, port: int, answers: SimpleQueue, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    ranks: Ranks | None = None
    try:
        ranks = join_ranks("cpu")
        answers.put((rank, function(ranks, *arguments)))
    except BaseException as error:
        traceback.print_exc()
        answers.put((rank, f"{type(error).__name__}: {error}"))
    if ranks is not None:
        ranks.close()
