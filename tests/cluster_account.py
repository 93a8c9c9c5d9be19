"""The account of deploy/, made in a namespace of a real cluster: a test has no more rights there than a user has."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.kubeconfigs import write_kubeconfig
from tocsin.engines.kubernetes_api import KubernetesApi

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
FILES = ("rbac-observer.yaml", "rbac-prober.yaml", "network-policy-asker.yaml")
_CLUSTER_WIDE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/tocsin-observer-nodes"


def grant(api: KubernetesApi, namespace: str, kubeconfig: Path) -> None:
    """Make what the files of deploy/ hold, and write a kubeconfig of their account and no other."""
    for file in FILES:
        for value in yaml.safe_load_all((DEPLOY / file).read_text()):
            group, _, version = value["apiVersion"].rpartition("/")
            base = f"/apis/{group}/{version}" if group else f"/api/{version}"
            kind = {"NetworkPolicy": "networkpolicies"}.get(value["kind"], f"{value['kind'].lower()}s")
            space = "" if value["kind"].startswith("Cluster") else f"/namespaces/{namespace}"
            api.send("POST", f"{base}{space}/{kind}", value, accepted=(409,))
    write_access(api, namespace, kubeconfig)


def write_access(api: KubernetesApi, namespace: str, path: Path) -> None:
    """Write a kubeconfig with a new token of the account (TokenRequest, an hour)."""
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    where = f"/api/v1/namespaces/{namespace}/serviceaccounts/tocsin-observer/token"
    token = str(api.send("POST", where, asked)["status"]["token"])
    cluster = {"server": api.access.server, "certificate-authority": api.access.authority}
    write_kubeconfig(path, cluster=cluster, user={"token": token})


def take_back(api: KubernetesApi) -> None:
    """Delete what is not deleted with the namespace."""
    api.send("DELETE", _CLUSTER_WIDE, accepted=(404,))
