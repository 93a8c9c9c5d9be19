"""What expressions of Python sources may be worth: constants, tables, parameters by the calls that give them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from tocsin.artefacts.python_source import (
    GAP,
    MOST_ALTERNATIVES,
    MOST_CALLS,
    MOST_DEPTH,
    MOST_STEPS,
    UNKNOWN,
    Env,
    Imported,
    Instance,
    Scope,
    Site,
    Sources,
    Unknown,
)

Values = tuple[Any, ...]
"""The alternatives of an expression; never none."""
_NOTHING: Values = (UNKNOWN,)


class Evaluation:
    """Evaluates expressions of some sources."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.steps = 0
        """How many expressions and calls were looked at."""
        self._asked: set[tuple[int, int]] = set()

    @property
    def exhausted(self) -> bool:
        """Whether there was more to look at than may cost; not everything was followed then."""
        return self.steps > MOST_STEPS

    def values(self, node: ast.expr | None, env: Env, depth: int = 0) -> Values:
        """Return what an expression may be worth."""
        self.steps += 1
        if node is None or depth > MOST_DEPTH or self.exhausted:
            return _NOTHING
        found = tuple(islice(_distinct(self._values(node, env, depth + 1)), MOST_ALTERNATIVES + 1))
        return found if 0 < len(found) <= MOST_ALTERNATIVES else _NOTHING

    def _values(  # noqa: C901, PLR0912 one case a kind of node
        self, node: ast.expr, env: Env, depth: int
    ) -> Iterable[Any]:
        match node:
            case ast.Constant(value=value):
                return (value,)
            case ast.Name(id=name):
                return self._named(name, env, depth)
            case ast.JoinedStr(values=parts):
                return self._text(parts, env, depth)
            case ast.FormattedValue(value=value):
                return (_text_of(v) if node.format_spec is None else GAP for v in self.values(value, env, depth))
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._sequence(elements, env, depth)
            case ast.Dict(keys=keys, values=values):
                return self._mapping(keys, values, env, depth)
            case ast.IfExp(test=test, body=body, orelse=other):
                truth = self._truth(test, env, depth)
                chosen = [side for side, says in ((body, True), (other, False)) if truth in (None, says)]
                return (value for side in chosen for value in self.values(side, env, depth))
            case ast.BoolOp(values=sides):
                return self._either(node, sides, env, depth)
            case ast.BinOp(left=left, op=op, right=right):
                pairs = product(self.values(left, env, depth), self.values(right, env, depth))
                return (_computed(op, a, b) for a, b in pairs)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                numbers = self.values(operand, env, depth)
                return (-v if isinstance(v, (int, float)) else UNKNOWN for v in numbers)
            case ast.Attribute(value=owner, attr=attribute):
                return self._attribute(owner, attribute, env, depth)
            case ast.Subscript(value=owner, slice=key):
                places = product(self.values(owner, env, depth), self.values(key, env, depth))
                return (_item(table, index) for table, index in places)
            case ast.Call():
                return self._called(node, env, depth)
            case ast.Starred(value=value):
                return self.values(value, env, depth)
        return _NOTHING

    def _text(self, parts: list[ast.expr], env: Env, depth: int) -> Iterator[str]:
        choices = [self.values(part, env, depth) for part in parts]
        for chosen in islice(product(*choices), MOST_ALTERNATIVES + 1):
            yield "".join(_text_of(value) for value in chosen)

    def _sequence(self, elements: list[ast.expr], env: Env, depth: int) -> Iterator[Any]:
        choices: list[list[tuple[Any, ...]]] = []
        for element in elements:
            values = self.values(element, env, depth)
            if isinstance(element, ast.Starred):
                choices.append([v if isinstance(v, tuple) else (UNKNOWN,) for v in values])
            else:
                choices.append([(v,) for v in values])
        for chosen in islice(product(*choices), MOST_ALTERNATIVES + 1):
            yield tuple(value for part in chosen for value in part)

    def _mapping(
        self, keys: list[ast.expr | None], values: list[ast.expr], env: Env, depth: int
    ) -> Iterator[dict[Any, Any] | Any]:
        table: dict[Any, Any] = {}
        for key, value in zip(keys, values, strict=True):
            worth = self.values(value, env, depth)
            if key is None:
                inner = worth[0] if len(worth) == 1 else UNKNOWN
                table |= inner if isinstance(inner, dict) else {UNKNOWN: (UNKNOWN,)}
                continue
            for known in self.values(key, env, depth):
                table[known if _hashable(known) else UNKNOWN] = worth
        yield table

    def _either(self, node: ast.BoolOp, sides: list[ast.expr], env: Env, depth: int) -> Iterator[Any]:
        for side in sides:
            for value in self.values(side, env, depth):
                if value is UNKNOWN or side is sides[-1] or bool(value) == isinstance(node.op, ast.Or):
                    yield value

    def _truth(self, test: ast.expr, env: Env, depth: int) -> bool | None:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._truth(operand, env, depth)
                return None if inner is None else not inner
            case ast.Compare(left=left, ops=[ast.Is() | ast.Eq() | ast.IsNot() | ast.NotEq() as op], comparators=[one]):
                pairs = product(self.values(left, env, depth), self.values(one, env, depth))
                found = {_equal(a, b) for a, b in pairs}
                same = found.pop() if len(found) == 1 else None
                return same if same is None or isinstance(op, (ast.Is, ast.Eq)) else not same
        values = {_true(value) for value in self.values(test, env, depth)}
        return values.pop() if len(values) == 1 else None

    # Names

    def _named(self, name: str, env: Env, depth: int) -> Iterable[Any]:
        if name in env.bound:
            return env.bound[name]
        scope: Scope | None = env.scope
        while scope is not None:
            found = self._in_scope(name, scope, env, depth)
            if found is not None:
                return found
            scope = scope.parent
            while scope is not None and isinstance(scope.node, ast.ClassDef) and env.scope.function is not None:
                scope = scope.parent
        return _NOTHING

    def _in_scope(self, name: str, scope: Scope, env: Env, depth: int) -> Iterable[Any] | None:
        here = Env(scope, env.bound if scope.function is env.scope.function else {})
        if name in scope.scopes:
            return (scope.scopes[name],)
        if name in scope.assigned:
            return self._assigned(name, scope, here, depth)
        if name in scope.imports:
            return self._imported(scope.imports[name], scope, depth)
        if name in scope.loops:
            target, over = scope.loops[name]
            bindings = (_unpacked(target, item) for v in self.values(over, here, depth) for item in _iterated(v))
            return [value for binding in bindings for value in binding.get(name, _NOTHING)] or _NOTHING
        if name in scope.parameters:
            return self._given(name, scope, depth)
        return None

    def _assigned(self, name: str, scope: Scope, here: Env, depth: int) -> Iterable[Any]:
        key = (id(scope), hash(name))
        if key in self._asked:  # defined by itself
            return _NOTHING
        self._asked.add(key)
        try:
            values = [v for node in scope.assigned[name] for v in self.values(node, here, depth)]
            added = scope.items.get(name, [])
            if added:
                values = [self._with_items(v, added, here, depth) for v in values]
            if name in scope.grown:
                values = [_grown(v) for v in values]
            return values
        finally:
            self._asked.discard(key)

    def _with_items(self, value: Any, added: list[tuple[ast.expr, ast.expr]], here: Env, depth: int) -> Any:
        if not isinstance(value, dict):
            return UNKNOWN
        table = dict(value)
        for key, worth in added:
            for known in self.values(key, here, depth):
                table[known if _hashable(known) else UNKNOWN] = self.values(worth, here, depth)
        return table

    def _imported(self, path: str, scope: Scope, depth: int) -> Iterable[Any]:
        found = self.sources.resolve(path, scope.module)
        if isinstance(found, tuple):
            there, name = found
            inner = self._in_scope(name, there, Env(there), depth) if depth < MOST_DEPTH else None
            return _NOTHING if inner is None else inner
        return (found,)

    def _given(self, name: str, function: Scope, depth: int) -> Iterable[Any]:
        """Return what all calls of a function give for a parameter."""
        key = (id(function), hash(name))
        if key in self._asked or depth > MOST_DEPTH // 2:
            return _NOTHING
        self._asked.add(key)
        try:
            values: list[Any] = []
            for site in self.callers(function):
                values += self.arguments(site, function, Env(site.scope), depth, name).get(name, _NOTHING)
            return values or _NOTHING
        finally:
            self._asked.discard(key)

    def _attribute(self, owner: ast.expr, attribute: str, env: Env, depth: int) -> Iterator[Any]:
        if isinstance(owner, ast.Name) and owner.id in ("self", "cls") and owner.id not in env.bound:
            yield from self._own(attribute, env, depth)
            return
        for value in self.values(owner, env, depth):
            match value:
                case Instance(fields=fields) if attribute in fields:
                    yield from fields[attribute]
                case Imported(path=path):
                    yield Imported(f"{path}.{attribute}")
                case Scope():
                    inner = self._in_scope(attribute, value, Env(value), depth)
                    yield from _NOTHING if inner is None else inner
                case _:
                    yield UNKNOWN

    def _own(self, attribute: str, env: Env, depth: int) -> Iterable[Any]:
        function = env.scope.function
        owner = function.owner if function is not None else None
        if owner is None:
            return _NOTHING
        values: list[Any] = []
        key = (id(owner), hash(attribute))
        if key in self._asked:
            return _NOTHING
        self._asked.add(key)
        try:
            for method in owner.scopes.values():
                for node in method.assigned.get(f"self.{attribute}", []):
                    values += self.values(node, Env(method), depth)
            for node in owner.assigned.get(attribute, []):
                values += self.values(node, Env(owner), depth)
            if any(f"self.{attribute}" in method.grown for method in owner.scopes.values()):
                values = [_grown(value) for value in values]
            return values or _NOTHING
        finally:
            self._asked.discard(key)

    # Calls

    def _called(self, node: ast.Call, env: Env, depth: int) -> Iterable[Any]:
        match node.func:
            case ast.Attribute(value=owner, attr=method):
                values = self.values(owner, env, depth)
                if all(isinstance(v, (str, dict)) for v in values):
                    return self._method(values, method, node, env, depth)
            case ast.Name(id=name) if name in _CONVERTING and len(node.args) >= 1:
                columns = [self.values(a, env, depth) for a in node.args[: 1 if name != "zip" else None]]
                return [_CONVERTING[name](*chosen) for chosen in islice(product(*columns), MOST_ALTERNATIVES + 1)]
        return [
            self._instance(called, Site(node, env.scope, ()), env, depth)
            if isinstance(called, Scope) and isinstance(called.node, ast.ClassDef)
            else UNKNOWN
            for called in self.values(node.func, env, depth)
        ]

    def _method(self, values: Values, method: str, node: ast.Call, env: Env, depth: int) -> Iterator[Any]:
        choices = [self.values(a, env, depth) for a in node.args]
        named = {k.arg: self.values(k.value, env, depth)[0] for k in node.keywords if k.arg}
        for value, *arguments in islice(product(values, *choices), MOST_ALTERNATIVES + 1):
            yield _method_of(value, method, arguments, named)

    def _instance(self, kind: Scope, site: Site, env: Env, depth: int) -> Instance:
        assert isinstance(kind.node, ast.ClassDef)  # noqa: S101 those who call have looked
        constructor = kind.scopes.get("__init__")
        if constructor is None:
            names = _annotated(kind.node)
            given = _given_by(site.call, names)
            default = Env(kind)
            fields: dict[str, list[tuple[ast.expr | None, Env]]] = {n: [(given[n], env)] for n in names if n in given}
            fields |= {n: [(kind.assigned[n][-1], default)] for n in names if n not in given and n in kind.assigned}
            return Instance(kind.node, _Fields(self, {n: fields.get(n, []) for n in names}, depth), site)
        inside = Env(constructor, self.arguments(site, constructor, env, depth))
        made: dict[str, list[tuple[ast.expr | None, Env]]] = {
            name.removeprefix("self."): [(node, inside) for node in nodes]
            for name, nodes in constructor.assigned.items()
            if name.startswith("self.")
        }
        return Instance(kind.node, _Fields(self, made, depth), site)

    def arguments(self, site: Site, function: Scope, env: Env, depth: int = 0, only: str = "") -> dict[str, Values]:
        """Return what a call gives for each parameter of a function, defaults included; or for one of them alone."""
        names = _positions(function)
        node = function.node
        given = _given_by(site.call, names)
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))  # noqa: S101 so it is where this is called
        positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        defaults = dict(zip(reversed(positional), reversed(node.args.defaults), strict=False))
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        defaults |= {a.arg: d for a, d in named if d is not None}
        outside = Env(function.parent or function)
        return {
            name: self.values(given[name], env, depth)
            if name in given
            else self.values(defaults.get(name), outside, depth)
            for name in names
            if not only or name == only
        }

    def callers(self, function: Scope) -> tuple[Site, ...]:
        """Return the calls of a function, as far as names tell; of a constructor, those of its class."""
        node = function.node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return ()
        owner = function.owner
        if node.name != "__init__" or owner is None:
            found = self.sources.calls_of(node.name)
            return tuple(s for s in found if self._may_be(s, function))
        assert isinstance(owner.node, ast.ClassDef)  # noqa: S101 so it is where this is called
        return tuple(s for s in self.sources.calls_of(owner.node.name) if self._may_be(s, owner))

    def _may_be(self, site: Site, wanted: Scope) -> bool:
        """Tell whether a call by a plain name may be one of a scope, and not of another of the same name."""
        if not isinstance(site.call.func, ast.Name):
            return True
        values = self.values(site.call.func, Env(site.scope))
        known = [v for v in values if isinstance(v, (Scope, Imported))]
        return not known or len(known) < len(values) or any(v is wanted for v in known)

    # Where a call is made

    def environments(self, site: Site, wanted: Iterable[ast.expr], calls: int = 0) -> Iterator[Env]:
        """Yield each state of the names that some arguments of a call hang on, in which it may be made."""
        wanted = tuple(wanted)
        names = self._needed(wanted, site)
        found: Iterable[Env] = self._calls_of(site, names, calls)
        for target, over in site.loops:
            if names.isdisjoint(n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
                continue
            found = self._looped(found, target, over, wanted)
        for env in found:
            self.steps += 1
            if self.exhausted:
                return
            yield env

    def _needed(self, wanted: Iterable[ast.expr], site: Site) -> set[str]:
        names: set[str] = set()
        waiting = list(wanted)
        while waiting:
            expression = waiting.pop()
            if isinstance(expression, ast.Lambda):  # what is done later tells nothing now
                continue
            for node in ast.walk(expression):
                if isinstance(node, ast.Name) and node.id not in names:
                    names.add(node.id)
                    scope = site.scope.function
                    waiting += [v for v in (scope.assigned.get(node.id, []) if scope else []) if v is not None]
                    waiting += [scope.loops[node.id][1]] if scope and node.id in scope.loops else []
        return names

    def _calls_of(self, site: Site, names: set[str], calls: int) -> Iterator[Env]:
        function = site.scope.function
        own = set(function.parameters) - {"self", "cls"} if function is not None else set()
        callers = self.callers(function) if function is not None and names & own and calls < MOST_CALLS else ()
        if function is None or not callers:
            yield Env(site.scope)
            return
        for caller in callers:
            self.steps += 1
            if self.exhausted:
                return
            given_by = _given_by(caller.call, _positions(function))
            arguments = [node for name, node in given_by.items() if name in names and node is not None]
            for env in self.environments(caller, arguments, calls + 1):
                given = {n: v for p in names & own for n, v in self.arguments(caller, function, env, only=p).items()}
                told = any(isinstance(n, ast.Constant) and n.value for a in arguments for n in ast.walk(a))
                yield Env(site.scope, given, caller if told or env.origin is None else env.origin)

    def _looped(
        self, envs: Iterable[Env], target: ast.expr, over: ast.expr, wanted: tuple[ast.expr, ...]
    ) -> Iterator[Env]:
        for env in envs:
            for value in self.values(over, env):
                for item in _iterated(value):
                    self.steps += 1
                    if self.exhausted:
                        return
                    for binding in self._bindings(target, item, env, wanted):
                        made = next((v.site for vs in binding.values() for v in vs if isinstance(v, Instance)), None)
                        yield Env(env.scope, {**env.bound, **binding}, made or env.origin)

    def _bindings(
        self, target: ast.expr, item: Any, env: Env, wanted: tuple[ast.expr, ...]
    ) -> Iterator[Mapping[str, Values]]:
        if item is UNKNOWN and isinstance(target, ast.Name):
            for instance in self._instances(target.id, env, wanted):
                yield {target.id: (instance,)}
            return
        yield _unpacked(target, item)

    def _instances(self, name: str, env: Env, wanted: tuple[ast.expr, ...]) -> Iterator[Any]:
        """Yield the objects that a name may hold whose value is not known, by the fields that it is asked for."""
        around = env.scope.function.node if env.scope.function is not None else env.scope.node
        used = {
            n.attr
            for n in ast.walk(around)
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
        }
        kinds = [kind for kind in env.scope.module.classes if used and used <= _members(kind)] if wanted else []
        if not kinds:
            yield UNKNOWN
        for kind in kinds:
            assert isinstance(kind.node, ast.ClassDef)  # noqa: S101 so it is where this is called
            for site in self.sources.calls_of(kind.node.name):
                if self._may_be(site, kind):
                    for made in self.environments(site, [*site.call.args, *(k.value for k in site.call.keywords)], 2):
                        yield self._instance(kind, site, made, 0)


class _Fields(Mapping[str, Values]):
    """The fields of an object, each evaluated when it is asked for."""

    def __init__(
        self, evaluation: Evaluation, nodes: Mapping[str, list[tuple[ast.expr | None, Env]]], depth: int
    ) -> None:
        self._evaluation = evaluation
        self._nodes = nodes
        self._depth = depth

    def __getitem__(self, name: str) -> Values:
        return (
            tuple(v for node, env in self._nodes[name] for v in self._evaluation.values(node, env, self._depth))
            or _NOTHING
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


def _annotated(kind: ast.ClassDef) -> list[str]:
    """Return the fields that a class declares with a type, in their order."""
    return [n.target.id for n in kind.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]


def _positions(function: Scope) -> list[str]:
    """Return the parameters of a function that its callers give, in their order."""
    names = list(function.parameters)
    decorators = {d.id for d in getattr(function.node, "decorator_list", ()) if isinstance(d, ast.Name)}
    return names[1:] if function.owner is not None and "staticmethod" not in decorators else names


def _given_by(call: ast.Call, names: list[str]) -> dict[str, ast.expr | None]:
    """Return the argument of each parameter that a call gives, None where a star hides it."""
    given: dict[str, ast.expr | None] = {}
    for i, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            given |= dict.fromkeys(names[i:])
            break
        if i < len(names):
            given[names[i]] = argument
    for keyword in call.keywords:
        if keyword.arg is None:
            given |= {name: None for name in names if name not in given}
        else:
            given[keyword.arg] = keyword.value
    return given


def _members(kind: Scope) -> set[str]:
    assert isinstance(kind.node, ast.ClassDef)  # noqa: S101 so it is where this is called
    fields = set(_annotated(kind.node))
    methods = kind.scopes
    made = {name.removeprefix("self.") for name in methods["__init__"].assigned} if "__init__" in methods else set()
    return fields | methods.keys() | made


def _distinct(values: Iterable[Any]) -> Iterator[Any]:
    seen: list[Any] = []
    known: set[Any] = set()
    for value in values:
        if _hashable(value):
            mark = (type(value).__name__, value)
            if mark not in known:
                known.add(mark)
                yield value
        elif len(seen) > MOST_ALTERNATIVES or value not in seen:
            seen.append(value)
            yield value


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _text_of(value: Any) -> str:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else GAP


def _true(value: Any) -> bool | None:
    if value is UNKNOWN or (isinstance(value, str) and set(value) == {GAP}):
        return None
    return bool(value) if value is None or isinstance(value, (str, int, float, tuple, dict)) else None


def _equal(a: Any, b: Any) -> bool | None:
    plain = (str, int, float, type(None))
    if not isinstance(a, plain) or not isinstance(b, plain) or GAP in f"{a}{b}":
        return None
    return bool(a == b)


def _computed(op: ast.operator, a: Any, b: Any) -> Any:
    match op, a, b:
        case ast.Add(), str(), str() | Unknown():
            return a + _text_of(b)
        case ast.Add(), Unknown(), str():
            return GAP + b
        case ast.Add(), tuple(), tuple():
            return a + b
        case ast.Mod(), str(), _:
            return _percent(a, b if isinstance(b, tuple) else (b,))
        case ((ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow()), int() | float(), int() | float()):
            return _arithmetic(op, a, b)
        case ast.BitOr(), dict(), dict():
            return a | b
    return UNKNOWN


def _percent(text: str, values: tuple[Any, ...]) -> str:
    pieces = text.split("%s")
    if "%" in "".join(pieces) or len(pieces) != len(values) + 1:
        return GAP
    return pieces[0] + "".join(_text_of(v) + piece for v, piece in zip(values, pieces[1:], strict=True))


def _arithmetic(op: ast.operator, a: float, b: float) -> Any:
    try:
        match op:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                return a / b
            case _:
                return float(a) ** float(b)
    except (ArithmeticError, ValueError, TypeError):
        return UNKNOWN


def _item(table: Any, index: Any) -> Any:
    match table, index:
        case dict(), _ if _hashable(index) and index in table:
            values = table[index]
            return values[0] if len(values) == 1 else UNKNOWN
        case tuple(), int() if -len(table) <= index < len(table):
            return table[index]
    return UNKNOWN


def _grown(value: Any) -> Any:
    if isinstance(value, tuple):
        return (*value, UNKNOWN)
    return {**value, UNKNOWN: (UNKNOWN,)} if isinstance(value, dict) else UNKNOWN


def _iterated(value: Any) -> Values:
    """Return the items of a value that a loop goes over."""
    if isinstance(value, tuple):
        return value or ()
    if isinstance(value, dict):
        return tuple(value)
    return _NOTHING


def _unpacked(target: ast.expr, item: Any) -> dict[str, Values]:
    """Return what each name of a loop's target is bound to by one item."""
    match target:
        case ast.Name(id=name):
            return {name: (item,)}
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            items = item if isinstance(item, tuple) and len(item) == len(elements) else (UNKNOWN,) * len(elements)
            found: dict[str, Values] = {}
            for element, one in zip(elements, items, strict=True):
                found |= _unpacked(element, one)
            return found
    return {n.id: _NOTHING for n in ast.walk(target) if isinstance(n, ast.Name)}


def _pairs(table: dict[Any, Any]) -> Values:
    return tuple((key, values[0] if len(values) == 1 else UNKNOWN) for key, values in table.items())


def _of_table(table: dict[Any, Any], method: str, arguments: list[Any]) -> Any:
    match method, arguments:
        case "items", []:
            return _pairs(table)
        case "keys", []:
            return tuple(table)
        case "values", []:
            return tuple(pair[1] for pair in _pairs(table))
        case "get", [key, *_]:
            return _item(table, key)
    return UNKNOWN


def _method_of(value: Any, method: str, arguments: list[Any], named: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return _of_table(value, method, arguments)
    match method, arguments:
        case "join", [tuple() as parts]:
            return value.join(_text_of(part) for part in parts)
        case (("lower" | "upper" | "strip"), []):
            return getattr(value, method)()
        case "replace", [str() as old, str() as new] if old and GAP not in value:
            return value.replace(old, new)
        case (("startswith" | "endswith"), [str() as part]) if GAP not in value + part:
            return bool(getattr(value, method)(part))
        case (("removeprefix" | "removesuffix" | "rstrip" | "lstrip"), [str() as part]) if GAP not in value + part:
            return getattr(value, method)(part)
        case "format", _:
            return _formatted(value, arguments, named)
    return UNKNOWN if method in ("startswith", "endswith", "split") else GAP


_FIELD = re.compile(r"\{(\w*)\}")


def _formatted(text: str, arguments: list[Any], named: Mapping[str, Any]) -> str:
    """Return what plain fields (`{}`, `{0}`, `{name}`) make of a text; a width could ask for any amount of memory."""
    rest = iter(arguments)

    def field(match: re.Match[str]) -> str:
        name = match[1]
        if name.isdigit():
            return _text_of(arguments[int(name)]) if int(name[:4]) < len(arguments) else GAP
        return _text_of(named.get(name, UNKNOWN) if name else next(rest, UNKNOWN))

    made = _FIELD.sub(field, text)
    return GAP if "{" in made or "}" in made else made


def _zipped(*columns: Any) -> Any:
    if not all(isinstance(column, tuple) for column in columns):
        return UNKNOWN
    return tuple(zip(*columns, strict=False))


def _sequence_of(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value)
    return value if isinstance(value, tuple) else UNKNOWN


def _float_of(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, (str, int, float)) else UNKNOWN
    except (ValueError, OverflowError):
        return UNKNOWN


_CONVERTING: Mapping[str, Callable[..., Any]] = {
    "list": _sequence_of,
    "tuple": _sequence_of,
    "set": _sequence_of,
    "frozenset": _sequence_of,
    "sorted": _sequence_of,
    "reversed": lambda v: tuple(reversed(v)) if isinstance(v, tuple) else UNKNOWN,
    "enumerate": lambda v: tuple(enumerate(v)) if isinstance(v, tuple) else UNKNOWN,
    "zip": _zipped,
    "dict": lambda v: v if isinstance(v, dict) else UNKNOWN,
    "str": _text_of,
    "float": _float_of,
}
