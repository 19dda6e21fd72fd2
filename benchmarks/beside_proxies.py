"""What a relayed request costs, beside HAProxy and nginx in the same run: HTTP and TCP, on kept and on fresh connections.

    apt-get install haproxy nginx-light libnginx-mod-stream
    python benchmarks/beside_proxies.py [SECONDS [ROUNDS]]

The Pod and the clients are those of ``relay.py``. Each proxy runs as one worker with logs off; what counts is its CPU time. The
proxies take turns within a round (SECONDS each, 2), and a row is the least of ROUNDS (3): others on the machine only add.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import relay

if TYPE_CHECKING:
    from collections.abc import Iterator

HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend http
  mode http
  option forwardfor
  bind 127.0.0.1:{http}
  default_backend pods
backend pods
  mode http
  http-reuse always
  server pod {pod}:{pod_port}
listen tcp
  mode tcp
  bind 127.0.0.1:{tcp}
  server pod {pod}:{pod_port}
"""

NGINX = """\
{modules}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log /dev/null crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000;
  upstream pods {{ server {pod}:{pod_port}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{http};
    location / {{
      proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
stream {{ server {{ listen 127.0.0.1:{tcp}; proxy_pass {pod}:{pod_port}; }} }}
"""


class Serving(NamedTuple):
    """A proxy that serves: its processes, and where HTTP and TCP are relayed."""

    name: str
    pids: list[int]
    http: tuple[str, int]
    tcp: tuple[str, int]

    def cpu(self) -> float:
        return sum(relay.cpu_of(pid) for pid in self.pids)


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def ours(pod_port: int) -> Iterator[Serving]:
    service_port = free_port(relay.SERVICE)
    with relay.part("asyncio", "proxy", pod_port, service_port) as (process, port):
        yield Serving(
            "reconciler", [process.pid], ("127.0.0.1", port), (relay.SERVICE, service_port)
        )


@contextlib.contextmanager
def peer(name: str, pod_port: int) -> Iterator[Serving]:
    """Run HAProxy or nginx with one worker. Raises ``ChildProcessError`` when it does not serve."""
    http, tcp = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = Path(folder) / "conf"
        modules = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        config.write_text(
            (HAPROXY if name == "haproxy" else NGINX).format(
                http=http, tcp=tcp, pod=relay.POD, pod_port=pod_port, folder=folder,
                modules=f"load_module {modules};" if modules.exists() else "",
            )
        )  # fmt: skip
        options = ["-f", str(config)] if name == "haproxy" else ["-c", str(config)]
        process = subprocess.Popen([name, *options])
        try:
            await_port(process, tcp)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            pids = [process.pid, *map(int, children)]
            yield Serving(name, pids, ("127.0.0.1", http), ("127.0.0.1", tcp))
        finally:
            process.terminate()
            process.wait()


def await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise ChildProcessError(f"{process.args!r} does not serve")


def cost(proxy: Serving, address: tuple[str, int], seconds: float, *, kept: bool) -> float:
    """Return microseconds of the proxy's CPU a request."""
    factory = relay.loop_factory("uvloop" if importlib.util.find_spec("uvloop") else "asyncio")
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(relay.load(*address, kept=kept, seconds=0.3))
        before = proxy.cpu()
        requests = runner.run(relay.load(*address, kept=kept, seconds=seconds))
        return (proxy.cpu() - before) / requests * 1e6


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    peers = [name for name in ("haproxy", "nginx") if shutil.which(name)]
    least: dict[tuple[str, str], dict[str, float]] = {}
    with contextlib.ExitStack() as stack:
        loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
        _, pod_port = stack.enter_context(relay.part(loop, "pod"))
        proxies = [stack.enter_context(ours(pod_port))]
        proxies += [stack.enter_context(peer(name, pod_port)) for name in peers]
        for _ in range(rounds):
            for way in ("http", "tcp"):
                for kept in (True, False):
                    row = least.setdefault((way, "kept" if kept else "fresh"), {})
                    for proxy in proxies:
                        address = proxy.http if way == "http" else proxy.tcp
                        now = cost(proxy, address, seconds, kept=kept)
                        row[proxy.name] = min(now, row.get(proxy.name, now))
    for (way, connections), row in least.items():
        print(json.dumps({
            "relayed": way, "connections": connections,
            "CPU microseconds a request": {name: round(value, 1) for name, value in row.items()},
            "times the peer": {name: round(row["reconciler"] / row[name], 1) for name in peers},
        }))  # fmt: skip


if __name__ == "__main__":
    main()
