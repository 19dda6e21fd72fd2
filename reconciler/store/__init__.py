"""etcd's role: revisions of keys, durable. ``sqlite`` keeps them in one append-only table, ``memory`` is its twin.

Knows keys and bytes, nothing of objects. Only ``registry`` uses it. The one place that may import ``sqlite3``.
"""
