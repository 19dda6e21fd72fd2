"""The Client protocol over HTTP: a daemon's unix socket that speaks the Kubernetes REST paths."""

from reconciler.client.http import HttpClient

__all__ = ["HttpClient"]
