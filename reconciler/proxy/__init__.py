"""kube-proxy and ingress: Services and Ingresses become a routing table, and the table becomes sockets."""
