"""The HTTP endpoint: ``GET /`` a page, ``GET /card`` the model card, ``POST /predict`` an image.

An image is the body of the request, as it is in its file::

    curl --data-binary @cells.jpg http://127.0.0.1:8080/predict

The answer is a record as of `sightline predict -o x.jsonl`, without ``file``; with ``?picture=true`` it has a
``picture`` too, a data URL of the image with the predictions on it. What cannot be done is answered by one
sentence as ``{"detail": ...}`` and 400 (the image), 413 (its size) or 422 (a parameter).
"""

import base64
import io
from functools import partial
from importlib.resources import files
from typing import Annotated, Any

import anyio
from anyio import CapacityLimiter
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from PIL import Image

from sightline.deploy.files.drawing import SHOWN, drawn
from sightline.deploy.files.records import above, result_of
from sightline.deploy.predictor import Predictor
from sightline.deploy.serving.upload import MOST_BYTES, read_upload
from sightline.errors import SightlineError
from sightline.files import readable_size

_AT_ONCE = 2  # images in work; one is read while the other is computed
_PICTURE_SIDE = 1600  # pixels of the longer side of drawn pictures

Threshold = Annotated[float | None, Query(ge=0, le=1, description="Leave out what is less sure.")]
WithPicture = Annotated[bool, Query(description="Add the image with the predictions drawn on it.")]


def create_app(predictor: Predictor, most_bytes: int = MOST_BYTES) -> FastAPI:
    """The app that serves a model."""
    # Without the pages that FastAPI makes of the API: they would fetch scripts from elsewhere.
    app = FastAPI(title=predictor.card.name, docs_url=None, redoc_url=None)
    limiter = CapacityLimiter(_AT_ONCE)
    page = _page(predictor)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def show_page() -> str:
        return page

    @app.get("/card")
    async def card() -> dict[str, Any]:
        """The model card."""
        return predictor.card.model_dump(mode="json")

    @app.post("/predict")
    async def predict(
        request: Request, threshold: Threshold = None, picture: WithPicture = False
    ) -> dict[str, Any]:
        """What the model says of the image that is the body of the request."""
        content = await _body(request, most_bytes)
        work = partial(_predict, predictor, content, threshold, picture=picture)
        try:
            return await anyio.to_thread.run_sync(work, limiter=limiter)
        except SightlineError as error:
            raise HTTPException(400, str(error)) from error

    return app


async def _body(request: Request, most_bytes: int) -> bytes:
    """The body, which is not read further than it may be long."""
    content = bytearray()
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most_bytes:
        raise HTTPException(413, f"the upload is larger than {readable_size(most_bytes)}.")
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            raise HTTPException(413, f"the upload is larger than {readable_size(most_bytes)}.")
    if not content:
        raise HTTPException(400, "the request has no body; send an image as it is in its file.")
    return bytes(content)


def _predict(
    predictor: Predictor, content: bytes, threshold: float | None, *, picture: bool
) -> dict[str, Any]:
    image = read_upload(predictor, content)
    prediction = predictor.predict_fitted([predictor.fit(image, "the upload")])[0]
    height, width = image.shape[:2]
    kept = prediction if threshold is None else above(prediction, threshold)
    answer = {"height": height, "width": width, **result_of(kept, predictor.classes)}
    if picture:
        shown = drawn(image, prediction, predictor.classes, SHOWN if threshold is None else threshold)
        answer["picture"] = _data_url(Image.fromarray(shown))
    return answer


def _data_url(picture: Image.Image) -> str:
    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _page(predictor: Predictor) -> str:
    from html import escape

    folder, card = files("sightline.deploy.serving"), predictor.card
    theme = files("sightline.data.look").joinpath("theme.css").read_text(encoding="utf-8")
    parts = {
        "name": escape(card.name),
        "about": escape(card.description or f"{card.task} of {len(card.classes)} classes"),
        "style": theme + folder.joinpath("page.css").read_text(encoding="utf-8"),
        "script": folder.joinpath("page.js").read_text(encoding="utf-8"),
    }
    text = folder.joinpath("page.html").read_text(encoding="utf-8")
    for name, value in parts.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text
