"""A command of a probe or a hook that cannot run as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.workloads import PROBES, Container
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      livenessProbe:
        exec:
          command: {command}
"""
_SHELLS = re.compile(
    r"(?:.*/)?(?:sh|bash|ash|dash|zsh|ksh|fish|pwsh|powershell(?:\.exe)?|cmd(?:\.exe)?|busybox|env|tini)"
)
_TOOLS = re.compile(r"(?:/(?:usr/)?s?bin/)?(?:sh|bash|ash|curl|wget|cat|test|ls|sleep|nc|pgrep|grep|echo|true|kill)")
_OPERATORS = frozenset({"|", "||", "&&", ";", ">", ">>", "<", "2>&1", "&"})
_VARIABLE = re.compile(r"\$(?:\{[A-Za-z_]\w*\}|[A-Z_][A-Z0-9_]*\b)")
_REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_BUILT_IN = frozenset({"exit", "cd", "source", "export", "ulimit", "set", "if", "while", "for"})


@check(
    severity=Severity.ERROR,
    fix='Run it by a shell that the image has: `command: [sh, -c, "..."]`, or write each word as an item of its own.',
    bad=Example({"pod.yaml": _POD.format(command='["pg_isready -U shop"]')}, at="pg_isready"),
    good=Example({"pod.yaml": _POD.format(command="[pg_isready, -U, shop]")}),
)
def exec_command_not_runnable(container: Container) -> Iterator[Remark]:
    """No shell reads the command, so the attempt is an error that counts neither way, or always fails.

    What an error is worth: a readiness probe never succeeds, a liveness probe never acts, and a postStart that fails
    kills the container.
    (kubernetes.io/docs/concepts/workloads/pods/probes, exec; pkg/kubelet/prober/prober.go: only references to literal
    values of the container's environment are expanded; pkg/probe/exec/exec.go.)
    """
    for probe in PROBES:
        yield from _command(container, container.part.list(probe, "exec", "command"), probe)
    for hook in ("postStart", "preStop"):
        yield from _command(container, container.part.list("lifecycle", hook, "exec", "command"), hook)


def _command(container: Container, words: tuple[Part, ...], where: str) -> Iterator[Remark]:
    if not words or not all(isinstance(part.value, str) for part in words):
        return
    first, subject = words[0], f"{container.subject}/{where}"
    if "distroless" in container.image and "debug" not in container.image and _TOOLS.fullmatch(first.text):
        told = f"`{first.text}` is not in the image, which is distroless: it has no shell and no tools"
        yield at(
            first, told, subject=subject, fix="Ask by httpGet, tcpSocket or grpc, which need nothing in the image."
        )
        return
    texts = [part.text for part in words]
    if _SHELLS.fullmatch(first.text):
        yield from _unexpanded(container, words, subject, by_shell=True)
        return
    stripped = first.text.strip()
    if " " in stripped and not stripped.startswith("/") and "\\" not in stripped:
        shown = stripped.split("\n")[0][:60]
        told = f"`{shown}` is taken for the name of one program, blanks and all; there is none of that name"
        yield at(first, told, subject=subject)
        return
    if first.text in _BUILT_IN:
        told = f"`{first.text}` is a word of the shell and no program, and no shell runs this command"
        yield at(first, told, subject=subject)
        return
    operator = next((part for part in words[1:] if part.text in _OPERATORS), None)
    if operator is not None and not re.search(r"find|test|\[|expr|jq|awk", texts[0]):
        told = f"`{operator.text}` is handed to `{first.text}` as an argument, for no shell reads this command"
        yield at(operator, told, subject=subject)
        return
    variable = next((part for part in words if _VARIABLE.fullmatch(part.text)), None)
    if variable is not None:
        told = f"`{variable.text}` stays as it is written, for no shell reads this command"
        fix = f"Write `$({variable.text.strip('${}')})`, or run the command by a shell."
        yield at(variable, told, subject=subject, fix=fix)
        return
    yield from _unexpanded(container, words, subject, by_shell=False)


def _unexpanded(container: Container, words: tuple[Part, ...], subject: str, *, by_shell: bool) -> Iterator[Remark]:
    """Yield references to variables that have no literal value: Kubernetes leaves them, and a shell runs them."""
    known = container.environment
    taken = {part.string("name") for part in container.part.list("env")}
    for part in words:
        for found in _REFERENCE.finditer(part.text):
            name = found[1]
            if name in taken and name not in known:
                told = f"`$({name})` is not replaced in the command: its value comes from elsewhere"
                yield at(part, told, subject=subject, fix=f"Run the command by a shell, and write ${name} there.")
                return
            if name not in taken and container.part.list("envFrom") and not by_shell:
                told = f"`$({name})` is not replaced in the command: what comes by `envFrom` is no literal value"
                yield at(part, told, subject=subject, fix=f"Run the command by a shell, and write ${name} there.")
                return
