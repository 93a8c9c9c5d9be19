"""Users that stay where they are sent: a redirect to another host would take the load there, unasked."""

from __future__ import annotations

from locust import FastHttpUser


class BoundUser(FastHttpUser):
    """A user that follows no redirect; to it, a redirect is an answer like any other that is not the one asked for."""

    abstract = True
    max_redirects = 0
