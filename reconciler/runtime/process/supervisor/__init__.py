"""The supervisor: one small process a state directory, which owns containers while daemons come and go.

Its counterpart is containerd with its shims. Standard library only, started as ``python -IS``; it imports nothing of
reconciler and decides nothing: it forks, watches, writes logs and records, and tells who is connected.
"""
