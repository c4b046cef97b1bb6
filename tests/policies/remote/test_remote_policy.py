"""A policy behind a wire, asked directly: what is sent, what comes of the answers, and what of nonsense."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

for package in ("websockets", "msgpack", "httpx"):
    pytest.importorskip(package, reason="the extra remote is not installed")

from fake_servers import ACTION, HttpServer, OpenpiServer, VlaEvalServer, text_answer
from observations import episode_info, observation

from eval.errors import EpisodeLost, UserError
from eval.wire import openpi, vla_eval
from eval.wire.packing import LARGEST
from policies.base import EpisodeResult, Proprio
from policies.registry import describe, load_policy

SERVERS = {"vla-eval": VlaEvalServer, "openpi": OpenpiServer, "http": HttpServer}
CAMERA = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def seen(step=0, episode="e", **changes):
    return replace(observation(step, episode=episode), **{"image": CAMERA, "proprio": proprio(), **changes})


def proprio():
    return Proprio(np.arange(3, dtype=np.float32), np.array([1, 0, 0, 0], np.float32), 0.25, np.zeros(8, np.float32))


@pytest.fixture
def policy():
    """``load_policy`` whose policies are closed afterwards."""
    made = []

    def load(url, **options):
        made.append(load_policy(url, options))
        return made[-1]

    yield load
    for one in made:
        one.close()


@pytest.mark.parametrize("protocol", SERVERS)
def test_an_observation_goes_there_and_an_action_comes_back(policy, protocol):
    with SERVERS[protocol]() as server:
        remote = policy(server.url, **({"rotation": "rotation_vector"} if protocol != "vla-eval" else {}))
        remote.reset([episode_info()])
        (action,) = remote.act([seen()])
        np.testing.assert_allclose(action.command, ACTION)
        remote.end([episode_info()], [EpisodeResult("success", 1)])


def test_vla_eval_is_sent_what_its_own_benchmark_sends(policy):
    with VlaEvalServer() as server:
        server.hello = {**server.hello, "observation_params": {"send_state": True}}
        remote = policy(server.url)
        remote.reset([episode_info()])
        remote.act([seen()])
        remote.end([episode_info()], [EpisodeResult("success", 7)])
        remote.close()
        (sent,) = server.observations
        assert sent.keys() == {"images", "task_description", "task_name", "tcp_pose", "base_pose", "states"}
        np.testing.assert_array_equal(sent["images"]["primary"], CAMERA)
        np.testing.assert_array_equal(sent["states"], [0, 1, 2, 1, 0, 0, 0, 0.25])
        np.testing.assert_array_equal(sent["base_pose"], [0, 0, 0, 1, 0, 0, 0])
        assert server.started[0]["task"]["task_description"] == "do"
        assert server.ended == [{"metrics": {"success": True}, "steps": 7, "elapsed_sec": 0.0}]


def test_http_is_sent_what_openvla_takes(policy):
    with HttpServer() as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        remote.act([seen()])
        (sent,) = server.requests
        assert sent.keys() == {"image", "instruction", "unnorm_key"}
        assert sent["image"].shape == (224, 224, 3)
        assert (sent["instruction"], sent["unnorm_key"]) == ("do", "bridge_orig")


def test_openpi_is_sent_the_keys_of_its_family_and_chunks_are_played(policy):
    rows = np.tile(ACTION, (4, 1)) + np.arange(4)[:, None] / 100
    with OpenpiServer(lambda observation, number: rows) as server:
        remote = policy(server.url, chunk="2", rotation="rotation_vector")
        remote.reset([episode_info()])
        played = [remote.act([seen(step)])[0].command[:6] for step in range(5)]
        np.testing.assert_allclose(played, rows[[0, 1, 0, 1, 0], :6])
        assert len(server.observations) == 3
        assert server.observations[0].keys() == {"observation/image", "observation/state", "prompt"}
        assert server.observations[0]["observation/image"].shape == (224, 224, 3)
        remote.reset([episode_info()])  # begun anew: nothing is left of the last answer
        remote.act([seen()])
        assert len(server.observations) == 4


def test_starvla_is_asked_in_its_own_form(policy):
    with OpenpiServer(lambda observation, number: {"ok": True, "data": {"actions": ACTION[None, None]}}) as server:
        remote = policy(server.url, family="starvla", ensemble="none")
        remote.reset([episode_info()])
        assert not isinstance(remote.act([seen()])[0], EpisodeLost)
        sent = server.observations[0]
        assert sent["examples"][0]["lang"] == "do"
        assert sent["examples"][0]["image"][0].shape == (224, 224, 3)
        assert sent["unnorm_key"] == "oxe_bridge"


@pytest.mark.parametrize("size", [96, [80, 96]])
def test_images_have_the_size_that_a_server_asks_for_unless_the_user_does(policy, size):
    with OpenpiServer() as server:
        server.metadata = {"image_size": size}
        for options, shape in (({}, (96 if size == 96 else 80, 96, 3)), ({"image_size": "32x48"}, (32, 48, 3))):
            remote = policy(server.url, **options)
            remote.reset([episode_info()])
            remote.act([seen()])
            assert server.observations[-1]["observation/image"].shape == shape


def test_a_server_of_vla_eval_that_says_sticky_or_absolute_is_heeded(policy):
    with VlaEvalServer() as server:
        server.hello = {**server.hello, "observation_params": {"gripper_mode": "sticky"}}
        remote = policy(server.url)
        remote.reset([episode_info(robot="google_robot")])
        assert remote.act([seen(robot="google_robot")])[0].command[6] == -1.0  # 1 is open: a change that opens
        server.hello = {
            **server.hello,
            "observation_params": {"control_mode": "arm_pd_ee_target_base_pose_gripper_x"},
        }
        assert policy(server.url).family.motion == "absolute"
        server.hello = {**server.hello, "observation_params": {"control_mode": "arm_pd_ee_target_delta_pose_align2_gripper_x"}}
        assert policy(server.url).family.motion == "change"


def test_arrays_in_the_place_of_words_are_no_words(policy):
    arrays = {"gripper_mode": np.zeros(3), "control_mode": np.zeros(3)}
    with VlaEvalServer() as server:
        spec = {"rotation": {"format": np.zeros(3)}}
        server.hello = {**server.hello, "observation_params": arrays, "action_spec": spec}
        assert policy(server.url).family == policy(server.url, family="vla-eval").family
        server.hello = {**server.hello, "protocol_version": np.ones(3, int)}
        with pytest.raises(UserError, match="it speaks version a ndarray of the protocol"):
            policy(server.url)
    with OpenpiServer(lambda observation, number: {"error": np.zeros(3)}) as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        assert "no actions" in str(remote.act([seen()])[0])


@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
def test_many_episodes_are_asked_at_the_same_time(policy, protocol):
    together = []

    async def slow(observation, number):
        together.append(number)
        while len(together) < 8:  # comes back when all eight have asked
            await asyncio.sleep(0.001)
        return ACTION

    names = [f"e{number}" for number in range(8)]
    with SERVERS[protocol](slow) as server:
        remote = policy(server.url)
        remote.reset([episode_info(name) for name in names])
        assert not [action for action in remote.act([seen(episode=name) for name in names]) if isinstance(action, EpisodeLost)]
        assert server.most_open == 8
        remote.end([episode_info(name) for name in names], [EpisodeResult("success", 1)] * 8)
        remote.reset([episode_info("next")])
        assert server.connections == 8, "connections are used again"


def test_openpi_is_content_with_the_connections_that_it_gets(policy):
    async def slow(observation, number):
        await asyncio.sleep(0.02)
        return ACTION

    names = [f"e{number}" for number in range(6)]
    with OpenpiServer(slow, most_connections=2) as server:
        remote = policy(server.url)
        remote.reset([episode_info(name) for name in names])
        assert not [action for action in remote.act([seen(episode=name) for name in names]) if isinstance(action, EpisodeLost)]
        assert server.most_open == 2


NONSENSE = {
    "wrong shape": (np.zeros(8), r"actions of shape \(8,\)"),
    "no rows": (np.zeros((0, 7)), "shape"),
    "nan": (np.full(7, np.nan), "not finite"),
    "inf": (np.array([1, 2, 3, 4, 5, 6, np.inf]), "not finite"),
    "text": ({"actions": "up"}, "not numbers"),
    "nothing": ({}, "no actions"),
    "nested": ({"actions": {"x": 1}}, "not numbers|cannot be read"),
    "arrays for words": ({"error": np.zeros(3), "message": np.zeros(3)}, "says|no actions"),
    "markup": (b"<html><script>alert(1)</script></html>", "nonsense"),
    "a text frame": ("Traceback:\n  File /home/x.py\nValueError: [red]no[/red] \x1b[31m", "says|text where bytes"),
    "too large": (bytes(LARGEST + 1), "more than|lost"),
}


@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_costs_the_episode_one_line_and_the_next_one_is_played(policy, protocol, kind):
    given, expected = NONSENSE[kind]
    with SERVERS[protocol](lambda observation, number: given if number == 0 else ACTION) as server:
        remote = policy(server.url)
        remote.reset([episode_info("bad")])
        (lost,) = remote.act([seen(episode="bad")])
        assert isinstance(lost, EpisodeLost)
        with pytest.raises(EpisodeLost, match=expected):
            raise lost
        assert len(str(lost).splitlines()) == 1
        assert str(lost).isprintable()
        assert "<script" not in str(lost)
        assert "/home" not in str(lost)
        remote.end([episode_info("bad")], [EpisodeResult("errored", 0)])
        remote.reset([episode_info("good")])
        assert not isinstance(remote.act([seen(episode="good")])[0], EpisodeLost)


def test_one_bad_answer_of_a_batch_costs_its_own_episode_alone(policy):
    with VlaEvalServer(
        lambda o, number: {"error": "observation_failed: OOM"} if o["task_description"] == "bad" else ACTION
    ) as server:
        remote = policy(server.url)
        infos = [replace(episode_info(text), instruction=text) for text in ("good", "bad")]
        remote.reset(infos)
        good, bad = remote.act([seen(episode=text, instruction=text) for text in ("good", "bad")])
        np.testing.assert_allclose(good.command, ACTION)
        assert "says: observation_failed: OOM" in str(bad)


@pytest.mark.parametrize("protocol", SERVERS)
def test_a_server_that_hangs_is_given_up_after_the_time_that_was_set(policy, protocol):
    hold = threading.Event()

    async def hangs(observation, number):
        await asyncio.sleep(1.5)

    with SERVERS[protocol](hangs if protocol != "http" else lambda request, number: hold.wait(1.5)) as server:
        remote = policy(server.url, timeout="0.3")
        remote.reset([episode_info()])
        begun = time.monotonic()
        (lost,) = remote.act([seen()])
        hold.set()
        assert time.monotonic() - begun < 1.2
        assert "did not answer within 0.3 s" in str(lost)
        assert lost.silent


@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
def test_a_server_that_dies_is_said_and_asked_again_when_it_is_back(policy, protocol):
    kind = SERVERS[protocol]
    with kind() as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        remote.act([seen()])
    (lost,) = remote.act([seen(1)])
    assert "127.0.0.1" in str(lost)
    remote.end([episode_info()], [EpisodeResult("errored", 1)])
    with pytest.raises(EpisodeLost, match="nobody answers at"):
        remote.reset([episode_info("next")])
    with kind(port=server.port):
        remote.reset([episode_info("next")])
        assert not isinstance(remote.act([seen(episode="next")])[0], EpisodeLost)


def test_another_model_at_the_same_address_is_noticed(policy):
    with OpenpiServer() as server:
        remote = policy(server.url)
    with OpenpiServer(port=server.port) as other:
        other.metadata = {"name": "another"}
        with pytest.raises(EpisodeLost, match="another server than when the run began"):
            remote.reset([episode_info()])


@pytest.mark.parametrize("status", [404, 500])
def test_an_http_error_is_said(policy, status):
    with HttpServer(status=status) as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        assert f"HTTP {status}" in str(remote.act([seen()])[0])


@pytest.mark.parametrize("status", [302, 502, 503])
def test_a_proxy_without_a_server_behind_it_begins_no_run(status):
    with ThreadingHTTPServer(("127.0.0.1", 0), _answering(status, {"Location": "http://127.0.0.1:9/act"})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UserError, match=f"answered HTTP {status}.* (elsewhere|behind it)"):
            load_policy(f"http://127.0.0.1:{server.server_port}/act")
        server.shutdown()


@pytest.mark.parametrize("protocol", ["vla-eval", "openpi"])
def test_nobody_is_followed_to_another_server(monkeypatch, protocol):
    """What proves who asks is for the one that was named, and so are the images."""
    monkeypatch.setenv("SIMPLER_EVAL_AUTHORIZATION", "Bearer secret")
    with SERVERS[protocol]() as other:
        moved = _answering(302, {"Location": f"ws://127.0.0.1:{other.port}"})
        with ThreadingHTTPServer(("127.0.0.1", 0), moved) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with pytest.raises(UserError, match=f"answered HTTP 302 .*: it is at ws://127.0.0.1:{other.port} now"):
                load_policy(f"{protocol}://127.0.0.1:{server.server_port}")
            server.shutdown()
        assert other.connections == 0


def _answering(status, headers):
    """A handler that answers all requests in the same way."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler


def test_openvlas_own_word_for_an_error_is_known(policy):
    with HttpServer(lambda request, number: text_answer("error")) as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        assert "its own log says why" in str(remote.act([seen()])[0])
    with HttpServer() as server, pytest.raises(UserError, match="HTTP 404; is the path right"):
        load_policy(server.url.replace("/act", "/wrong"))


@pytest.mark.parametrize("url", ["vla-eval://127.0.0.1:9", "openpi://127.0.0.1:9", "http://127.0.0.1:9/act"])
def test_a_server_that_is_not_there_is_one_line_that_says_how_to_start_one(url):
    with pytest.raises(UserError, match=r"nobody answers at .*127\.0\.0\.1:9.*starts one.*wait=SECONDS"):
        load_policy(url)


def test_a_server_of_vla_eval_that_is_taken_for_openpis_is_known_by_its_silence(monkeypatch):
    monkeypatch.setattr("policies.remote.openpi.METADATA_SECONDS", 0.2)
    with (
        VlaEvalServer() as server,
        pytest.raises(UserError, match=r"waits to be spoken to, as vla-eval's servers do \(vla-eval:"),
    ):
        load_policy(server.url.replace("vla-eval", "openpi"))


def test_who_stops_waiting_for_a_server_hears_nothing_of_tasks(tmp_path):
    """Ctrl-C while it loads."""
    with VlaEvalServer() as server:
        code = f"""
import os, signal, threading
from policies.registry import load_policy
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    load_policy("openpi://127.0.0.1:{server.port}")
except KeyboardInterrupt:
    print("stopped")
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_a_server_that_comes_later_is_waited_for(policy):
    with OpenpiServer() as gone:
        pass
    later = OpenpiServer(port=gone.port)
    threading.Timer(0.5, later.__enter__).start()
    remote = policy(gone.url, wait="10")
    assert remote.describe().name == "fake_pi"
    later.__exit__()


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        ("vlaeval://h:1", {}, 'Did you mean "vla-eval"'),
        ("vla-eval://", {}, "no host"),
        ("vla-eval://h:99999", {}, "no readable host and port"),
        ("vla-eval://h:0", {}, "port 0, at which nobody"),
        ("localhost:8000", {}, "write vla-eval://localhost:8000, openpi://localhost:8000 or http://localhost:8000/act"),
        ("http:[::1]:8000/act", {}, r"write vla-eval://\[::1\]:8000, "),
        (f"openpi://{'a' * 80}:1", {}, "nobody answers at .* no such name of a host"),
        ("http://me:secret@h/act", {}, "SIMPLER_EVAL_AUTHORIZATION"),
        ("http://h/act?token=secret", {}, "SIMPLER_EVAL_AUTHORIZATION"),
        ("openpi://h:1", {"family": "cogactt"}, 'Did you mean "cogact"'),
        ("openpi://h:1", {"family": "x-vla"}, "not spoken over openpi"),
        ("openpi://h:1", {"image_format": "png"}, "no effect"),
        ("openpi://h:1", {"unnorm_key": "k"}, "no effect"),
        ("openpi://h:1", {"image_size": "big"}, "no size"),
        ("openpi://h:1", {"image_size": "0"}, "1 to 4096"),
        ("openpi://h:1", {"chunk": "0"}, "chunk is 0"),
        ("openpi://h:1", {"chunk": "2", "ensemble": "mean"}, "exclude each other"),
        ("openpi://h:1", {"ensemble": "cosin"}, 'Did you mean "cosine"'),
        ("openpi://h:1", {"timeout": "-1"}, "timeout is -1"),
        ("openpi://h:1", {"rotation": "quat"}, "rotation"),
        ("openpi://h:1", {"famly": "cogact"}, 'Did you mean "family"'),
        ("vla-eval://h:1", {"family": "missing.yaml"}, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_line(url, options, expected):
    with pytest.raises(UserError, match=expected) as refused:
        load_policy(url, options)
    assert "secret" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_what_is_recorded_is_the_model_and_neither_its_place_nor_a_secret(policy, monkeypatch):
    monkeypatch.setenv("SIMPLER_EVAL_AUTHORIZATION", "Bearer hunter2")
    descriptions = []
    for started in (1.0, 2.0):
        with OpenpiServer() as server:
            server.metadata = {
                "name": "pi <b>\x1b[31m", "config": {"lr": 0.1, "stats": np.arange(3.0)}, "hostname": f"node{started}",
                "start_time": started, "api_key": "hunter2", "notes": "x" * 5000,
            }  # fmt: skip
            descriptions.append(describe(policy(server.url)))
            assert server.headers[0]["Authorization"] == "Bearer hunter2"
    first, second = descriptions
    assert first.identity == second.identity
    assert first.details["address"] != second.details["address"]
    text = first.model_dump_json()
    assert "hunter2" not in text
    assert "127.0.0.1" not in first.identity.model_dump_json()
    assert first.settings["server"]["config"] == {"lr": 0.1, "stats": [0.0, 1.0, 2.0]}
    assert first.name.isprintable()
    assert "does not say its weights" in first.remarks[0]
    with OpenpiServer() as server:
        server.metadata = {"name": "pi", "config": {"lr": 0.2}}
        assert describe(policy(server.url)).identity != first.identity
        assert describe(policy(server.url, family="gr00t")).identity != describe(policy(server.url)).identity
        assert describe(policy(server.url, name="mine")).name == "mine"


def test_a_next_subtask_begins_with_a_new_answer(policy):
    with OpenpiServer(lambda observation, number: np.tile(ACTION, (8, 1))) as server:
        remote = policy(server.url)
        remote.reset([episode_info()])
        remote.act([seen(0)])
        remote.act([seen(1, instruction="then this")])
        assert [sent["prompt"] for sent in server.observations] == ["do", "then this"]


def test_an_episode_that_nobody_began_is_refused(policy):
    with OpenpiServer() as server:
        assert isinstance(policy(server.url).act([seen()])[0], EpisodeLost)


def test_messages_that_the_fakes_send_are_those_of_the_protocols():
    """The fakes use our codecs, whose bytes are compared with recorded ones in tests/wire."""
    assert openpi.unpack_map(openpi.pack_map({"a": 1})) == {"a": 1}
    assert vla_eval.unpack_message(vla_eval.pack_message(vla_eval.Message(vla_eval.Kind.HELLO))).payload == {}
