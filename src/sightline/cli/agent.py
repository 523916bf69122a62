"""`sightline agent`: run jobs of a service on this machine."""

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer


def agent(
    url: Annotated[str, typer.Option(help="Address of the service.", envvar="SIGHTLINE_URL")],
    key_file: Annotated[Path, typer.Option(help="File with an API key of role agent.", exists=True)],
    folder: Annotated[Path, typer.Option(help="Where caches and running jobs live.")] = Path(".data/agent"),
    name: Annotated[str | None, typer.Option(help="Shown in the service. Default: the host's name.")] = None,
    sandbox: Annotated[
        list[str] | None, typer.Option(help="Back end to offer (namespace, process); repeat for several.")
    ] = None,
    until_stdin_closes: Annotated[
        bool, typer.Option(hidden=True, help="End when standard input does: with the process that holds it.")
    ] = False,
) -> None:
    """Run jobs of a service on this machine.

    Examples:

      sightline agent --url http://127.0.0.1:8000 --key-file .data/service/agent.key

      sightline agent --url https://sightline.example.org --key-file agent.key --sandbox namespace
    """
    from sightline.client import ServiceClient
    from sightline.service.agent.agent import Agent

    with ServiceClient(url, key_file.read_text().strip()) as client:
        worker = Agent(client, folder.resolve(), name or socket.gethostname().split(".")[0], sandbox or ())

        def stop(*_: object) -> None:
            was_idle = worker.idle
            worker.stop()
            if was_idle:  # waiting for the service's answer: nothing to put in order
                raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if until_stdin_closes:
            threading.Thread(target=_stop_with_stdin, daemon=True).start()
        try:
            worker.run()
        except KeyboardInterrupt:
            return


def _stop_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
