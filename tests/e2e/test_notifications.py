"""People and machines are told what became of a sync: a real daemon, receivers that speak HTTP and SMTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

KEY = "a key that nobody else has"


class Receivers:
    """Who is told: an HTTP server, which turns the first request of each path away, and a mail server."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.mails: list[str] = []
        self.refused: set[str] = set()
        outer = self

        class Http(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                busy = self.path not in outer.refused
                outer.refused.add(self.path)
                if not busy:
                    outer.posts.append((self.path, dict(self.headers), body))
                self.send_response(503 if busy else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Smtp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline().strip().upper():
                    if line == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b""
                        while (part := self.rfile.readline()) != b".\r\n":
                            text += part
                        outer.mails.append(text.decode())
                    self.wfile.write(b"221 bye\r\n" if line == b"QUIT" else b"250 fine\r\n")

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
        self.smtp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)
        self.smtp.daemon_threads = True
        for server in (self.http, self.smtp):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def at(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(body) for where, _, body in self.posts if where == path]

    def close(self) -> None:
        for server in (self.http, self.smtp):
            server.shutdown()
            server.server_close()


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers()
    yield made
    made.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(
        [str(Path(sys.executable).parent / "reconciler")], tmp_path / "state", tmp_path, None
    )
    yield made
    made.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def config_map(value: str) -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: {value}}}\n"
    )


def test_everybody_who_wants_to_know_is_told(machine: Machine, receivers: Receivers) -> None:
    folder = machine.work / "shop"
    folder.mkdir()
    manifest = folder / "settings.yaml"
    manifest.write_text(config_map("first"))
    app = {
        "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {
            "source": {"directory": {"path": "shop"}},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }  # fmt: skip
    (machine.work / "app.yaml").write_text(json.dumps(app))
    url = f"http://127.0.0.1:{receivers.http.server_port}"
    (machine.work / "key").write_text(KEY)
    (machine.work / "slack").write_text(f"{url}/slack")
    for secret in ("key", "slack"):
        (machine.work / secret).chmod(0o600)
    base = "applications: [app.yaml]\nnetwork: {httpPort: 0, httpsPort: 0}\n"
    config = machine.work / "reconciler.yaml"
    config.write_text(base)
    daemon = machine.start("--runtime", "memory", "daemon", "--config", config)
    eventually(lambda: machine.run("sync", "shop", check=None).returncode == 0)

    config.write_text(
        base
        + f"""notifications:
- {{name: all, on: [invalid, sync-succeeded], webhook: {{url: "{url}/hook", hmacFrom: {{file: key}}}}}}
- {{name: chat, slack: {{urlFrom: {{file: slack}}}}}}
- name: mail
  template: "{{{{ application }}}} is {{{{ event }}}}"
  email: {{server: "127.0.0.1:{receivers.smtp.server_address[1]}", sender: r@example.org, to: [ops@example.org], tls: none}}
"""
    )
    daemon.send_signal(signal.SIGHUP)
    eventually(lambda: "configuration reloaded" in (machine.work / "output").read_text())
    manifest.write_text("kind: [")
    hook = eventually(lambda: receivers.at("/hook"))[0]
    assert (hook["application"], hook["event"]) == ("shop", "invalid")
    _, headers, body = next(p for p in receivers.posts if p[0] == "/hook")
    signed = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Reconciler-Signature-256"] == f"sha256={signed}"
    assert "shop" in eventually(lambda: receivers.at("/slack"))[0]["text"]
    mail = eventually(lambda: receivers.mails)[0]
    assert "shop is invalid" in mail
    assert "To: ops@example.org" in mail

    # The same trouble is told once, and the end of it is news to who asked for that alone.
    manifest.write_text(config_map("second"))
    eventually(lambda: [h["event"] for h in receivers.at("/hook")] == ["invalid", "sync-succeeded"])
    assert len(receivers.at("/slack")) == 1
    output = (machine.work / "output").read_text()
    assert KEY not in output
    assert f"{url}/slack" not in output
