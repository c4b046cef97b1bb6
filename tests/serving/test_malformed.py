"""Whatever comes over the wire: no fault of the server, nobody else is disturbed, nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import socket
import struct
import threading
import time

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_frames import odd_frame
from serving import PICTURE, Kept, OpenpiClient, VlaClient, served
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.client import connect

from eval.serving.listener import READERS
from eval.wire.vla_eval import Kind, Message, pack_message, unpack_message

SECONDS = float(os.environ.get("SIMPLER_EVAL_FUZZ_SECONDS", "30"))


def frame(**parts: object) -> bytes:
    whole = {"type": "observation", "payload": {}, "seq": 1, "timestamp": 1.0} | parts
    return msgpack.packb({key: value for key, value in whole.items() if value is not ...}, use_bin_type=True)


def array(**parts: object) -> dict[str, object]:
    return {"__ndarray__": True, "data": bytes(48), "dtype": "|u1", "shape": [4, 4, 3], **parts}


DEEP = b"\x91" * 100_000
WRONG: dict[str, bytes | str] = {
    "nothing": b"",
    "text": "hello",
    "markup": "<script>alert(1)</script>",
    "zeros": bytes(100),
    "noise": random.Random(0).randbytes(5000),
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "deep": DEEP,
    "half a frame": frame()[:-3],
    "two frames": frame() * 2,
    "a list": msgpack.packb([1, 2]),
    "a number": msgpack.packb(3),
    "no type": frame(type=...),
    "no payload": frame(payload=...),
    "no seq": frame(seq=...),
    "type of a server": frame(type="action"),
    "unknown type": frame(type="shell"),
    "type is a map": frame(type={"a": 1}),
    "type is an array": frame(type=array()),
    "payload is a list": frame(payload=[1]),
    "payload has numbers for keys": frame(payload={1: 2}),
    "seq is a text": frame(seq="1"),
    "seq is infinite": frame(seq=float("inf")),
    "timestamp is a text": frame(timestamp="now"),
    "objects": frame(payload={"images": array(dtype="|O")}),
    "a structure": frame(payload={"images": array(dtype="f4,(1000000000,)f8")}),
    "a void": frame(payload={"images": array(dtype="|V100000000")}),
    "a date": frame(payload={"images": array(dtype="<M8[ns]")}),
    "declared huge": frame(payload={"images": array(shape=[2**31, 2**31, 3])}),
    "declared overflowing": frame(payload={"images": array(shape=[2**62, 2**62, 2**62])}),
    "declared negative": frame(payload={"images": array(shape=[-1, 4, 3])}),
    "declared otherwise": frame(payload={"images": array(shape=[4, 4, 4])}),
    "many dimensions": frame(payload={"images": array(shape=[1] * 1000)}),
    "no data": frame(payload={"images": array(data=None)}),
    "a picture that is none": frame(payload={"i": {"__image__": True, "format": "png", "data": b"x", "shape": [9, 9, 3]}}),
    "a picture of a path": frame(
        payload={"i": {"__image__": True, "format": "../../etc/passwd", "data": b"", "shape": [9, 9, 3]}}
    ),
    "a picture of a huge size": frame(
        payload={"i": {"__image__": True, "format": "png", "data": b"", "shape": [10**9, 10**9, 3]}}
    ),
    "long list": frame(payload={"a": [0] * 20_000}),
    "list that claims to be long": b"\xdd\xff\xff\xff\xff",
    "extension": msgpack.packb(msgpack.ExtType(5, b"abc")),
}
HARMLESS: dict[str, dict[str, object]] = {
    "episode is markup": {"name": "<img src=x onerror=alert(1)>"},
    "episode is a path": {"name": "../../../etc/passwd", "episode": "/etc/passwd"},
    "episode is control characters": {"name": "\x1b[2J\x07\r\n", "episode": "\x00"},
    "episode number is huge": {"episode_idx": 2**63},
    "episode number is negative": {"episode_idx": -1},
    "steps are none": {"max_steps": 0},
    "seed is a list": {"seed": [1]},
    "repeat is a map": {"repeat": {}},
    "a name too long": {"name": "x" * 10_000},
    "our own key with nonsense": {"simpler_eval": {"episode": 3}},
}


def counts() -> tuple[int, int]:
    """Open files and threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def settled(before: tuple[int, int]) -> tuple[int, int]:
    for _ in range(100):
        gc.collect()
        if all(now <= then for now, then in zip(counts(), before, strict=True)):
            break
        time.sleep(0.05)
    return counts()


@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
def test_a_frame_that_cannot_be_read_costs_its_sender_alone(protocol):
    log = Kept()
    with served("random", log=log, protocol=protocol, message_mb=1) as server:
        good = VlaClient(server.url) if protocol == "vla-eval" else OpenpiClient(server.url)
        good.begin() if isinstance(good, VlaClient) else good.infer()
        files, threads = counts()
        before = files, threads + READERS - 1  # those that read messages begin as they are needed; one has
        for name, data in {**WRONG, "oversized": bytes(3 * 2**20)}.items():
            with connect(server.url, proxy=None, max_size=None) as socket:
                if protocol == "openpi":
                    socket.recv(timeout=10)
                said = ""
                with contextlib.suppress(ConnectionClosed):
                    socket.send(data)
                    said = socket.recv(timeout=10)
                text = said if isinstance(said, str) else str(unpack_message(said).payload)
                assert len(text.splitlines()) <= 1, name
                assert not any(part in text for part in ("Traceback", "/", "File", "script")), (name, text)
        answer = good.look() if isinstance(good, VlaClient) else good.infer()
        assert isinstance(answer, dict)
        assert "actions" in answer
        now = settled(before)
        assert now[0] <= before[0]
        assert now[1] <= before[1]
        assert not any("fault of the server" in line for line in log.lines), log.lines
        good.close()


@pytest.mark.parametrize("task", HARMLESS.values(), ids=HARMLESS)
def test_odd_words_in_an_episode_are_an_answer_like_any_other(task):
    log = Kept()
    with served("random", log=log) as server:
        client = VlaClient(server.url)
        client.begin(**task)
        answer = client.look()
        assert ("actions" in answer) != ("error" in answer)
        client.say(Kind.EPISODE_START, {"simpler_eval": {"episode": "x"}, "task": "no map"})
        assert "error" in client.look()
        client.begin()
        assert "actions" in client.look()
        client.close()
    assert not any("fault of the server" in line for line in log.lines), log.lines


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("ws://").rsplit(":", 1)
    return host, int(port)


def test_connections_that_end_in_the_middle_leave_nothing_behind():
    log = Kept()
    with served("random", log=log) as server:
        good = VlaClient(server.url)
        good.begin()
        before = counts()
        for data in (
            b"",
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"POST /health HTTP/1.1\r\n\r\n",
            os.urandom(4000),
        ):
            with socket.create_connection(address(server.url)) as raw:
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)  # half closed
                raw.settimeout(15)
                with contextlib.suppress(OSError):
                    while raw.recv(4096):
                        pass
        for cut in (3, 50, None):
            with contextlib.suppress(OSError, ConnectionClosed, InvalidMessage), connect(server.url, proxy=None) as client:
                message = pack_message(Message(Kind.OBSERVATION, {"images": {"primary": PICTURE}}, 1))
                if cut is None:
                    client.send(pack_message(Message(Kind.EPISODE_START, {"task": {"robot": "widowx"}}, 1)))
                    client.send(message)
                else:  # of a frame that announces more
                    client.socket.sendall(b"\x82\xff" + struct.pack("!Q", len(message)) + bytes(4) + message[:cut])
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no goodbye
                client.socket.close()
        assert "actions" in good.look()
        now = settled(before)
        assert now[0] <= before[0] + 1
        for _ in range(100):
            if server.listener.connections == 1:
                break
            time.sleep(0.05)
        assert server.listener.connections == 1
        assert not any("fault of the server" in line for line in log.lines), log.lines
        good.close()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
def test_fuzz(protocol):
    """``SIMPLER_EVAL_FUZZ_SECONDS`` says for how long, both protocols together."""
    log = Kept()
    with served("random", log=log, protocol=protocol) as server:
        good = VlaClient(server.url) if protocol == "vla-eval" else OpenpiClient(server.url)
        good.begin() if isinstance(good, VlaClient) else good.infer()
        before, end, sent = counts(), time.monotonic() + SECONDS / 2, [0]

        @settings(max_examples=100, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(st.integers(0, 2**64))
        def send(seed):
            generator = random.Random(seed)
            if time.monotonic() > end:
                return
            with (
                contextlib.suppress(ConnectionClosed, TimeoutError),
                connect(server.url, proxy=None, close_timeout=2) as client,
            ):
                for _ in range(generator.randrange(1, 9)):
                    sent[0] += 1
                    client.send(odd_frame(generator))
                while True:
                    client.recv(timeout=0.01)

        while time.monotonic() < end:
            send()
            answer = good.look() if isinstance(good, VlaClient) else good.infer()
            assert "actions" in answer
        now = settled(before)
        print(f"{protocol}: {sent[0]} frames; files {before[0]} -> {now[0]}, threads {before[1]} -> {now[1]}")
        assert sent[0] > 100
        assert now[0] <= before[0] + 2
        assert not any("fault of the server" in line for line in log.lines), [x for x in log.lines if "fault of" in x][:1]
        good.close()


def test_our_arrays_reach_the_policy_as_they_were_sent():
    """The pictures of the fuzzer are read, so that what it sends is not refused at the door."""
    with served("random") as server:
        client = VlaClient(server.url)
        client.begin()
        assert "actions" in client.look(images={"primary": np.zeros((16, 16, 3), np.uint8)}, states=np.zeros(8))
        client.close()
