"""Policy servers in this process, written from what the protocols say; they misbehave on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from websockets.asyncio.server import serve

from eval.wire import openpi, openvla, vla_eval
from eval.wire.vla_eval import Kind, Message

ACTION = np.array([0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 1.0])


class Server:
    """Use as a context manager. ``answer(observation, number)`` gives the actions, or a frame (bytes, str), or raises."""

    scheme = ""

    def __init__(self, answer=lambda observation, number: ACTION, most_connections=None, port=0):
        self.answer, self.most_connections, self.port = answer, most_connections, port
        self.observations, self.connections, self.open, self.most_open, self.headers = [], 0, 0, 0, []
        self.started, self.ended = [], []
        self.loop = asyncio.new_event_loop()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self):
        ready = threading.Event()

        async def main():
            self.stop = asyncio.Event()
            async with serve(self._connection, "127.0.0.1", self.port, compression=None, max_size=None) as server:
                self.port = server.sockets[0].getsockname()[1]
                ready.set()
                await self.stop.wait()

        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(main()), daemon=True)
        self.thread.start()
        assert ready.wait(5)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(5)

    async def _connection(self, socket):
        self.connections += 1
        self.headers.append(socket.request.headers)
        if self.most_connections is not None and self.open >= self.most_connections:
            await socket.close(1013, "too many")
            return
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        with contextlib.suppress(Exception):
            await self.talk(socket)
        self.open -= 1

    async def _answer(self, observation):
        self.observations.append(observation)
        given = self.answer(observation, len(self.observations) - 1)
        return await given if asyncio.iscoroutine(given) else given


class VlaEvalServer(Server):
    scheme = "vla-eval"
    hello: dict = {"model_server": "Fake", "harness_version": "0.8.0", "protocol_version": 1, "capabilities": {}}  # noqa: RUF012

    async def talk(self, socket):
        async for frame in socket:
            message = vla_eval.unpack_message(frame)
            if message.kind is Kind.HELLO:
                await socket.send(vla_eval.pack_message(Message(Kind.HELLO, self.hello, message.seq)))
            elif message.kind is Kind.EPISODE_START:
                self.started.append(message.payload)
            elif message.kind is Kind.EPISODE_END:
                self.ended.append(message.payload)
            else:
                given = await self._answer(message.payload)
                if not isinstance(given, bytes | str):
                    payload = given if isinstance(given, dict) else {"actions": given}
                    kind = Kind.ERROR if "error" in payload else Kind.ACTION
                    given = vla_eval.pack_message(Message(kind, payload, message.seq))
                await socket.send(given)


class OpenpiServer(Server):
    scheme = "openpi"
    metadata: dict = {"name": "fake_pi"}  # noqa: RUF012

    async def talk(self, socket):
        await socket.send(openpi.pack_map(self.metadata))
        async for frame in socket:
            given = await self._answer(openpi.unpack_map(frame))
            if not isinstance(given, bytes | str):
                given = openpi.pack_map(
                    given if isinstance(given, dict) else {"actions": given, "server_timing": {"infer_ms": 1.0}}
                )
            await socket.send(given)


class HttpServer:
    """``POST /act`` as OpenVLA's script has it: GET is answered 405, an error is the text ``error``."""

    def __init__(self, answer=lambda request, number: ACTION, status=200):
        self.requests, outer = [], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply(405 if self.path == "/act" else 404, b"{}")

            def do_POST(self):
                request = openvla.unpack_body(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                given = answer(request, len(outer.requests) - 1)
                self.reply(status, given if isinstance(given, bytes) else openvla.pack_request({"action": given}))

            def reply(self, code, body):
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/act"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def text_answer(text):
    """A body that is JSON text, for :class:`HttpServer`."""
    return json.dumps(text).encode()
