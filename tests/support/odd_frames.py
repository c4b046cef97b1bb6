"""Frames that nobody should send, from a seed: half of them nearly right, half of them noise."""

from __future__ import annotations

import random

import msgpack

KEYS = (
    "images", "primary", "task", "task_description", "robot", "episode", "episode_idx", "seed", "simpler_eval", "info", "step",
    "states", "state", "qpos", "name", "reset", "prompt", "observation/image", "max_steps", "ended", "proprio", "metrics",
    "success", "instruction", "control_freq", "repeat", "benchmark", "image", "tcp_position", "gripper_opening",
)  # fmt: skip
KINDS = ("hello", "observation", "action", "episode_start", "episode_end", "error")
DTYPES = ("|u1", "<f4", "<f8", "|O", "<c8", "|V8", "<U2", "i4,i4", "|u1", "<M8[ns]", "f4,(9,)f8", "", "u1" * 300)
TEXTS = ("widowx", "google_robot", "e", "", " ", "<b>x</b>", "../../etc/passwd", "\x00\x1b[2J", "\ud7ff\uffff", "x" * 3000)
NUMBERS = (0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**63), 1.5, float("nan"), float("inf"), -0.0, True, False, None)


def odd_frame(generator: random.Random) -> bytes | str:
    """A frame for either protocol."""
    kind = generator.random()
    if kind < 0.1:
        return generator.randbytes(generator.randrange(300))
    if kind < 0.15:
        return generator.choice(TEXTS)
    value: object = _map(generator, 0)
    if kind < 0.8:
        value = {"type": generator.choice(KINDS), "payload": value, "seq": generator.randrange(99), "timestamp": 0.5}
        if kind < 0.25:
            value[generator.choice(["type", "payload", "seq", "timestamp", "more"])] = _value(generator, 1)
    packed: bytes = msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass")
    if kind > 0.95:  # bytes are lost or turned
        cut = bytearray(packed[: generator.randrange(1, len(packed) + 1)])
        for _ in range(generator.randrange(4)):
            cut[generator.randrange(len(cut))] = generator.randrange(256)
        return bytes(cut)
    return packed


def _value(generator: random.Random, depth: int) -> object:
    choice = generator.randrange(9)
    if choice < 2:
        return generator.choice(TEXTS)
    if choice < 4:
        return generator.choice(NUMBERS)
    if choice == 4:
        return _array(generator)
    if choice == 5:
        return _image(generator)
    if depth > 3:
        return generator.randbytes(generator.randrange(20))
    if choice == 6:
        return [_value(generator, depth + 1) for _ in range(generator.randrange(4))]
    return _map(generator, depth + 1)


def _map(generator: random.Random, depth: int) -> dict[object, object]:
    entries: dict[object, object] = {
        generator.choice(KEYS): _value(generator, depth + 1) for _ in range(generator.randrange(1, 6))
    }
    if generator.random() < 0.5:  # what lets it get further
        entries |= {"robot": "widowx", "images": {"primary": _right(generator)}}
    if generator.random() < 0.05:
        entries[generator.choice([1, None, b"x", 2.5])] = 1
    return entries


def _right(generator: random.Random) -> dict[object, object]:
    keys = ["__ndarray__", "data", "dtype", "shape"]
    named = [key.encode() for key in keys] if generator.random() < 0.5 else keys
    return dict(zip(named, [True, bytes(16 * 16 * 3), "|u1", [16, 16, 3]], strict=True))


def _array(generator: random.Random) -> dict[object, object]:
    array = _right(generator)
    for key in [*array]:
        if generator.random() < 0.3:
            sides = [generator.choice([-1, 0, 3, 2**40, 2**62]) for _ in range(3)]
            array[key] = generator.choice([generator.choice(DTYPES), generator.choice(NUMBERS), sides, generator.randbytes(9)])
    return array


def _image(generator: random.Random) -> dict[object, object]:
    image: dict[object, object] = {"__image__": True, "format": "png", "data": b"\x89PNG\r\n\x1a\n", "shape": [16, 16, 3]}
    image[generator.choice([*image])] = generator.choice([*TEXTS, *NUMBERS, b"", [10**9, 10**9, 3], [0, 0, 3]])
    return image
