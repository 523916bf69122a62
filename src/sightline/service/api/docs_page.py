"""The API as one HTML page that needs nothing from the internet."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1d2a33; background: #fff; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #f3f6f8; padding: .75rem; overflow: auto; }
details { border: 1px solid #d5dee4; border-radius: 4px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } .method { display: inline-block; width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem 1rem .15rem 0;
         vertical-align: top; }
a { color: #0b5d7a; }
@media (prefers-color-scheme: dark) {
  body { color: #dde6eb; background: #14191d; } pre { background: #1f272d; }
  details { border-color: #37444d; } a { color: #7cc4e0; } }
"""


def docs_page(openapi: Mapping[str, Any]) -> str:
    """All operations with parameters, bodies and answers, and all schemas they name."""
    info = openapi["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in groups.items())
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_text(schema.get('description'))}<pre>{_json(schema)}</pre></details>"
        for name, schema in sorted(openapi.get("components", {}).get("schemas", {}).items())
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        f"{_text(info.get('description'))}"
        "<p>Calls carry the header <code>Authorization: ApiKey &lt;key&gt;</code>; errors are "
        '<code>{"detail": "one sentence"}</code>. For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{body}<h2>schemas</h2>{schemas}</body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td>{'required' if parameter.get('required') else ''}</td>"
        f"<td>{_kind(parameter.get('schema', {}))}</td></tr>"
        for parameter in operation.get("parameters", [])
    )
    parts = [_text(operation.get("description"))]
    if rows:
        parts.append(f"<table>{rows}</table>")
    body = operation.get("requestBody", {}).get("content", {})
    parts += [
        f"<p>Body: <code>{escape(media)}</code> {_kind(content.get('schema', {}))}</p>"
        for media, content in body.items()
    ]
    for status, answer in operation.get("responses", {}).items():
        kinds = " ".join(_kind(content.get("schema", {})) for content in answer.get("content", {}).values())
        parts.append(f"<p>{escape(status)}: {kinds or escape(answer.get('description', ''))}</p>")
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span> '
        f"<code>{escape(path)}</code></summary>{''.join(parts)}</details>"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two, linked where it has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}"><code>{name}</code></a>'
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return escape(", ".join(str(value) for value in schema["enum"]))
    return escape(str(schema.get("type", "")))


def _text(description: str | None) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in (description or "").split("\n\n") if part)


def _json(schema: Mapping[str, Any]) -> str:
    return escape(json.dumps({key: value for key, value in schema.items() if key != "description"}, indent=2))
