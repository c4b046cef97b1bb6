"""A server on loopback that speaks as much of the hub's API as a download needs, and can misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """What is there, and what was asked."""

    files: Mapping[str, bytes]
    """Of the one repository."""
    repo: str = "someone/some_vla"
    gated: str = ""
    """The token that may read it; empty: everybody may."""
    cut_after: int = 0
    """Bytes after which the connection of a request for a whole file is cut; 0: never."""
    port: int = 0
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Method, path, range and token of every request."""

    @property
    def url(self) -> str:
        """For ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """The hub, while this lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: bool) -> None:
            url = urlsplit(self.path)
            path = unquote(url.path)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            hub.requests.append((self.command, path, self.headers.get("Range") or "", token))
            if path == "/api/models":
                author = parse_qs(url.query).get("author", [""])[0]
                return self._json([{"id": hub.repo}] if author == hub.repo.split("/")[0] else [], body)
            if not re.search(rf"^(/api/models)?/{re.escape(hub.repo)}(/|$)", path):
                # so does the hub answer whoever has no token: it does not say whether there is something private
                return self._error(401, "RepoNotFound", "Invalid username or password.")
            if hub.gated and token != hub.gated:
                return self._error(401, "GatedRepo", "Access to this model is restricted.")
            if path.endswith("/refs"):
                refs = [{"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT}]
                tags = [{"name": "v1.2", "ref": "refs/tags/v1.2", "targetCommit": COMMIT}]
                return self._json({"branches": refs, "tags": tags, "converts": []}, body)
            found = re.search(r"/(?:revision|tree|resolve)/([^/]+)", path)
            if found and found[1] not in ("main", "v1.2", COMMIT):
                return self._error(404, "RevisionNotFound", "Invalid rev id: " + found[1])
            if "/resolve/" in path:
                return self._file(path.split("/resolve/")[1].split("/", 1)[1], body)
            if "/tree/" in path:
                return self._json([
                    {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in hub.files.items()
                ], body)  # fmt: skip
            siblings = [{"rfilename": name} for name in hub.files]
            return self._json({"id": hub.repo, "modelId": hub.repo, "sha": COMMIT, "siblings": siblings}, body)

        def _error(self, status: int, code: str, text: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", text)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _json(self, content: object, body: bool) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def _file(self, name: str, body: bool) -> None:
            if name not in hub.files:
                return self._error(404, "EntryNotFound", "Entry not found")
            content = hub.files[name]
            begin = int((re.match(r"bytes=(\d+)-", self.headers.get("Range") or "") or [0, 0])[1])
            self.send_response(206 if begin else 200)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - begin))
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if not body:
                return
            if not begin and 0 < hub.cut_after < len(content):
                self.wfile.write(content[: hub.cut_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.wfile.write(content[begin:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    hub.port = server.server_address[1]
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
