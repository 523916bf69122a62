"""The service as an ASGI app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

import sightline
from sightline.client.wire import API_PREFIX, Problem
from sightline.service import sweeper
from sightline.service.api import (
    accounts,
    agents,
    datasets,
    errors,
    experiments,
    output,
    recipes,
    stream,
    trainers,
    uploads,
)
from sightline.service.api.body_limit import BodyLimit
from sightline.service.api.docs_page import docs_page
from sightline.service.api.gate import Gate
from sightline.service.core import Clock, Core, utc_now
from sightline.service.settings import Settings

_ROOMS = (accounts, datasets, uploads, recipes, trainers, experiments, output, stream, agents)


def create_app(settings: Settings, now: Clock = utc_now) -> FastAPI:
    """The app over a folder that `sightline.service.bootstrap.prepare` made ready.

    While it runs it looks after the leases; starting gives all live ones their full time again, so that
    restarting the service costs no job. ``app.state.core`` is what the routes work with.
    """
    core = Core.open(settings, now)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        core.wakeups.bind()
        await run_in_threadpool(sweeper.give_grace, core)
        task = asyncio.create_task(sweeper.sweep_for_ever(core))
        try:
            yield
        finally:
            core.wakeups.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            core.database.close()

    app = FastAPI(
        title="Sightline",
        version=sightline.__version__,
        description="Train vision models on data you are not allowed to see.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own page loads its script from the internet
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.core = core
    errors.install(app)
    responses: dict[int | str, dict[str, object]] = {"4XX": {"model": Problem}}
    api = APIRouter(prefix=API_PREFIX, responses=responses)
    for room in _ROOMS:
        api.include_router(room.router)
    app.include_router(api)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Gate, core=core)  # added last, so it comes first
    return app
