"""A Kubernetes API server, by requests over a kubeconfig: read, watched, and, where its owner allows it, written to.

What reading takes is in deploy/rbac-observer.yaml, what writing takes in deploy/rbac-prober.yaml.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from tocsin.explained import Explained

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
WATCH_SECONDS = 10
"""How long one watch request lasts; the next goes on where it ended, so this only bounds how long an end takes."""
BETWEEN_SECONDS = 0.05
"""Between two watch requests, lest a server that ends each at once is asked without end."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MERGE_PATCH = "application/merge-patch+json"


class ClusterUnreadable(Explained):
    """The kubeconfig, or the cluster behind it, does not give what is asked."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where an API server is, and who asks."""

    server: str
    authority: str | bool = True
    """The file with the certificates that vouch for the server; True for those of this machine."""
    certificate: tuple[str, str] | None = None
    """The files with the client's certificate and key."""
    token: str | None = None


def in_cluster(folder: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access of the service account of the pod that this runs in."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = folder / "token"
    if not host or not token.is_file():
        raise ClusterUnreadable(f"{folder}: this is no pod with a service account; give a kubeconfig instead")
    where = f"[{host}]" if ":" in host else host
    return Access(f"https://{where}:{port}", str(folder / "ca.crt"), token=token.read_text().strip())


def read_kubeconfig(path: Path, folder: Path, context: str = "") -> Access:
    """Return the access that a kubeconfig gives; what it holds inline is written to `folder`, for its user alone.

    Raises ClusterUnreadable if it is no kubeconfig, or gets its credentials from a program.
    """
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterUnreadable(f"{path}: cannot be read as a kubeconfig: {error}") from error
    if not isinstance(config, dict):
        raise ClusterUnreadable(f"{path}: is no kubeconfig: it is {type(config).__name__}, not a mapping")
    chosen = _named(config, "contexts", context or config.get("current-context") or "", "context", path)
    cluster = _named(config, "clusters", chosen.get("cluster") or "", "cluster", path)
    user = _named(config, "users", chosen.get("user") or "", "user", path)
    if "exec" in user or "auth-provider" in user:
        cure = "make a kubeconfig with a token of a service account (kubectl create token tocsin-observer)"
        raise ClusterUnreadable(f"{path}: its user gets credentials from a program, which is not run here; {cure}")
    if cluster.get("insecure-skip-tls-verify"):
        cure = "give certificate-authority in its place"
        raise ClusterUnreadable(f"{path}: insecure-skip-tls-verify would show credentials to anybody; {cure}")
    files = _Files(path, folder)
    certificate, key = (files.file(user, field) for field in ("client-certificate", "client-key"))
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = files.beside(user["tokenFile"]).read_text().strip()
    return Access(
        server=str(cluster.get("server") or "").rstrip("/"),
        authority=files.file(cluster, "certificate-authority") or True,
        certificate=(certificate, key) if certificate and key else None,
        token=token or None,
    )


def _named(config: Mapping[str, Any], section: str, name: str, key: str, path: Path) -> Mapping[str, Any]:
    entries = config.get(section) or ()
    for each in entries:
        if isinstance(each, dict) and each.get("name") == name and isinstance(each.get(key), dict):
            found: Mapping[str, Any] = each[key]
            return found
    known = ", ".join(str(each.get("name")) for each in entries if isinstance(each, dict)) or "none"
    raise ClusterUnreadable(f"{path}: has no {key} {name!r} under {section}; there are: {known}")


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that a kubeconfig names, or holds."""

    kubeconfig: Path
    folder: Path

    def beside(self, name: str) -> Path:
        return self.kubeconfig.parent / name

    def file(self, holder: Mapping[str, Any], field: str) -> str:
        """Return a file's path; what stands inline is written first."""
        if data := holder.get(f"{field}-data"):
            made = self.folder / field
            made.touch(mode=0o600)
            made.write_bytes(base64.b64decode(data))
            return str(made)
        return str(self.beside(holder[field])) if holder.get(field) else ""


def find_kubeconfig(declared: str | None, directory: Path) -> Path | None:
    """Return the kubeconfig that is declared, from `directory` on; where none is, the one that kubectl would take.

    None is for the service account of the pod that this runs in.
    """
    if declared is not None:
        return directory / Path(declared).expanduser()
    if named_by := os.environ.get("KUBECONFIG", ""):
        return Path(named_by.split(os.pathsep)[0])
    if SERVICE_ACCOUNT.is_dir() and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    return Path("~/.kube/config").expanduser()


class KubernetesApi:
    """An API server; a context manager, as it holds connections and files."""

    def __init__(self, kubeconfig: Path | None = None, context: str = "", folder: Path | None = None) -> None:
        """Read a kubeconfig; None is for the service account of our own pod.

        What the kubeconfig holds inline is written to a folder within `folder`, which a supervisor deletes even if we
        are killed; by default within the system's folder for temporary files. Raises ClusterUnreadable.
        """
        self._held = ExitStack()
        folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-cluster-", dir=folder)))
        self.access = read_kubeconfig(kubeconfig, folder, context) if kubeconfig else in_cluster()
        self._session = self._held.enter_context(self.session())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()

    def session(self) -> requests.Session:
        """Return a session with the cluster's credentials, for one thread."""
        session = requests.Session()
        session.trust_env = False  # a proxy, or a .netrc, of this machine is not meant for the cluster
        session.verify, session.cert = self.access.authority, self.access.certificate
        if self.access.token:
            session.headers["Authorization"] = f"Bearer {self.access.token}"
        return session

    def get(self, path: str, **query: str) -> Any:
        """Return what the API says at a path, such as `/api/v1/nodes`.

        Raises ClusterUnreadable with the API's own reason if it does not.
        """
        return answer_of(self._session, self.access.server + path, query).json()

    def send(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", accepted: Sequence[int] = ()
    ) -> Any:
        """Change something, and return what the API server says. `kind` is the body's media type.

        Raises ClusterUnreadable with the API's own reason for what it refuses, but for the statuses that are accepted.
        """
        url = self.access.server + path
        data = None if body is None else json.dumps(body).encode()
        try:
            with self.session() as session:
                answer = session.request(
                    method, url, data=data, headers={"Content-Type": kind}, timeout=(CONNECT_SECONDS, READ_SECONDS)
                )
        except requests.RequestException as error:
            raise ClusterUnreadable(f"{method} {url}: no answer: {error}") from error
        if answer.status_code not in accepted:
            _refused(answer, "deploy/rbac-prober.yaml")
        return answer.json()

    def text(self, path: str, **query: str) -> str:
        """Return the text that the API gives at a path, such as a container's log. Raises ClusterUnreadable."""
        return answer_of(self._session, self.access.server + path, query).text

    def watch(self, path: str, stop: threading.Event, **query: str) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """Yield when each change of a list was received, its kind (ADDED, MODIFIED, DELETED), and the object.

        What is there already comes first, as ADDED. It goes on until `stop` is set, and over the API server's own
        ends of a watch; after a gap everything that is there comes as ADDED again.
        """
        with self.session() as session:
            version = ""
            while not stop.is_set():
                if not version:
                    listed = answer_of(session, self.access.server + path, query).json()
                    version = listed["metadata"]["resourceVersion"]
                    at = time.time()
                    kind = str(listed.get("kind", "")).removesuffix("List")
                    yield from ((at, "ADDED", {"kind": kind, **each}) for each in listed["items"])
                for at, change, item in self._changes(session, path, {**query, "resourceVersion": version}):
                    if change == "ERROR":  # as a rule 410: that version is not kept any more
                        version = ""
                        break
                    version = item["metadata"]["resourceVersion"]
                    if change != "BOOKMARK":
                        yield at, change, item
                    if stop.is_set():
                        return
                stop.wait(BETWEEN_SECONDS)

    def _changes(
        self, session: requests.Session, path: str, query: Mapping[str, str]
    ) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """Yield the changes that one request for a watch is told."""
        asked = {**query, "watch": "1", "timeoutSeconds": str(WATCH_SECONDS), "allowWatchBookmarks": "true"}
        url = self.access.server + path
        with session.get(url, params=asked, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            if answer.status_code == requests.codes.gone:
                yield time.time(), "ERROR", {}
                return
            _refused(answer)
            for line in answer.iter_lines(chunk_size=None):
                if line:
                    told = json.loads(line)
                    yield time.time(), told["type"], told["object"]


def answer_of(session: requests.Session, url: str, query: Mapping[str, str]) -> requests.Response:
    """Return the answer to a GET. Raises ClusterUnreadable if there is none, or if it is a refusal."""
    try:
        answer = session.get(url, params=dict(query), timeout=(CONNECT_SECONDS, READ_SECONDS))
    except requests.RequestException as error:
        raise ClusterUnreadable(f"{url}: no answer: {error}") from error
    _refused(answer)
    return answer


def _refused(answer: requests.Response, granted_by: str = "deploy/rbac-observer.yaml") -> None:
    """Raise ClusterUnreadable if the API did not give what was asked."""
    if answer.ok:
        return
    try:
        reason = answer.json().get("message", "")
    except (ValueError, AttributeError):
        reason = answer.text[:200]
    cure = f"; {granted_by} grants what is needed" if answer.status_code in (401, 403) else ""
    raise ClusterUnreadable(f"{answer.url}: {answer.status_code}: {reason}{cure}")
