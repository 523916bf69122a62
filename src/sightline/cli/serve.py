"""`sightline serve`: try a model in a browser, use it over HTTP."""

from typing import Annotated

import typer

from sightline.cli.output import note, say
from sightline.cli.predict import Device
from sightline.errors import SightlineError


def serve(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A file that `sightline export` made, or a run."),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets others use the model, unasked.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8080,
    device: Device = "auto",
    max_upload: Annotated[
        int, typer.Option("--max-upload", metavar="MB", min=1, help="Largest upload that is taken.")
    ] = 64,
) -> None:
    """Serve a model: a page to drop an image on, and an HTTP API. Ctrl-C stops it.

    POST an image as it is in its file to /predict; the answer is JSON, as a line of `sightline predict -o
    x.jsonl`. GET /card is the model card, /openapi.json describes the API.

    Examples:

      sightline serve cells.onnx

      curl --data-binary @cells.jpg http://127.0.0.1:8080/predict
    """
    from sightline.deploy import open_model

    try:
        from sightline.deploy.serving.server import serve as run
    except ImportError:
        raise SightlineError(
            "serving needs FastAPI; install it with pip install 'sightline[service]'."
        ) from None
    predictor = open_model(model, device=device)

    def ready(url: str) -> None:
        say(f"{predictor.card.name} at {url}   (Ctrl-C stops it)")
        if host not in ("127.0.0.1", "::1", "localhost"):
            note("warning: whoever reaches this address can use the model; there is no sign-in.")

    run(predictor, host, port, ready, most_bytes=max_upload << 20)
