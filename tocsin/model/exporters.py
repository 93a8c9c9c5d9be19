"""Which exporters a folder runs, how they are set, and what that lets them export.

Three are known by heart, for what they export depends on how they are started: kube-state-metrics, the node exporter
and cAdvisor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.artefacts.compose import command_words, image_name, image_tag
from tocsin.model.cluster import Pod
from tocsin.part import Part

if TYPE_CHECKING:
    from tocsin.model import Model

KINDS: Mapping[str, tuple[str, ...]] = {
    "kube-state-metrics": ("kube-state-metrics",),
    "node_exporter": ("node-exporter", "node_exporter"),
    "cadvisor": ("cadvisor",),
}
"""The last part of the names of the images in which each is found."""

RESOURCES: Mapping[str, tuple[str, str, bool]] = {
    "certificatesigningrequests": ("kube_certificatesigningrequest_", "certificates.k8s.io", False),
    "configmaps": ("kube_configmap_", "", True),
    "cronjobs": ("kube_cronjob_", "batch", True),
    "daemonsets": ("kube_daemonset_", "apps", True),
    "deployments": ("kube_deployment_", "apps", True),
    "endpoints": ("kube_endpoint_", "", True),
    "endpointslices": ("kube_endpointslice_", "discovery.k8s.io", True),
    "horizontalpodautoscalers": ("kube_horizontalpodautoscaler_", "autoscaling", True),
    "ingresses": ("kube_ingress_", "networking.k8s.io", True),
    "jobs": ("kube_job_", "batch", True),
    "leases": ("kube_lease_", "coordination.k8s.io", True),
    "limitranges": ("kube_limitrange", "", True),
    "mutatingwebhookconfigurations": (
        "kube_mutatingwebhookconfiguration_", "admissionregistration.k8s.io", False,
    ),
    "namespaces": ("kube_namespace_", "", False),
    "networkpolicies": ("kube_networkpolicy_", "networking.k8s.io", True),
    "nodes": ("kube_node_", "", False),
    "persistentvolumeclaims": ("kube_persistentvolumeclaim_", "", True),
    "persistentvolumes": ("kube_persistentvolume_", "", False),
    "poddisruptionbudgets": ("kube_poddisruptionbudget_", "policy", True),
    "pods": ("kube_pod_", "", True),
    "replicasets": ("kube_replicaset_", "apps", True),
    "replicationcontrollers": ("kube_replicationcontroller_", "", True),
    "resourcequotas": ("kube_resourcequota", "", True),
    "secrets": ("kube_secret_", "", True),
    "serviceaccounts": ("kube_serviceaccount_", "", True),
    "services": ("kube_service_", "", True),
    "statefulsets": ("kube_statefulset_", "apps", True),
    "storageclasses": ("kube_storageclass_", "storage.k8s.io", False),
    "validatingwebhookconfigurations": (
        "kube_validatingwebhookconfiguration_", "admissionregistration.k8s.io", False,
    ),
    "volumeattachments": ("kube_volumeattachment_", "storage.k8s.io", False),
}  # fmt: skip
"""By resource: how its metrics begin, its group, and whether it stands in namespaces.

(kubernetes/kube-state-metrics, docs/ and internal/store/builder.go; pkg/options/resource.go.)
"""

COLLECTORS_OFF: Mapping[str, str] = {
    "buddyinfo": "node_buddyinfo_",
    "cgroups": "node_cgroups_",
    "drbd": "node_drbd_",
    "drm": "node_drm_",
    "ethtool": "node_ethtool_",
    "interrupts": "node_interrupts_total",
    "ksmd": "node_ksmd_",
    "lnstat": "node_lnstat_",
    "logind": "node_logind_",
    "meminfo_numa": "node_memory_numa_",
    "mountstats": "node_mountstats_",
    "network_route": "node_network_route",
    "ntp": "node_ntp_",
    "pcidevice": "node_pcidevice_",
    "perf": "node_perf_",
    "processes": "node_processes_",
    "qdisc": "node_qdisc_",
    "runit": "node_service_",
    "slabinfo": "node_slabinfo_",
    "supervisord": "node_supervisord_",
    "sysctl": "node_sysctl_",
    "systemd": "node_systemd_",
    "tcpstat": "node_tcp_connection_states",
    "wifi": "node_wifi_",
    "xfrm": "node_xfrm_",
    "zoneinfo": "node_zoneinfo_",
}
"""Collectors that are off unless a flag turns them on, with how their metrics begin.

(prometheus/node_exporter, README.md, "Disabled by default", and the collectors' sources.)
"""
COLLECTORS_ON: Mapping[str, tuple[str, ...]] = {
    "arp": ("node_arp_",),
    "bonding": ("node_bonding_",),
    "btrfs": ("node_btrfs_",),
    "conntrack": ("node_nf_conntrack_",),
    "cpu": ("node_cpu_seconds_total", "node_cpu_guest_seconds_total"),
    "cpufreq": ("node_cpu_scaling_frequency_", "node_cpu_frequency_"),
    "diskstats": ("node_disk_",),
    "edac": ("node_edac_",),
    "entropy": ("node_entropy_",),
    "filefd": ("node_filefd_",),
    "filesystem": ("node_filesystem_",),
    "hwmon": ("node_hwmon_",),
    "infiniband": ("node_infiniband_",),
    "ipvs": ("node_ipvs_",),
    "loadavg": ("node_load1", "node_load5", "node_load15"),
    "mdadm": ("node_md_",),
    "meminfo": ("node_memory_",),
    "netdev": ("node_network_receive_", "node_network_transmit_"),
    "netstat": ("node_netstat_",),
    "nfs": ("node_nfs_",),
    "nfsd": ("node_nfsd_",),
    "powersupplyclass": ("node_power_supply_",),
    "pressure": ("node_pressure_",),
    "rapl": ("node_rapl_",),
    "schedstat": ("node_schedstat_",),
    "sockstat": ("node_sockstat_",),
    "softnet": ("node_softnet_",),
    "stat": ("node_boot_time_seconds", "node_context_switches_total", "node_forks_total", "node_procs_"),
    "thermal_zone": ("node_thermal_zone_", "node_cooling_device_"),
    "time": ("node_time_",),
    "timex": ("node_timex_",),
    "uname": ("node_uname_info",),
    "vmstat": ("node_vmstat_",),
    "xfs": ("node_xfs_",),
    "zfs": ("node_zfs_",),
}
"""Collectors that are on unless a flag turns them off, with how the metrics begin that no other has."""


@dataclass(frozen=True)
class Exporter:
    """A container that runs an exporter."""

    kind: str
    """A key of KINDS."""
    part: Part
    """The container, or the service of docker-compose."""
    subject: str
    image: str
    words: tuple[tuple[str, Part], ...]
    """Each word of its command line, with the part that it stands in."""
    mounts: tuple[str, ...]
    """The paths at which something is mounted."""
    pod: Pod | None = None

    def flag(self, name: str) -> tuple[str, Part] | None:
        """Return what a flag is set to, and where; empty for one that only turns something on."""
        for i, (word, part) in enumerate(self.words):
            bare = word.lstrip("-") if word.startswith("-") else ""
            if bare == name:
                following = self.words[i + 1][0] if i + 1 < len(self.words) else ""
                return ("" if following.startswith("-") else following), part
            if bare.startswith(f"{name}="):
                return bare[len(name) + 1 :], part
        return None

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of its image's tag; none if it has no such tag."""
        found = re.match(r"v?(\d+)\.(\d+)", image_tag(self.image))
        return (int(found[1]), int(found[2])) if found else ()

    def mounted(self, path: str) -> bool:
        """Tell whether something is mounted at a path, or around it."""
        bare = path.rstrip("/") + "/"
        return any(bare.startswith(target.rstrip("/") + "/") for target in self.mounts)


def exporters(model: Model) -> tuple[Exporter, ...]:
    """Return the exporters that a folder runs."""
    return (*_of_pods(model), *_of_compose(model))


def kind_of_image(image: str) -> str | None:
    """Return which exporter an image is known to hold."""
    name = image_name(image).lower()
    return next((kind for kind, names in KINDS.items() if name in names), None)


def _of_pods(model: Model) -> Iterator[Exporter]:
    for pod in model.cluster.pods:
        for container in pod.containers:
            kind = kind_of_image(container.part.string("image"))
            if kind is not None and pod.labels_whole:
                words = [
                    (word, part)
                    for part in (*container.part.list("command"), *container.part.list("args"))
                    for word in ([part.text] if "\n" not in part.text else command_words(part.text))
                ]
                mounts = tuple(part.string("mountPath") for part in container.part.list("volumeMounts"))
                image = container.part.string("image")
                yield Exporter(kind, container.part, container.subject, image, tuple(words), mounts, pod)


def _of_compose(model: Model) -> Iterator[Exporter]:
    for compose in model.compose_files:
        for service in compose.services.values():
            kind = kind_of_image(service.image)
            if kind is not None and not service.part.get("extends"):
                mounts = tuple(mount.target for mount in service.mounts)
                yield Exporter(kind, service.part, service.subject, service.image, service.words, mounts)


def resource_of(metric: str) -> str | None:
    """Return the resource that kube-state-metrics makes a metric of."""
    return next((name for name, (prefix, _, _) in RESOURCES.items() if metric.startswith(prefix)), None)


def collector_of(metric: str) -> tuple[str, bool] | None:
    """Return the collector of the node exporter that a metric comes from, and whether it is on by itself."""
    for name, prefix in COLLECTORS_OFF.items():
        if metric.startswith(prefix):
            return name, False
    for name, prefixes in COLLECTORS_ON.items():
        if metric.startswith(prefixes):
            return name, True
    return None
