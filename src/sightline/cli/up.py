"""`sightline up`: the service with its embedded defaults, on this machine."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer


def up(
    folder: Annotated[Path, typer.Option(help="Holds database, files and keys.")] = Path(".data/service"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8000,
    agents: Annotated[int, typer.Option(min=0, max=64, help="Local agents to run beside the service.")] = 1,
    sandbox: Annotated[
        list[str] | None, typer.Option(help="Back end of the local agents (namespace, process); repeatable.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the service as NAME=VALUE; repeatable.")
    ] = None,
) -> None:
    """Start the service: SQLite, a local folder for files, and a local agent.

    The first start prints the administrator's key, once. While the service is up, service.json in its folder
    holds its address and process id. Ctrl-C stops the service and its agents; a job that runs then goes back
    into the queue.

    Examples:

      sightline up

      sightline up --port 0 --folder /srv/sightline --agents 2

      sightline up --set lease_s=60 --set max_log_lines=1000000
    """
    from sightline.files import written_whole
    from sightline.sandbox import choose
    from sightline.service.bootstrap import prepare
    from sightline.service.local_agents import LocalAgents
    from sightline.service.server import serve
    from sightline.service.settings import Settings

    for name in sandbox or []:
        choose([name])
    folder = folder.resolve()
    settings = Settings.from_words(folder, setting or [])
    prepared = prepare(settings)
    address = folder / "service.json"
    local = LocalAgents(agents, folder, prepared.agent_key_file, sandbox or [])

    def ready(url: str) -> None:
        typer.echo(f"service   {url}")
        typer.echo(f"files     {folder}")
        if prepared.admin_key:
            typer.echo(f"admin key {prepared.admin_key}   (shown once; also in {prepared.admin_key_file})")
        else:
            typer.echo(f"admin key in {prepared.admin_key_file}")
        typer.echo("connect   sightline configure   (Ctrl-C stops the service)")
        local.start(url)
        with written_whole(address) as temporary:
            temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}))

    try:
        serve(settings, host, port, ready, stopping=local.stop)
    finally:
        if local.started:  # else the address is that of another service on this folder
            address.unlink(missing_ok=True)
        local.stop()
