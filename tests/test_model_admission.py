"""What the API server refuses beyond its schema, and what Pod Security does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.model import Model, admission, pod_security

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop, labels: {app: shop}}
spec:
  minReadySeconds: 5
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      restartPolicy: Always
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      initContainers: [{name: migrate, image: "shop:1", securityContext: &safe {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]
      containers:
        - name: shop
          image: shop:1
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9100}]
          resources: {requests: {cpu: 500m, memory: 128Mi}, limits: {cpu: "1", memory: 256Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
          securityContext: *safe
      volumes: [{name: data, emptyDir: {}}]
"""  # noqa: E501 one line for what is one thing
JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: sweep}
spec:
  schedule: "*/5 0-6 * * 1,3"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: sweep, image: "shop:1"}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: http}, {name: metrics, port: 9100, targetPort: 9100}]
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a}
spec: {minReplicas: 2, maxReplicas: 6}
"""
PDB = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {maxUnavailable: 1, selector: {}}\n"
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
    - host: shop.example.org
      http: {paths: [{path: /api, pathType: Prefix, backend: {service: {name: shop, port: {name: http}}}}]}
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: c2VjcmV0}\n"  # noqa: S105 no secret of ours


def told(text: str, directory: Path) -> list[str]:
    """Return the messages about the objects of a manifest."""
    (directory / "a.yaml").write_text(text)
    model = Model.of(directory)
    found = [each for thing in model.objects for each in admission.refused(thing)]
    found += [each for workload in model.workloads for each in admission.refused_pods(workload)]
    return [each.message for each in found]


@pytest.mark.parametrize("text", [DEPLOYMENT, JOB, SERVICE, HPA, PDB, INGRESS, SECRET])
def test_a_good_object_is_not_refused(text: str, tmp_path: Path) -> None:
    assert told(text, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "old", "new", "part"),
    [
        (DEPLOYMENT, "name: shop, namespace", "name: Shop_1, namespace", "`Shop_1` is no name of a Deployment"),
        (DEPLOYMENT, "{name: shop, namespace: shop, labels", "{namespace: shop, labels", "the Deployment has no name"),
        (DEPLOYMENT, "namespace: shop", "namespace: my.shop", "no name of a namespace"),
        (DEPLOYMENT, "labels: {app: shop}}\nspec", "labels: {app: a b}}\nspec", "`a b` is no value of a label"),
        (DEPLOYMENT, "labels: {app: shop}}\nspec", "labels: {a/b/c: shop}}\nspec", "`a/b/c` is no name of a label"),
        (
            DEPLOYMENT,
            "matchLabels: {app: shop}",
            "matchLabels: {app: shp}",
            "does not select the Deployment's own pods",
        ),
        (DEPLOYMENT, "minReadySeconds: 5", "minReadySeconds: 600", "not less than progressDeadlineSeconds (600)"),
        (DEPLOYMENT, "type: RollingUpdate", "type: Recreate", "when the strategy is Recreate"),
        (DEPLOYMENT, "maxSurge: 1", "maxSurge: 0", "no pod could be replaced"),
        (DEPLOYMENT, "restartPolicy: Always", "restartPolicy: OnFailure", "are restarted always"),
        (DEPLOYMENT, "name: migrate", "name: shop", "two containers of the pod are called `shop`"),
        (DEPLOYMENT, "name: migrate", "name: my_migration", "no name of a container"),
        (DEPLOYMENT, "name: metrics", "name: http", "two ports of `shop` are called `http`"),
        (DEPLOYMENT, "name: metrics", "name: prometheus-metrics", "no name of a port"),
        (DEPLOYMENT, "containerPort: 8080", "containerPort: 80800", "there is no port 80800"),
        (DEPLOYMENT, "cpu: 500m", "cpu: 2", "asks for 2 cpu and may have 1 at most"),
        (DEPLOYMENT, "{name: data, mountPath", "{name: date, mountPath", "mounts the volume `date`"),
        (DEPLOYMENT, "mountPath: /data}", "mountPath: /data}, {name: data, mountPath: /data}", "two volumes at /data"),
        (DEPLOYMENT, "emptyDir: {}}", "emptyDir: {}}, {name: data, emptyDir: {}}", "two volumes of the pod are called"),
        (JOB, "OnFailure", "Always", "must have Never or OnFailure"),
        (JOB, "          restartPolicy: OnFailure\n", "", "no restartPolicy, which means Always"),
        (JOB, "*/5 0-6 * * 1,3", "*/5 0-6 * *", "has 4 fields"),
        (JOB, "*/5 0-6 * * 1,3", "*/5 0-24 * * 1", "has 24 where 0 to 23 are possible"),
        (SERVICE, "name: metrics, port: 9100", "name: http, port: 9100", "two ports of the Service are called `http`"),
        (SERVICE, "name: metrics, port: 9100", "name: metrics, port: 80", "the Service has the port 80 (TCP) twice"),
        (SERVICE, "name: metrics, port: 9100", "port: 9100", "must name each; port 9100 has no name"),
        (SERVICE, "targetPort: http", 'targetPort: "8080"', "is in quotes"),
        (SERVICE, "targetPort: http", "targetPort: the-port-of-http", "no name of a container's port"),
        (SERVICE, "name: shop}", "name: 1shop}", "begins with a letter"),
        (HPA, "maxReplicas: 6", "maxReplicas: 1", "`maxReplicas: 1` is less than minReplicas (2)"),
        (PDB, "maxUnavailable: 1", "maxUnavailable: 1, minAvailable: 1", "this one has both"),
        (INGRESS, "path: /api", "path: api", "a path of type Prefix begins with /"),
        (INGRESS, "port: {name: http}", "port: {name: http, number: 80}", "a name or a number, one of the two"),
        (INGRESS, "host: shop.example.org", "host: shop.example.org/api", "is no name of a host"),
        (SECRET, "c2VjcmV0", "secret!", "`key` is not base64"),
        (SECRET, "key:", "my key:", "`my key` is no key of a Secret"),
    ],
)
def test_what_is_refused(text: str, old: str, new: str, part: str, tmp_path: Path) -> None:
    """One change, and the one message about it."""
    assert old in text
    found = told(text.replace(old, new, 1), tmp_path)
    assert any(part in message for message in found), found


@pytest.mark.parametrize("name", ["${NAME}", "$(NAME)", "<name>", "%NAME%", "__NAME__"])
def test_placeholders_are_left_alone(name: str, tmp_path: Path) -> None:
    assert told(DEPLOYMENT.replace("name: shop, namespace", f'name: "{name}", namespace'), tmp_path) == []


def refused(text: str, level: str, directory: Path) -> list[str]:
    """Return what a level of Pod Security refuses of a manifest."""
    (directory / "a.yaml").write_text(text)
    workloads = Model.of(directory).workloads
    return [each.message for workload in workloads for each in pod_security.refused(workload, level, (1, 34))]


def test_a_safe_pod_passes_every_level(tmp_path: Path) -> None:
    assert [refused(DEPLOYMENT, level, tmp_path) for level in ("privileged", "baseline", "restricted", "")] == [[]] * 4


@pytest.mark.parametrize(
    ("old", "new", "baseline", "restricted"),
    [
        ("restartPolicy: Always", "hostNetwork: true", 1, 1),
        ("restartPolicy: Always", "hostNetwork: false", 0, 0),
        ("emptyDir: {}", "hostPath: {path: /}", 1, 1),
        ("emptyDir: {}", "nfs: {server: a, path: /}", 0, 1),
        ("containerPort: 8080", "containerPort: 8080, hostPort: 8080", 1, 1),
        ("drop: [ALL]", "drop: [ALL], add: [NET_ADMIN]", 2, 2),
        ("drop: [ALL]", "drop: [ALL], add: [CHOWN]", 0, 2),
        ("drop: [ALL]", "drop: [NET_RAW]", 0, 2),
        ("runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0", 0, 2),
        ("runAsNonRoot: true, ", "", 0, 2),
        ("type: RuntimeDefault", "type: Unconfined", 1, 1),
        ("seccompProfile: {type: RuntimeDefault}", "fsGroup: 1", 0, 2),
        ("allowPrivilegeEscalation: false", "privileged: true", 2, 4),
        ("image: shop:1", "image: shop:1\n          livenessProbe: {tcpSocket: {port: 1, host: a}}", 1, 1),
    ],
)
def test_pod_security(old: str, new: str, baseline: int, restricted: int, tmp_path: Path) -> None:
    """How many things each level refuses; the security context stands at two containers."""
    assert old in DEPLOYMENT
    text = DEPLOYMENT.replace(old, new, 1)
    assert len(refused(text, "baseline", tmp_path)) == baseline
    assert len(refused(text, "restricted", tmp_path)) == restricted
