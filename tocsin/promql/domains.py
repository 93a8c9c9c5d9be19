"""Metrics whose values are known from what they are: small and certain, each group with the document that says so."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.promql.ranges import Interval, between, point

_SWITCHES = (
    # prometheus.io/docs/concepts/jobs_instances: written by Prometheus after each scrape
    "up",
    # github.com/prometheus/blackbox_exporter, prober/handler.go and the probers beside it
    "probe_success probe_failed_due_to_regex probe_http_ssl probe_dns_query_succeeded",
    # Prometheus, cmd/prometheus/main.go; Alertmanager, config/coordinator.go
    "prometheus_config_last_reload_successful alertmanager_config_last_reload_successful prometheus_ready",
    # github.com/kubernetes/kube-state-metrics, docs/metrics: one series a state, 1 for the one that holds
    "kube_pod_status_phase kube_pod_status_ready kube_pod_status_scheduled kube_pod_status_reason",
    "kube_pod_container_status_ready kube_pod_container_status_running kube_pod_container_status_waiting",
    "kube_pod_container_status_waiting_reason kube_pod_container_status_terminated",
    "kube_pod_container_status_terminated_reason kube_pod_container_status_last_terminated_reason",
    "kube_pod_init_container_status_ready kube_pod_init_container_status_running",
    "kube_pod_init_container_status_waiting kube_pod_init_container_status_waiting_reason",
    "kube_pod_init_container_status_terminated kube_pod_init_container_status_terminated_reason",
    "kube_node_status_condition kube_node_spec_unschedulable kube_namespace_status_phase",
    "kube_namespace_status_condition kube_deployment_status_condition kube_deployment_spec_paused",
    "kube_job_complete kube_job_failed kube_cronjob_spec_suspend kube_persistentvolume_status_phase",
    "kube_persistentvolumeclaim_status_phase kube_persistentvolumeclaim_status_condition",
    "kube_horizontalpodautoscaler_status_condition",
    # github.com/prometheus/node_exporter, collector/systemd_linux.go, filesystem_common.go, timex.go
    "node_systemd_unit_state node_systemd_system_running node_filesystem_readonly node_filesystem_device_error",
    "node_timex_sync_status node_scrape_collector_success node_textfile_scrape_error",
    # github.com/etcd-io/etcd, server/etcdserver/metrics.go
    "etcd_server_has_leader etcd_server_is_leader",
    # each exporter's own gauge of its last connection: mysqld_exporter, postgres_exporter, redis_exporter,
    # memcached_exporter, nginx-prometheus-exporter, mongodb_exporter (the README of each)
    "mysql_up pg_up redis_up memcached_up nginx_up mongodb_up",
)
"""0 or 1, and nothing else."""

_ONES = (
    *("ALERTS", "kube_pod_status_unschedulable", "node_uname_info"),
    *("prometheus_build_info", "alertmanager_build_info"),
)
"""Always 1; the labels are what is told. (Prometheus, rules/alerting.go; kube-state-metrics, docs/metrics.)"""

_COUNTS = (
    "prometheus_notifications_alertmanagers_discovered prometheus_tsdb_head_series alertmanager_cluster_members",
    "scrape_samples_scraped scrape_samples_post_metric_relabeling scrape_series_added",
    "kube_deployment_spec_replicas kube_deployment_status_replicas kube_deployment_status_replicas_available",
    "kube_deployment_status_replicas_unavailable kube_deployment_status_replicas_updated",
    "kube_statefulset_replicas kube_statefulset_status_replicas kube_statefulset_status_replicas_ready",
    "kube_daemonset_status_desired_number_scheduled kube_daemonset_status_number_ready",
    "kube_daemonset_status_number_available kube_daemonset_status_number_unavailable",
    "kube_daemonset_status_current_number_scheduled kube_daemonset_status_number_misscheduled",
    "kube_pod_container_status_restarts_total process_open_fds node_filefd_allocated",
)
"""Whole numbers from 0 on: numbers of things that exist."""


def _domains() -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for name in " ".join(_SWITCHES).split():
        found[name] = between(0, 1, whole=True).because("domain", f"{name} is 0 or 1")
    for name in _ONES:
        found[name] = point(1).because("constant", f"{name} is always 1")
    for name in " ".join(_COUNTS).split():
        found[name] = between(0, float("inf"), whole=True).because("domain", f"{name} counts, from 0 on")
    return found


DOMAINS: Mapping[str, Interval] = _domains()
"""What a metric's values can be, by its name."""

PARTS: Mapping[str, str] = {
    # of memory and of file systems: node_exporter, meminfo_linux.go and filesystem_linux.go
    "node_memory_MemAvailable_bytes": "node_memory_MemTotal_bytes",
    "node_memory_MemFree_bytes": "node_memory_MemTotal_bytes",
    "node_memory_SwapFree_bytes": "node_memory_SwapTotal_bytes",
    "node_filesystem_avail_bytes": "node_filesystem_size_bytes",
    "node_filesystem_free_bytes": "node_filesystem_size_bytes",
    "node_filesystem_files_free": "node_filesystem_files",
    # the kubelet's statistics of volumes: Kubernetes, pkg/kubelet/metrics/collectors, volume_stats.go
    "kubelet_volume_stats_available_bytes": "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_inodes_free": "kubelet_volume_stats_inodes",
    # what every client library tells of its process (prometheus.io/docs/instrumenting/writing_clientlibs)
    "process_open_fds": "process_max_fds",
}
"""A metric that is never more than another one of the same labels."""

RATES: Mapping[str, Interval] = {
    # One processor spends at most a second a second in one mode; twice that is beyond every error of extrapolation.
    "node_cpu_seconds_total": between(0, 2).because("domain", "one processor spends a second a second, in all modes"),
}
"""What the rate of one series of a counter can be."""
