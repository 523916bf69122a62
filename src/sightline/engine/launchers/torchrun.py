"""Ranks started by torch's own launcher, on one machine or several."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.distributed import PrefixStore  # pyright: ignore[reportPrivateImportUsage]

from sightline.engine.launchers.children import (
    PASSED_ON,
    begin_run,
    end_run,
    rank_environment,
    rank_module,
)
from sightline.engine.ranks import FIRST_ATTEMPT, STORE_PORT, failure_in, loopback_store
from sightline.engine.spec import Spec
from sightline.errors import SightlineError
from sightline.files import temporary_folder


def train_by_torchrun(spec: Spec, folder: Path | None, *, resume: bool) -> None:
    """Train with the ranks of this machine, started by ``torch.distributed.run`` in this process.

    With several machines each of them calls this; they share the run directory ``folder``, and meet where
    ``launcher.torchrun`` says (``rdzv-endpoint``).

    Raises:
        SightlineError: a rank failed or died, the training was stopped, or an option is missing or wrong.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.run import get_args_parser, run

    launcher = spec.launcher
    options = {key.replace("_", "-"): str(value) for key, value in launcher.torchrun.items()}
    if launcher.nodes > 1 and (folder is None or "rdzv-endpoint" not in options):
        raise SightlineError(
            "launcher.nodes: several machines need a run directory that all of them see, named when "
            "starting, and a place to meet: launcher.torchrun: {rdzv-endpoint: 'HOST:PORT'}."
        )
    run_folder = begin_run(spec, folder)
    codes, asked, store = [0] * launcher.ranks, 0, None
    with temporary_folder(".torchrun-", run_folder) as own:
        here = {
            "rdzv-backend": "c10d",
            "nnodes": str(launcher.nodes),
            "nproc-per-node": str(launcher.ranks),
            "log-dir": str(own),
            "signals-to-handle": ",".join(number.name for number in PASSED_ON),
        }
        environment = rank_environment(launcher.ranks)
        if launcher.nodes == 1:  # a file to meet at, as ports of torchrun are open to the network
            store = loopback_store()
            environment[STORE_PORT] = str(store.port)
            environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
            here |= {
                "rdzv-endpoint": f"{own}/store",
                "rdzv-conf": "store_type=file",
                "local-addr": "127.0.0.1",
            }
        words = [f"--{key}={value}" for key, value in (here | options).items()]
        parser = get_args_parser()
        try:
            arguments = parser.parse_args([*words, *rank_module(run_folder, resume=resume)])
        except SystemExit as error:  # it has said why
            raise SightlineError(f"launcher.torchrun: torchrun refuses {' '.join(words)}.") from error
        try:
            with _environment(environment):
                run(arguments)
        except ChildFailedError as error:
            for rank, failure in error.failures.items():
                codes[rank % launcher.ranks] = failure.exitcode
        except SignalException as error:
            asked = error.sigval
            codes = [-asked] * launcher.ranks
        except RendezvousError as error:
            raise SightlineError(f"launcher.torchrun: the machines did not meet ({error}).") from error
    failure = None if store is None else failure_in(PrefixStore(FIRST_ATTEMPT, store))
    end_run(spec, run_folder, codes, asked, failure)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
