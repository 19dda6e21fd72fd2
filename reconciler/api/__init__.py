"""The vocabulary: what everything else speaks in.

Kubernetes' counterpart is ``k8s.io/api`` and ``k8s.io/apimachinery``. THE table of kinds, object keys and metadata,
typed read views, the Client protocol, Decision and actions, schemas, selectors, quantities, patches (JSON, merge,
strategic, server-side apply). May import ``errors`` and ``clock``'s formatting; does no I/O but reading the packaged
schemas; knows nothing of any component.
"""
