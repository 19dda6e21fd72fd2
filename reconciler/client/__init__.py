"""The Client protocol over HTTP: a daemon's unix socket, or any Kubernetes API server."""
