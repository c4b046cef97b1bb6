"""PyTorch's index on loopback, with one wheel: the real one where pip has it, else an empty one of its name."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pages import REPO

HOST = "download.pytorch.org"
PIN = re.search(r"^torch==(.*)$", (REPO / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]


def make_certificates(folder: Path) -> Path:
    """``server.pem``, and the authority that vouches for it, which is returned."""
    (folder / "names").write_text(f"subjectAltName=DNS:{HOST}\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout authority.key -out authority.crt",
        f"req -newkey rsa:2048 -nodes -subj /CN={HOST} -keyout server.key -out server.csr",
        "x509 -req -days 2 -in server.csr -CA authority.crt -CAkey authority.key -set_serial 2 -extfile names -out server.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return folder / "authority.crt"


def find_wheel(folder: Path) -> tuple[Path, bool]:
    """And whether it is the real one."""
    wanted = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
    subprocess.run([*wanted, "-d", str(folder), f"torch=={PIN}+cpu"], check=False, capture_output=True)
    if found := [*folder.glob("torch-*.whl")]:
        return found[0], True
    wheel, data = folder / f"torch-{PIN}+tests-py3-none-any.whl", f"torch-{PIN}+tests.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("torch.py", "")
        file.writestr(f"{data}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {PIN}+tests\n")
        file.writestr(f"{data}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{data}/RECORD", "")
    return wheel, False


@contextmanager
def torch_index(certificates: Path, wheel: Path) -> Iterator[list[str]]:
    """It is at port 443 of loopback while this lasts; what is asked for is put into the list."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            page = f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>'.encode()
            content = wheel.read_bytes() if self.path.endswith(".whl") else page
            self.send_response(200 if re.match(r"/whl/\w+/torch/", self.path) else 404)
            self.send_header("Content-Type", "application/zip" if self.path.endswith(".whl") else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
