"""Becomes a command on a host that lets its user make no namespaces: ``forbidden.py COMMAND ...``.

A user namespace has a limit of its own on namespaces below it; as an ordinary user inside of one whose limit is 0,
everything is as on a host that forbids them.
"""

import ctypes
import os
import sys
from pathlib import Path

user, group = os.getuid(), os.getgid()
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
    sys.exit("no user namespace to try this in")
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
Path("/proc/sys/user/max_user_namespaces").write_text("0")
os.execv(sys.argv[1], sys.argv[1:])
