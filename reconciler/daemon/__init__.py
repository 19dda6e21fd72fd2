"""The composition root: every part of a running daemon in one TaskGroup, started in order, stopped in reverse.

``run.run`` is the daemon; ``options`` and ``state`` are light, so that the command line can ask for them alone.
"""
