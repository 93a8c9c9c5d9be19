"""Python sources, as far as their text alone tells what a name is worth; nothing is imported and nothing is run.

An expression has alternatives: what it may be worth on any way through the program. What the text does not tell is
UNKNOWN, and within a string the character GAP stands for it, so `f"shop_{name}"` is `"shop_" + GAP`.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any, Final

GAP: Final = "\x00"
"""Stands in a string for text that is not known."""

MOST_ALTERNATIVES = 400
"""More alternatives of one expression are not followed: they are UNKNOWN then."""
MOST_STEPS = 100_000
"""Expressions of one application that are looked at, however often; about a second. Beyond that all is UNKNOWN."""
MOST_CALLS = 6
"""How many calls deep a parameter is followed to the arguments that it is given."""
MOST_DEPTH = 40
"""How many names and operators deep an expression is followed."""


class Unknown:
    """What the text does not tell. There is one of it."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Imported:
    """A name of a module that is not among the sources: `prometheus_client.Counter`."""

    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An object of a class of the sources, with the alternatives of each field."""

    kind: ast.ClassDef
    fields: Mapping[str, tuple[Any, ...]] = field(repr=False)
    site: Site = field(repr=False)


@dataclass(eq=False, slots=True, repr=False)
class Scope:
    """A module, a class or a function: what its names are bound to."""

    module: Module
    node: ast.AST
    parent: Scope | None
    assigned: dict[str, list[ast.expr | None]] = field(default_factory=dict)
    """What is assigned to a name, None where that is something else than an expression."""
    loops: dict[str, tuple[ast.expr, ast.expr]] = field(default_factory=dict)
    """The loop that binds a name: its target and what it goes over."""
    items: dict[str, list[tuple[ast.expr, ast.expr]]] = field(default_factory=dict)
    """Keys and values that are set in what a name holds."""
    grown: set[str] = field(default_factory=set)
    """Names of what is appended to, updated or extended."""
    scopes: dict[str, Scope] = field(default_factory=dict)
    """Functions and classes that are defined here."""
    imports: dict[str, str] = field(default_factory=dict)
    """What a name is imported from, as a dotted path; a leading dot for each level of a relative import."""

    @property
    def function(self) -> Scope | None:
        """The innermost function that this is or stands in."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            scope = scope.parent
        return scope

    @property
    def owner(self) -> Scope | None:
        """The class that a function is a method of."""
        return self.parent if self.parent is not None and isinstance(self.parent.node, ast.ClassDef) else None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of a function's parameters, those that are given by position first."""
        match self.node:
            case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args) | ast.Lambda(args=args):
                return tuple(a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs))
        return ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Site:
    """One call: where it stands, and the loops around it, the outermost first."""

    call: ast.Call
    scope: Scope
    loops: tuple[tuple[ast.expr, ast.expr], ...]

    @property
    def called(self) -> str:
        """The last name of what is called, an alias resolved as far as it is one of its own scope."""
        name = last_name(self.call.func)
        scope: Scope | None = self.scope
        while scope is not None and isinstance(self.call.func, ast.Name):
            for value in scope.assigned.get(name, []):
                if isinstance(value, ast.Attribute):
                    return value.attr
            if name in scope.imports:
                return scope.imports[name].replace(":", ".").rpartition(".")[2]
            scope = scope.parent
        return name


@dataclass(frozen=True, slots=True)
class Env:
    """The alternatives of names where a call is made, and the call outside of all others from which they come."""

    scope: Scope
    bound: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    origin: Site | None = None


class Module:
    """One source file, read."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.sites: list[Site] = []
        self.classes: list[Scope] = []
        self.scope = Scope(self, tree, None)
        _Reading(self).block(tree.body, self.scope, ())

    @cached_property
    def targets(self) -> Mapping[int, str]:
        """The last name of the variable or attribute that an expression is assigned to, by the expression's `id`."""
        found: dict[int, str] = {}
        for node in ast.walk(self.tree):
            match node:
                case (
                    ast.Assign(targets=[target, *_], value=value)
                    | ast.AnnAssign(target=target, value=ast.expr() as value)
                ):
                    found[id(value)] = last_name(target)
        return found


class _Reading:
    """One walk over a module, which tells scopes, loops and calls."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def block(self, nodes: Iterable[ast.AST], scope: Scope, loops: tuple[tuple[ast.expr, ast.expr], ...]) -> None:
        for node in nodes:
            self.node(node, scope, loops)

    def node(  # noqa: C901, PLR0912 one case a kind of node
        self, node: ast.AST, scope: Scope, loops: tuple[tuple[ast.expr, ast.expr], ...]
    ) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                self._scope(node, scope, loops)
                return
            case (
                ast.For(target=target, iter=over, body=body, orelse=other)
                | ast.AsyncFor(target=target, iter=over, body=body, orelse=other)
            ):
                self._bind_loop(target, over, scope)
                self.node(over, scope, loops)
                self.block(body, scope, (*loops, (target, over)))
                self.block(other, scope, loops)
                return
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for generator in node.generators:
                    self._bind_loop(generator.target, generator.iter, scope)
                    loops = (*loops, (generator.target, generator.iter))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    _assign(target, value, scope)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                _assign(target, value, scope)
            case ast.NamedExpr(target=target, value=value):
                _assign(target, value, scope)
            case ast.AugAssign(target=target):
                scope.grown.add(_held(target))
            case ast.Import(names=names):
                for alias in names:
                    scope.imports[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            case ast.ImportFrom(module=source, names=names, level=level):
                for alias in names:
                    dots = "." * level
                    scope.imports[alias.asname or alias.name] = f"{dots}{source or ''}:{alias.name}"
            case ast.Call(func=function):
                self.module.sites.append(Site(node, scope, loops))
                if isinstance(function, ast.Attribute) and function.attr in _GROWING:
                    scope.grown.add(_held(function.value))
        self.block(ast.iter_child_nodes(node), scope, loops)

    def _scope(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef,
        scope: Scope,
        loops: tuple[tuple[ast.expr, ast.expr], ...],
    ) -> None:
        inner = Scope(self.module, node, scope)
        if isinstance(node, ast.Lambda):
            self.node(node.body, inner, loops)
            return
        scope.scopes[node.name] = inner
        if isinstance(node, ast.ClassDef):
            self.module.classes.append(inner)
            self.block((*node.decorator_list, *node.bases, *(k.value for k in node.keywords)), scope, loops)
            self.block(node.body, inner, ())
        else:
            defaults = (d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None)
            self.block((*node.decorator_list, *defaults), scope, loops)
            self.block(node.body, inner, ())

    def _bind_loop(self, target: ast.expr, over: ast.expr, scope: Scope) -> None:
        for name in _names(target):
            scope.loops[name] = (target, over)


_GROWING = frozenset({"append", "extend", "update", "add", "insert"})


def _held(target: ast.expr) -> str:
    """Return the name by which a scope knows a variable or an attribute of its object; empty for anything else."""
    match target:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return f"self.{name}"
    return ""


def _assign(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    match target, value:
        case ast.Name(id=name), _:
            scope.assigned.setdefault(name, []).append(value)
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name), _:
            scope.assigned.setdefault(f"self.{name}", []).append(value)
        case ast.Subscript(value=ast.Name(id=name), slice=key), _:
            scope.items.setdefault(name, []).append((key, value))
        case ((ast.Tuple(elts=targets) | ast.List(elts=targets)), (ast.Tuple(elts=values) | ast.List(elts=values))) if (
            len(targets) == len(values)
        ):
            for each, one in zip(targets, values, strict=True):
                _assign(each, one, scope)
        case ((ast.Tuple() | ast.List() | ast.Starred()), _):
            for name in _names(target):
                scope.assigned.setdefault(name, []).append(None)


def _names(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


@lru_cache(maxsize=128)  # one source is asked for its metrics, its routes and its thresholds
def parsed(text: str) -> ast.Module | None:
    """Return the tree of a Python source; None if it is no Python."""
    try:
        with warnings.catch_warnings():  # what is odd about a source is its owner's business
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def last_name(function: ast.expr) -> str:
    """Return the last part of what is called: `run` of `subprocess.run`."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


class Sources:
    """The Python files of a folder, each read when it is first needed."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        """Their texts, by name relative to the folder."""
        self._modules: dict[str, Module | None] = {}
        self._callers: dict[str, tuple[Site, ...]] = {}
        self._found: dict[tuple[str, str], Module | None] = {}

    def module(self, file: str) -> Module | None:
        """Return a file, read; None if it is no Python."""
        if file not in self._modules:
            tree = parsed(self.texts[file])
            try:
                self._modules[file] = None if tree is None else Module(file, tree)
            except RecursionError:
                self._modules[file] = None
        return self._modules[file]

    def calls_of(self, name: str) -> tuple[Site, ...]:
        """Return every call of something of that name, in any file."""
        if name not in self._callers:
            said = re.compile(rf"\b{re.escape(name)}\b")
            modules = (self.module(file) for file, text in self.texts.items() if name in text and said.search(text))
            self._callers[name] = tuple(s for m in modules if m is not None for s in m.sites if s.called == name)
        return self._callers[name]

    def resolve(self, path: str, module: Module) -> Scope | tuple[Scope, str] | Imported:
        """Return what an import leads to: a module's scope, a name in one, or a name of a module that is not here."""
        source, _, name = path.partition(":")
        found = self._file(source, module)
        if found is not None and name:
            return (found.scope, name)
        if name:
            inner = self._file(f"{source}{'' if source.endswith('.') else '.'}{name}", module)
            if inner is not None:
                return inner.scope
        if found is not None:
            return found.scope
        return Imported(f"{source}.{name}" if name else source)

    def _file(self, source: str, module: Module) -> Module | None:
        key = (source, module.file)
        if key not in self._found:
            self._found[key] = self._looked_for(source, module)
        return self._found[key]

    def _looked_for(self, source: str, module: Module) -> Module | None:
        level = len(source) - len(source.lstrip("."))
        tail = source[level:].replace(".", "/")
        here = PurePosixPath(module.file).parts
        if level:
            base = "/".join((*here[: len(here) - level], *([tail] if tail else [])))
            candidates = [base]
        else:
            candidates = ["/".join((*here[:depth], tail)) for depth in range(len(here) - 1, -1, -1)]
        for candidate in candidates:
            for file in (f"{candidate}.py", f"{candidate}/__init__.py"):
                if file in self.texts:
                    return self.module(file)
        if level or not tail:
            return None
        return next(
            (self.module(file) for file in self._ending.get(tail.rpartition("/")[2], ()) if self._fits(file, tail)),
            None,
        )

    @cached_property
    def _ending(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for file in self.texts:
            path = PurePosixPath(file)
            found.setdefault(path.parent.name if path.name == "__init__.py" else path.stem, []).append(file)
        return found

    @staticmethod
    def _fits(file: str, tail: str) -> bool:
        return f"/{file}".endswith((f"/{tail}.py", f"/{tail}/__init__.py"))
