"""The paths that applications in Python serve, read from their sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.http_routes import routes_of

FASTAPI = """
from fastapi import APIRouter, FastAPI
def routes(health):
    router = APIRouter(prefix="/health")
    @router.get("/live")
    async def live(): ...
    return router
def sessions():
    router = APIRouter(prefix="/api/sessions")
    @router.get("/{session_id}")
    async def one(session_id): ...
    @router.get("")
    async def all(): ...
    return router
app = FastAPI()
app.include_router(routes(1))
app.include_router(sessions(), prefix="/v1")
app.add_api_route("/version", print)
app.mount("/static", object())
"""
FLASK = """
from flask import Flask, Blueprint
app = Flask(__name__)
bp = Blueprint("a", __name__, url_prefix="/api")
@bp.route("/items/<int:item>/")
def item(item): ...
@app.route("/healthz")
def healthz(): ...
@app.route("/files/<path:name>")
def files(name): ...
app.register_blueprint(bp)
"""
AIOHTTP = """
from aiohttp import web
app = web.Application()
app.router.add_get("/ready", print)
app.add_routes([web.get("/live", print)])
"""


@pytest.mark.parametrize(
    ("source", "served", "missing"),
    [
        (FASTAPI, ["/health/live", "/health/live/", "/version?a=1", "/api/sessions/7", "/v1/api/sessions", "/static/a"],
         ["/health/ready", "/live", "/health", "/versions", "/api/sessions/7/8"]),
        (FLASK, ["/api/items/7", "/healthz", "/files/a/b"], ["/items/7", "/health", "/api/healthy"]),
        (AIOHTTP, ["/ready", "/live"], ["/health"]),
    ],
)  # fmt: skip
def test_what_is_served(source: str, served: list[str], missing: list[str]) -> None:
    """A prefix belongs to its router; a hole stands for a step, or for any."""
    routes = routes_of({"app.py": source})
    assert routes is not None
    assert [path for path in served if not routes.serves(path)] == []
    assert [path for path in missing if routes.serves(path)] == []


@pytest.mark.parametrize(
    "more",
    [
        "app.include_router(other, prefix=PREFIX)",
        '@app.get(f"/{name}")\ndef f(): ...',
        "app.add_route(path, print)",
        'PATHS = ["/elsewhere"]',
        "app.mount(where, app)",
    ],
)  # fmt: skip
def test_what_is_not_known_may_be_served(more: str) -> None:
    """A path that hangs on something that the text does not tell, or that stands somewhere in it, is not denied."""
    routes = routes_of({"app.py": FASTAPI + more})
    assert routes is not None
    assert routes.serves("/elsewhere")


@pytest.mark.parametrize(
    "source",
    ["", "print('/a')", "import django", "import fastapi", "from fastapi import FastAPI\nimport gradio", "def ("],
)
def test_other_applications_are_not_judged(source: str) -> None:
    assert routes_of({"app.py": source}) is None


def test_where_a_route_stands() -> None:
    routes = routes_of({"app.py": FLASK})
    assert routes is not None
    place = routes.paths()["/healthz"].place
    assert FLASK.split("\n")[place.line - 1][place.column - 1 :].startswith("/healthz")


@given(st.text(max_size=60))
def test_any_source_can_be_read(text: str) -> None:
    routes = routes_of({"app.py": FLASK, "more.py": text})
    assert routes is not None
    assert routes.serves("/healthz")
