"""Say in one sentence which field of a call is wrong, and what is allowed there."""

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

_NAME_RULE = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_HASH_RULE = "^[0-9a-f]{64}$"
_PLACES = ("body", "query", "path", "header", "cookie")
_SHOWN = 60


def sentence(request: Request, error: RequestValidationError) -> str:
    """The first thing that is wrong with a call, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{_describe(request, first)}{more}."


def _describe(request: Request, problem: Mapping[str, Any]) -> str:
    place: Sequence[str | int] = problem["loc"]
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind in ("json_invalid", "model_attributes_type") or list(place) == ["body"]:
        if kind == "missing":
            return "The call has no body, but needs a JSON object"
        return "The body is not a JSON object"
    inner = place[1:] if place[0] in _PLACES else place
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner).lstrip(".")
    field = f"Header '{name}'" if place[0] == "header" else f"Field '{name}'"
    if kind == "missing":
        return f"{field} is missing"
    if kind == "extra_forbidden":
        allowed = _siblings(request, inner)
        return f"{field} is unknown" + (f"; known are {', '.join(allowed)}" if allowed else "")
    pattern = context.get("pattern")
    if pattern == _NAME_RULE:
        rule = "should be 1 to 100 letters, digits, '.', '_' and '-', the first a letter or a digit"
    elif pattern == _HASH_RULE:
        rule = "should be a SHA-256 in 64 lower-case hex digits"
    elif pattern:
        rule = "should be a version such as 1.0.0"
    else:
        rule = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    return f"{field}: {_shown(problem.get('input'))}{rule}"


def _shown(value: object) -> str:
    if isinstance(value, str | int | float) or value is None:
        text = "null" if value is None else repr(value)
        return (text if len(text) <= _SHOWN else text[:_SHOWN] + "...") + " "
    return ""


def _siblings(request: Request, inner: Sequence[str | int]) -> list[str]:
    """The fields there are beside an unknown one."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.dependant.body_params:
        return []
    kind: Any = route.dependant.body_params[0].field_info.annotation
    for part in inner[:-1]:
        if isinstance(part, int):
            kind = (typing.get_args(kind) or (None,))[0]
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
