"""The API's description as one HTML page without scripts, for machines without internet."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["render_docs_page"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f5f5f4;padding:1rem;overflow:auto;border-radius:.4rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;
vertical-align:top;border-bottom:1px solid #eee}
"""


def render_docs_page(openapi: Mapping[str, Any]) -> tuple[str, str]:
    """Return the page for an OpenAPI document, and the content security policy it needs."""
    title = escape(str(openapi["info"]["title"]))
    body = "\n".join([*_operations(openapi), *_schemas(openapi)])
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{title}</h1><p>{escape(str(openapi['info'].get('description', '')))}</p>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>\n'
        f"{body}\n</body></html>\n"
    )
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return page, policy


def _operations(openapi: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            summary = operation.get("description") or operation.get("summary", "")
            yield f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
            yield f"<p>{escape(summary)}</p>"
            body = operation.get("requestBody", {}).get("content", {})
            for media_type, content in body.items():
                yield f"<p>Body: {escape(media_type)}, {_name(content.get('schema', {}))}</p>"
            yield "<table><tr><th>Status</th><th>Meaning</th><th>Body</th></tr>"
            for status, answer in operation["responses"].items():
                names = [
                    _name(content.get("schema", {}))
                    for content in answer.get("content", {}).values()
                ]
                yield (
                    f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td>"
                    f"<td>{', '.join(names)}</td></tr>"
                )
            yield "</table>"


def _schemas(openapi: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in openapi.get("components", {}).get("schemas", {}).items():
        yield f'<h2 id="{escape(name)}">{escape(name)}</h2>'
        yield f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"


def _name(schema: Mapping[str, Any]) -> str:
    references = [schema, *schema.get("anyOf", [])]
    names = [str(part["$ref"]).rpartition("/")[2] for part in references if "$ref" in part]
    return ", ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in names)
