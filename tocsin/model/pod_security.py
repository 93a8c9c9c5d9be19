"""What Pod Security refuses of a pod in a namespace of level baseline or restricted.

(kubernetes.io/docs/concepts/security/pod-security-standards; k8s.io/pod-security-admission, policy.)
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.kubernetes_schema import Refusal, Version
from tocsin.model.workloads import Container, Workload
from tocsin.part import Part

ENFORCE = "pod-security.kubernetes.io/enforce"
"""The label of a namespace that says which level is enforced."""
_CAPABILITIES = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
     "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)  # fmt: skip
_SYSCTLS = frozenset(
    {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
     "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
     "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
     "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
)  # fmt: skip
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
     "image"}
)  # fmt: skip
_SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})


def refused(workload: Workload, level: str, version: Version | None) -> Iterator[Refusal]:
    """Yield what the level `baseline` or `restricted` refuses of a workload's pods."""
    if level not in ("baseline", "restricted"):
        return
    yield from _baseline(workload, version)
    if level == "restricted" and workload.spec.string("os", "name") != "windows":
        yield from _restricted(workload)


def _baseline(workload: Workload, version: Version | None) -> Iterator[Refusal]:
    spec = workload.spec
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field).value is True:
            yield Refusal(spec.get(field), f"`{field}: true`", missing=True)
    for volume in spec.list("volumes"):
        path = volume.get("hostPath")
        if path:
            yield Refusal(path, f"the volume `{volume.string('name')}` of the node's own files", missing=True)
    for sysctl in spec.list("securityContext", "sysctls"):
        if sysctl.string("name") not in _SYSCTLS:
            yield Refusal(sysctl.get("name"), f"the sysctl {sysctl.string('name')}")
    yield from _context(spec.get("securityContext"))
    for container in workload.containers:
        yield from _context(container.part.get("securityContext"))
        yield from _container(container)
        yield from _hosts(container.part, version)


def _container(container: Container) -> Iterator[Refusal]:
    context = container.part.get("securityContext")
    if context.get("privileged").value is True:
        yield Refusal(context.get("privileged"), "`privileged: true`", missing=True)
    for capability in context.list("capabilities", "add"):
        if capability.text not in _CAPABILITIES:
            yield Refusal(capability, f"the capability {capability.text}")
    if context.string("procMount") not in ("", "Default"):
        yield Refusal(context.get("procMount"), f"`procMount: {context.string('procMount')}`", missing=True)
    for port in container.ports:
        if port.part.number("hostPort"):
            yield Refusal(port.part.get("hostPort"), f"the port {port.part.string('hostPort')} of the node")


def _context(context: Part) -> Iterator[Refusal]:
    if context.string("seccompProfile", "type") == "Unconfined":
        yield Refusal(context.get("seccompProfile", "type"), "a seccomp profile of type Unconfined")
    if context.string("appArmorProfile", "type") == "Unconfined":
        yield Refusal(context.get("appArmorProfile", "type"), "an AppArmor profile of type Unconfined")
    options = context.get("seLinuxOptions")
    if options.string("type") not in _SELINUX or options.string("user") or options.string("role"):
        yield Refusal(options, "SELinux options of its own", missing=True)
    if context.get("windowsOptions", "hostProcess").value is True:
        yield Refusal(context.get("windowsOptions", "hostProcess"), "a host process", missing=True)


def _hosts(container: Part, version: Version | None) -> Iterator[Refusal]:
    if version is not None and version < (1, 34):
        return
    routes = [(probe,) for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    hooks = [("lifecycle", hook) for hook in ("postStart", "preStop")]
    for route in (*routes, *hooks):
        for handler in ("httpGet", "tcpSocket"):
            host = container.get(*route, handler, "host")
            if host.text:
                yield Refusal(host, f"the host {host.text} in `{route[-1]}`")


def _restricted(workload: Workload) -> Iterator[Refusal]:
    for volume in workload.spec.list("volumes"):
        kinds = [key for key, part in volume.items() if key != "name" and part.value is not None]
        if kinds and kinds[0] not in _VOLUMES and kinds[0] != "hostPath":
            yield Refusal(volume.get(kinds[0]), f"a volume of type {kinds[0]}", missing=True)
    for container in workload.containers:
        yield from _restricted_container(container, workload.spec.get("securityContext"))


def _restricted_container(container: Container, pod: Part) -> Iterator[Refusal]:
    context, name = container.part.get("securityContext"), f"`{container.name}`"
    there = context or container.part.get("name") or container.part
    if context.get("allowPrivilegeEscalation").value is not False:
        yield Refusal(there, f"{name} without `allowPrivilegeEscalation: false`", missing=True)
    first = context.get("runAsNonRoot") or pod.get("runAsNonRoot")
    if first.value is not True:
        yield Refusal(first or there, f"{name} without `runAsNonRoot: true`", missing=True)
    user = context.get("runAsUser") or pod.get("runAsUser")
    if user.number() == 0:
        yield Refusal(user, f"{name} as user 0", missing=True)
    if not (context.string("seccompProfile", "type") or pod.string("seccompProfile", "type")):
        yield Refusal(there, f"{name} without a seccomp profile (RuntimeDefault)", missing=True)
    if "ALL" not in [part.text for part in context.list("capabilities", "drop")]:
        yield Refusal(there, f"{name} without `capabilities: {{drop: [ALL]}}`", missing=True)
    for capability in context.list("capabilities", "add"):
        if capability.text != "NET_BIND_SERVICE" and capability.text in _CAPABILITIES:
            yield Refusal(capability, f"the capability {capability.text}")
