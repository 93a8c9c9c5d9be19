"""Which kubelet is imitated: what it calls itself, and what its Go offers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kubelet:
    """A kubelet, as far as its version shows in an attempt."""

    major: int = 1
    minor: int = 36
    http2: bool = True
    """Off where DISABLE_HTTP2 stands in its environment (k8s.io/apimachinery, util/net/http.go)."""

    @property
    def user_agent(self) -> str:
        """What it calls itself."""
        return f"kube-probe/{self.major}.{self.minor}"

    @property
    def minimum_tls(self) -> ssl.TLSVersion:
        """The oldest TLS that it speaks: 1.0 until Go 1.18, which Kubernetes is built with from 1.24 on."""
        return ssl.TLSVersion.TLSv1_2 if (self.major, self.minor) >= (1, 24) else ssl.TLSVersion.TLSv1


NEWEST = Kubelet()
"""The one that is imitated where nothing is said."""
