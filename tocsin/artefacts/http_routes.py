"""The paths that an application in Python serves, read from its sources and not run.

Frameworks of one shape: a route is a text given to a decorator or a function of a router, and what stands before it is
given to the router, or to where that is included. Which router is included where is not followed: any prefix of an
inclusion may stand before any route, so a path that is told to be not served surely is not.
(fastapi.tiangolo.com, APIRouter; flask.palletsprojects.com, Blueprint; starlette.io, routing; docs.aiohttp.org.)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.artefacts.python_source import parsed
from tocsin.source import Place

_DECORATORS = frozenset(
    {"get", "post", "put", "delete", "patch", "head", "options", "route", "api_route", "websocket", "websocket_route"}
)
_FUNCTIONS = frozenset(
    {"add_route", "add_api_route", "add_url_rule", "add_get", "add_post", "add_view", "add_api_websocket_route",
     "Route", "WebSocketRoute", "Rule", "add_head"}
)  # fmt: skip
_ROUTERS = frozenset({"APIRouter", "Blueprint", "FastAPI", "Flask", "Starlette", "Router", "Quart", "Application"})
_SUBTREES = frozenset({"mount", "Mount", "add_static", "add_subapp"})
_PREFIXES = frozenset({"prefix", "url_prefix", "root_path"})
_PATHS = frozenset({"path", "rule"})
_FRAMEWORK = re.compile(
    r"^\s*(?:from|import)\s+(?:fastapi|flask|starlette|aiohttp|quart|sanic|litestar|falcon|bottle)\b", re.MULTILINE
)
_OTHERS = re.compile(
    r"^\s*(?:from|import)\s+(?:django|tornado|pyramid|cherrypy|twisted|connexion|flask_restful|flask_restx|falcon|gradio|"
    r"streamlit|http\.server|robyn|litestar|sanic|health_?check\w*|py_healthcheck|flask_healthz|fastapi_health\w*)\b",
    re.MULTILINE,
)
"""Frameworks of another shape, and packages that bring routes of their own."""
_TESTS = re.compile(r"(?:^|/)tests?/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_ROUTING = re.compile(
    r"\b(?:get|post|put|delete|patch|head|options|route|api_route|websocket\w*|mount|add_\w+|include_router|"
    r"register_blueprint|Route|WebSocketRoute|Mount|Rule|Blueprint|\w*Router)\s*\("
)
"""What a file that has to do with routing calls; the others are not parsed."""
_TEXT = re.compile(r"""["'](/[^"'\s]*)["']""")
_MOST_PATHS = 20_000
_HOLE = re.compile(r"\{[^{}]*\}|<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Route:
    """A path as it is written where it is served, without what may stand before it."""

    path: str
    place: Place
    width: int
    router: str | None = None
    """The prefix of its own router; None if that is not known, and may be any."""


@dataclass(frozen=True, slots=True)
class Routes:
    """What an application serves."""

    routes: tuple[Route, ...]
    prefixes: frozenset[str]
    """What inclusions put before the routes of a router."""
    routers: frozenset[str]
    """The prefixes of the routers."""
    subtrees: frozenset[str]
    """Paths below which something serves that is not known."""
    texts: frozenset[str] = field(repr=False)
    """Every text of the sources that begins with a slash."""
    open: bool
    """Whether something that is served is not known from the text."""

    def serves(self, path: str) -> bool:
        """Tell whether a path may be served; only a denial is sure."""
        bare = path.partition("?")[0].partition("#")[0]
        if self.open or bare in self.texts or bare.rstrip("/") in self.texts:
            return True
        if any(bare == tree or bare.startswith(f"{tree.rstrip('/')}/") for tree in self.subtrees):
            return True
        return any(_fits(written, bare) for written in self.paths())

    def paths(self) -> Mapping[str, Route]:
        """Return every path that may be served, with the route that it ends in."""
        before = sorted(self.prefixes)
        heads = ["", *before, *(one + other for one in before for other in before if one != other)]
        found: dict[str, Route] = {}
        for head in heads:
            for route in self.routes:
                for own in (route.router,) if route.router is not None else ("", *self.routers):
                    found.setdefault((head + own + route.path) or "/", route)
                if len(found) > _MOST_PATHS:
                    return found
        return found


def plainly_served(texts: Mapping[str, str], path: str) -> bool:
    """Tell whether one source serves a path as plainly as can be, which needs no parsing.

    The path is given to a decorator as it is, or its first steps are a prefix and the rest a route of the same file.
    """
    steps = path.partition("?")[0].strip("/").split("/")
    for i in range(len(steps)):
        rest = "/" + "/".join(steps[i:])
        head = "/" + "/".join(steps[:i]) if i else ""
        route = re.compile(rf"""@\w+\.(?:get|route|api_route)\(\s*["']{re.escape(rest)}["']""")
        prefix = re.compile(rf"""prefix=["']{re.escape(head)}["']""")
        for text in texts.values():
            if route.search(text) and (prefix.search(text) if head else "prefix" not in text):
                return True
    return False


def routes_of(texts: Mapping[str, str]) -> Routes | None:
    """Return what Python sources serve, by file name; None if they use no framework that is known."""
    own = {file: text for file, text in texts.items() if not _TESTS.search(file)}
    if not any(_FRAMEWORK.search(text) for text in own.values()) or any(_OTHERS.search(t) for t in own.values()):
        return None
    walk = _Walk()
    for file, text in own.items():
        if not _ROUTING.search(text):
            walk.texts.update(_TEXT.findall(text))
            continue
        tree = parsed(text)
        if tree is None:
            walk.open = True
        else:
            walk.module(tree, file, text)
    if not walk.routes:
        return None
    return Routes(
        tuple(walk.routes),
        frozenset(walk.prefixes),
        frozenset(walk.routers),
        frozenset(walk.subtrees),
        frozenset(walk.texts),
        walk.open,
    )


_Bound = Mapping[str, str | None]
"""The routers that names stand for: the prefix of each, None if it is not known."""


class _Walk:
    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.prefixes: set[str] = set()
        self.routers: set[str] = set()
        self.subtrees: set[str] = set()
        self.texts: set[str] = set()
        self.open = False
        self.constants: dict[str, str] = {}
        self.routed: set[int] = set()

    def module(self, tree: ast.Module, file: str, text: str) -> None:
        lines = text.split("\n")
        self.routed = set()
        self.constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.scope(tree, {}, file, lines)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in self.routed:
                self.texts |= {node.value} if node.value.startswith("/") else set()

    def scope(self, top: ast.AST, outer: _Bound, file: str, lines: list[str]) -> None:
        """Read a module, a class or a function, and what stands in it; names mean what they mean there."""
        waiting: list[tuple[ast.AST, _Bound]] = [(top, outer)]
        while waiting:
            node, known = waiting.pop()
            here = {**known, **self.routers_in(node)}
            inside = list(_own_nodes(node))
            for each in inside:
                if isinstance(each, ast.Call):
                    self.call(each, here, file, lines)
            scopes = [each for each in inside if isinstance(each, _SCOPES)]
            waiting.extend((each, here) for each in scopes)

    def routers_in(self, scope: ast.AST) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for node in _own_nodes(scope):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                made = _called(node.value)
                for target in node.targets:
                    if isinstance(target, ast.Name) and made in _ROUTERS:
                        given = [k.value for k in node.value.keywords if k.arg in _PREFIXES]
                        found[target.id] = (self.text(given[0]) if given else "") if target.id not in found else None
        return found

    def call(self, node: ast.Call, routers: _Bound, file: str, lines: list[str]) -> None:
        name = _called(node)
        for keyword in node.keywords:
            if keyword.arg in _PREFIXES:
                self.prefix(keyword.value, self.routers if name in _ROUTERS else self.prefixes)
        given = [k.value for k in node.keywords if k.arg in _PATHS]
        first = node.args[0] if node.args else (given[0] if given else None)
        if first is None:
            return
        if name in _SUBTREES:
            text = self.text(first)
            self.open |= text is None
            self.subtrees |= {text} if text is not None else set()
        elif name in _DECORATORS or name in _FUNCTIONS:
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            router = routers.get(of.id) if isinstance(of, ast.Name) else None
            self.route(first, router, file, lines, sure=name in _FUNCTIONS)

    def prefix(self, value: ast.expr, among: set[str]) -> None:
        text = self.text(value)
        if text is None:
            self.open = True
        elif text:
            among.add(text.rstrip("/"))
            self.routed.add(id(value))

    def route(self, value: ast.expr, router: str | None, file: str, lines: list[str], *, sure: bool) -> None:
        text = self.text(value)
        if text is None:
            self.open |= sure or isinstance(value, ast.JoinedStr)
        elif text.startswith("/") or text == "":
            if isinstance(value, ast.Constant):
                self.routed.add(id(value))
            own = router.rstrip("/") if router is not None else None
            self.routes.append(Route(text, _place(value, file, lines), max(1, len(text)), own))

    def text(self, value: ast.expr) -> str | None:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
        if isinstance(value, ast.Name):
            return self.constants.get(value.id)
        return None


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a scope, without what stands in the scopes in it; their decorators are its own."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _SCOPES):
            waiting.extend(getattr(node, "decorator_list", ()))
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else str(getattr(node.func, "id", ""))


def _place(node: ast.expr, file: str, lines: list[str]) -> Place:
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    before = line.encode()[: node.col_offset].decode(errors="ignore")
    quote = 1 if isinstance(node, ast.Constant) else 0
    return Place(file, node.lineno, len(before) + 1 + quote)


def _fits(written: str, path: str) -> bool:
    """Tell whether a path is one that a written one with holes stands for; a slash at the end makes no difference."""
    if written.rstrip("/") == path.rstrip("/"):
        return True
    if not _HOLE.search(written):
        return False
    pieces = _HOLE.split(written.rstrip("/"))
    holes = [".*" if ":path" in hole or "path:" in hole else "[^/]+" for hole in _HOLE.findall(written)]
    expression = "".join(re.escape(piece) + hole for piece, hole in zip(pieces, [*holes, ""], strict=True))
    return re.fullmatch(expression, path.rstrip("/")) is not None


def python_below(names: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """Yield the names of Python files that are below some folders, or are one of them."""
    roots = [folder.rstrip("/") for folder in folders]
    for name in names:
        if name.endswith(".py") and any(not root or name == root or name.startswith(f"{root}/") for root in roots):
            yield name
