"""kube-proxy and ingress: Services and Ingresses become a routing table, and the table becomes sockets.

``table``, ``ingress``, ``message`` and ``names`` are pure; ``l4`` joins TCP connections, ``l7`` serves HTTP, ``dns`` names. It
reaches Pods only through the runtime's ``Network``. ``process`` is a proxy that outlives the daemon, ``link`` the daemon's side
of it.
"""

from reconciler.proxy.link import ProxyLink
from reconciler.proxy.proxy import Proxy

__all__ = ["Proxy", "ProxyLink"]
