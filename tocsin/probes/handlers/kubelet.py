"""Which kubelet is imitated: what it calls itself, and what the Go that it was built with accepts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

_BUILT_WITH = {20: 15, 21: 16, 22: 16, 23: 17, 24: 18, 25: 19, 26: 19, 27: 20, 28: 20, 29: 21, 30: 22, 31: 22, 32: 23}
"""The minor version of Go that the first release of each minor version of Kubernetes was built with.

(kubernetes/kubernetes, build/build-image/cross/VERSION, later .go-version.) A late patch release may be built with a
newer one, and then forgives less than is said here of its version.
"""

_BUILT_WITH_LATER = 24
"""The oldest that any later one was built with; no rule here is younger."""


@dataclass(frozen=True, slots=True)
class Kubelet:
    """A kubelet, as far as its version shows in an attempt."""

    major: int = 1
    minor: int = 36
    http2: bool = True
    """Off where DISABLE_HTTP2 stands in its environment (k8s.io/apimachinery, util/net/http.go)."""
    built_with: int | None = None
    """Minor version of Go, where somebody else than Kubernetes built it; Debian's 1.20 is built with Go 1.19."""

    @property
    def user_agent(self) -> str:
        """What it calls itself."""
        return f"kube-probe/{self.major}.{self.minor}"

    @property
    def go(self) -> int:
        """The minor version of Go 1 by whose rules it reads a reply."""
        return self.built_with or _BUILT_WITH.get(self.minor, _BUILT_WITH_LATER)

    @property
    def minimum_tls(self) -> ssl.TLSVersion:
        """The oldest TLS that it speaks: 1.0 until Go 1.18, which Kubernetes is built with from 1.24 on.

        1.0 is the oldest that OpenSSL has; asked for by its name, it is a DeprecationWarning of Python's.
        """
        return ssl.TLSVersion.TLSv1_2 if self.go >= 18 else ssl.TLSVersion.MINIMUM_SUPPORTED

    @property
    def exchanges_keys_by_rsa(self) -> bool:
        """Whether it offers cipher suites without forward secrecy: until Go 1.22 (GODEBUG tlsrsakex)."""
        return self.go < 22


NEWEST = Kubelet()
"""The one that is imitated where nothing is said."""
