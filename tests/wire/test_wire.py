"""The messages of policy servers: recorded bytes of the released packages, and everything that is no message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("msgpack", reason="the extra remote is not installed")

import msgpack

from eval.wire import openpi, openvla, own, vla_eval
from eval.wire.errors import WireError
from eval.wire.packing import LARGEST, OPENPI, VLA_EVAL, Dialect, numbers_of, pack, unpack
from eval.wire.vla_eval import Kind, Message
from policies.base import EpisodeInfo, Observation, PolicyDescription, Proprio

OPENPI_RECORDED = bytes.fromhex(
    "83a7616374696f6e7384c40b5f5f6e6461727261795f5fc3c40464617461c418000000000000803f0000004000004040000080400000a040c40564747970"
    "65a33c6634c4057368617065920203a174cb3fe0000000000000a670726f6d7074a6707574206974"
)
"""openpi-client 0.1.2: ``msgpack_numpy.packb`` of the map that the test below expects."""
OBSERVATION_RECORDED = bytes.fromhex(
    "84a474797065ab6f62736572766174696f6ea77061796c6f616483a6696d6167657381a77072696d61727984a95f5f696d6167655f5fc3a6666f726d6174"
    "a3706e67a464617461c45089504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d0000001749444154789c6364e01492969696"
    "969666090c0c84b000147e0258abe8d1a60000000049454e44ae426082a5736861706593020303b07461736b5f6465736372697074696f6ea178a6737461"
    "74657384ab5f5f6e6461727261795f5fc3a464617461c4080000803e0000803fa56474797065a33c6634a573686170659102a373657107a974696d657374"
    "616d70cb3ff8000000000000"
)
"""vla-eval 0.8.0: ``pack_message`` of an observation, its picture as PNG."""
ACTION_RECORDED = bytes.fromhex(
    "84a474797065a6616374696f6ea77061796c6f616481a7616374696f6e7384ab5f5f6e6461727261795f5fc3a464617461c410000000000000f03f000000"
    "0000000040a56474797065a33c6638a573686170659102a373657107a974696d657374616d70cb3ff8000000000000"
)
PICTURE = (np.arange(18, dtype=np.uint8) * 9).reshape(2, 3, 3)


def test_a_recorded_map_of_openpi_is_read_and_written_byte_by_byte() -> None:
    value = openpi.unpack_map(OPENPI_RECORDED)
    assert value["prompt"] == "put it"
    assert value["t"] == 0.5
    np.testing.assert_array_equal(value["actions"], np.arange(6, dtype=np.float32).reshape(2, 3))
    assert value["actions"].dtype == np.float32
    assert openpi.pack_map(value) == OPENPI_RECORDED


def test_a_recorded_observation_of_vla_eval_is_read() -> None:
    message = vla_eval.unpack_message(OBSERVATION_RECORDED)
    assert (message.kind, message.seq, message.timestamp) == (Kind.OBSERVATION, 7, 1.5)
    np.testing.assert_array_equal(message.payload["images"]["primary"], PICTURE)
    np.testing.assert_array_equal(message.payload["states"], [0.25, 1])
    assert message.payload["task_description"] == "x"


def test_an_action_of_vla_eval_is_written_byte_by_byte() -> None:
    message = Message(Kind.ACTION, {"actions": np.array([1.0, 2.0])}, 7, 1.5)
    assert vla_eval.pack_message(message) == ACTION_RECORDED
    np.testing.assert_array_equal(vla_eval.unpack_message(ACTION_RECORDED).payload["actions"], [1, 2])


def test_an_action_by_json_numpy_is_read_alone_in_a_map_a_list_and_twice_packed() -> None:
    array = {"__numpy__": "AAAAAAAA8D8AAAAAAAAAQA==", "dtype": "<f8", "shape": [2]}  # json-numpy 2.1.1 of [1.0, 2.0]
    for answer in (array, {"action": array}, [1.0, 2.0], json.dumps(array), {"actions": [1, 2]}):
        np.testing.assert_array_equal(openvla.unpack_actions(json.dumps(answer).encode()), [1, 2])
    assert json.loads(openvla.pack_request({"image": np.array([1.0, 2.0]), "n": np.int64(3)})) == {"image": array, "n": 3}


@pytest.mark.parametrize("image_format", ["raw", "png"])
def test_pictures_come_as_they_went(image_format: Any) -> None:
    rng = np.random.default_rng(0)
    for shape in [(3, 4, 3), (3, 4, 1), (5, 2, 4)]:
        picture = rng.integers(0, 256, shape, np.uint8)
        read = unpack(pack({"p": picture}, VLA_EVAL, image_format), VLA_EVAL)
        assert isinstance(read, dict)
        np.testing.assert_array_equal(read["p"], picture)
        read["p"][0, 0, 0] = 1  # an array of its own


def array(dialect: Dialect, data: object, dtype: object, shape: object) -> bytes:
    packed: bytes = msgpack.packb({dialect.array: True, dialect.data: data, dialect.dtype: dtype, dialect.shape: shape})
    return packed


@pytest.mark.parametrize("dialect", [VLA_EVAL, OPENPI])
@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (b"12345678", "|O", [1]),
        (b"12345678", "<c8", [1]),
        (b"12345678", "|V8", [1]),
        (b"12345678", "f4,f4", [1]),
        (b"12345678", "(2,)f4", [1]),
        (b"12345678", "<M8[ns]", [1]),
        (b"12345678", "<f3", [1]),
        (b"12345678", "<f4", [3]),
        (b"12345678", "<f4", [-2]),
        (b"12345678", "<f4", [2**40, 2**40]),
        (b"12345678", "<f4", [True, 2]),
        (b"12345678", "<f4", "2"),
        (b"12345678", "<f4", [2] + [1] * 40),
        (b"12345678", None, [2]),
        ("12345678", "<f4", [2]),
        (b"", "<U0", [4]),
        (b"x", ["<f4"], [1]),
    ],
)
def test_an_array_that_is_none_is_refused(dialect: Dialect, data: object, dtype: object, shape: object) -> None:
    with pytest.raises(WireError, match="array"):
        unpack(array(dialect, data, dtype, shape), dialect)


def test_a_picture_that_is_larger_than_announced_is_not_unpacked() -> None:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (3000, 3000)).save(file, "PNG")
    for shape, data in (([2, 2, 3], file.getvalue()), ([5000, 5000, 3], file.getvalue()), ([2, 2, 3], b"\x89PNG\r\n\x1a\n")):
        for kind in ("png", "jpeg", "gif", 3):
            frame = msgpack.packb({"__image__": True, "format": kind, "data": data, "shape": shape})
            with pytest.raises(WireError, match="image"):
                unpack(frame, VLA_EVAL)


NONSENSE: list[object] = [
    b"",
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    b"\xdd\x00\xff\xff\xff" * 50,
    b"\x91" * 2000,
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\x00\x00\x00\x04\x01abcd",
    b"\xd6\xff\x00\x00\x00\x00",
    "text",
    None,
    3,
    b"\x80\x80",
    b"\x81\x90\x01",
    b"\xa1\xff",
    b"\x00",
    b"<html><script>alert(1)</script></html>",
    b"../../etc/passwd",
    b"\x80",
]


@pytest.mark.parametrize("read", [vla_eval.unpack_message, lambda data: own.read_served(openpi.unpack_map(data).get("x"))])
@pytest.mark.parametrize("data", NONSENSE)
def test_nonsense_is_refused_in_one_line_that_does_not_repeat_it(read: Callable[[object], object], data: object) -> None:
    with pytest.raises(WireError) as refused:
        read(data)
    assert "\n" not in str(refused.value)
    assert "<script" not in str(refused.value)
    assert "passwd" not in str(refused.value)


def test_whatever_happens_to_the_bytes_on_their_way_is_a_message_or_refused() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for recorded, read in ((OPENPI_RECORDED, openpi.unpack_map), (OBSERVATION_RECORDED, vla_eval.unpack_message)) * 300:
        spoilt = bytearray(recorded[: rng.integers(1, len(recorded) + 1)])
        for place in rng.integers(0, len(spoilt), rng.integers(0, 4)):
            spoilt[place] = rng.integers(0, 256)
        try:
            read(bytes(spoilt))
        except WireError:
            refused += 1
    assert 300 < refused < 600


def test_a_message_that_is_too_large_is_not_looked_at() -> None:
    for read in (openpi.unpack_map, vla_eval.unpack_message, openvla.unpack_body):
        with pytest.raises(WireError, match="more than"):
            read(bytes(LARGEST + 1))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"error",
        b'"error"',
        b"{}",
        b"null",
        b"[[1,",
        b'{"__numpy__": "=", "dtype": "<f4", "shape": [1]}',
        b'{"__numpy__": "AA==", "dtype": "|O", "shape": [1]}',
        b"<html>",
        b'{"error": "x"}',
    ],
)
def test_an_answer_over_http_without_an_action_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        openvla.unpack_actions(body)


@pytest.mark.parametrize("value", ["up", None, [1, "x"], [[1, 2], [3]], np.array([1, np.nan]), [float("inf")], b"1", {"a": 1}])
def test_numbers_are_finite_numbers(value: object) -> None:
    with pytest.raises(WireError, match="the action"):
        numbers_of(value, "the action")


def test_what_our_client_and_server_say_to_each_other_comes_as_it_went() -> None:
    info = EpisodeInfo("e", "t", "widowx", "put <b>", 60, 5, 3, 1)
    proprio = Proprio(np.arange(3, dtype=np.float32), np.arange(4, dtype=np.float32), 0.1, np.arange(8, dtype=np.float32))
    observation = Observation("e", 2, "widowx", "put <b>", PICTURE, proprio)
    sent = {own.KEY: {"info": own.episode_map(info), "seen": own.observation_map(observation)}, "image": PICTURE}
    for dialect in (VLA_EVAL, OPENPI):
        came: Any = unpack(pack(sent, dialect), dialect)
        assert own.read_episode(came[own.KEY]["info"]) == info
        read = own.read_observation(came[own.KEY]["seen"], came["image"], "put <b>")
        assert (read.episode, read.step, read.robot, read.instruction) == ("e", 2, "widowx", "put <b>")
        assert read.proprio.gripper_opening == proprio.gripper_opening
        np.testing.assert_array_equal(read.proprio.qpos, proprio.qpos)
        for value in (None, {}, [], {**came[own.KEY]["seen"], "step": True}, {**came[own.KEY]["seen"], "robot": "x"}):
            with pytest.raises(WireError):
                own.read_observation(value, came["image"], "")


def test_who_is_served_is_told_without_places() -> None:
    said = own.Served(policy=PolicyDescription(name="mine", weights="ab", details={"checkpoint": "/home/me"}))
    told = own.served_map(said)
    assert "/home/me" not in str(told)
    assert own.read_served(told).policy.identity == said.policy.identity
    with pytest.raises(WireError, match="version 2"):
        own.read_served({**told, "version": 2})
