"""Kubernetes objects as manifests hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tocsin.part import Part

PLACEHOLDER = re.compile(r"\$[({]|\{\{|<[^>]*>|%\w*%|__\w+__|@@?\w+@")
"""What a tool will put another text in place of."""


@dataclass(frozen=True)
class KubernetesObject:
    """One object of a manifest."""

    part: Part

    @cached_property
    def kind(self) -> str:
        """Its kind."""
        return self.part.string("kind")

    @cached_property
    def group(self) -> str:
        """The API group of its kind; empty for the core."""
        return self.part.string("apiVersion").rpartition("/")[0]

    @cached_property
    def name(self) -> str:
        """Its name; empty if it has none."""
        return self.part.string("metadata", "name")

    @cached_property
    def namespace(self) -> str:
        """Its namespace; empty if the manifest does not say."""
        return self.part.string("metadata", "namespace")

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.part.file

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return f"{self.kind}/{self.namespace or '-'}/{self.name}"

    def near(self, other: KubernetesObject) -> bool:
        """Tell whether two can be in one namespace: one that is not said may be any."""
        return self.namespace == other.namespace or not self.namespace or not other.namespace
