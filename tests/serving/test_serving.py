"""What clients of a served policy notice, in both protocols."""

from __future__ import annotations

import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
from serving import PICTURE, Kept, OpenpiClient, VlaClient, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from eval.errors import UserError
from eval.serving.conventions import SIMPLER_BENCHMARK
from eval.wire.vla_eval import Kind
from policies.base import EpisodeInfo, Observation, Proprio
from policies.random import RandomPolicy

REMEMBERS = f"{__file__.rsplit('/', 2)[0]}/support/serving.py:Remembers"


@pytest.fixture
def noted(monkeypatch):
    """What the policy was asked, and the gate that it waits at."""
    notes: dict[str, list] = {"batches": [], "ended": [], "reset": []}
    monkeypatch.setitem(sys.__dict__, "_served_notes", notes)
    monkeypatch.setitem(sys.__dict__, "_served_gate", threading.Event())
    return notes


def get(url: str) -> tuple[int, str, bytes]:
    with urllib.request.urlopen(url.replace("ws:", "http:"), timeout=10) as answer:
        return answer.status, answer.headers["Content-Type"], answer.read()


def locally(seed: int, episode: str, steps: int) -> list[np.ndarray]:
    policy = RandomPolicy()
    policy.reset([EpisodeInfo(episode, "t", "widowx", "do it", 80, 5, seed)])
    nothing = np.zeros(3, np.float32)
    seen = [Observation(episode, n, "widowx", "do it", None, Proprio(nothing, nothing, 0.0, nothing)) for n in range(steps)]
    return [policy.act([one])[0].command for one in seen]


def test_a_vla_eval_client_gets_the_actions_of_the_policy_to_the_last_bit():
    with served("random") as server:
        client = VlaClient(server.url, benchmark="mine:Bench")
        assert client.hello["model_server"] == "random"
        assert client.hello["action_spec"]["rotation"]["format"] == "axis_angle"
        for episode in ("a", "b"):
            client.begin(episode=episode, seed=7)
            answers = [client.look() for _ in range(4)]
            client.say(Kind.EPISODE_END, {"metrics": {"success": True}})
            for answer, expected in zip(answers, locally(7, episode, 4), strict=True):
                np.testing.assert_array_equal(answer["actions"], expected)
                assert answer["terminate"] is False
        client.close()


def test_an_openpi_client_gets_the_same_as_a_chunk_of_one():
    with served("random", protocol="openpi") as server:
        client = OpenpiClient(server.url)
        assert client.metadata["simpler_eval"]["robots"] == ["google_robot", "widowx"]
        for episode in ("a", "b"):
            answers = [client.infer(episode={"episode": episode, "seed": 7}) for _ in range(3)]
            for answer, expected in zip(answers, locally(7, episode, 3), strict=True):
                np.testing.assert_array_equal(answer["actions"], [expected])
        assert "prev_total_ms" in answers[-1]["server_timing"]
        client.close()


def test_episodes_begin_and_end_as_the_protocols_say(noted):
    with served(REMEMBERS) as server:
        client = VlaClient(server.url)
        assert "no episode" in client.look()["error"]
        client.begin(name="widowx_carrot_on_plate", episode_idx=5)
        assert [client.look()["actions"][0] for _ in range(2)] == [0, 1]
        client.begin(name="widowx_carrot_on_plate", episode_idx=6)  # the one before is given up
        assert client.look()["actions"][0] == 0
        client.say(Kind.EPISODE_END, {"metrics": {"success": True}})
        assert "no episode" in client.look()["error"]
        client.begin()
        client.look()
        client.close()
        for _ in range(100):
            if len(noted["ended"]) == 5:
                break
            time.sleep(0.05)
    first, second, _ = [info for info in noted["reset"] if info.task != "try"]
    assert (first.task, first.seed, second.seed) == ("widowx_carrot_on_plate", 5, 6)
    ended = [entry for entry in noted["ended"] if not entry[0].startswith("try")]
    assert [(status, steps) for _, status, steps in ended] == [("errored", 2), ("success", 1), ("errored", 1)]


def test_a_connection_of_openpi_is_an_episode_unless_it_says_otherwise(noted):
    with served(REMEMBERS, protocol="openpi") as server:
        client, other = OpenpiClient(server.url), OpenpiClient(server.url)
        assert [client.infer()["actions"][0][0] for _ in range(2)] == [0, 1]
        assert other.infer()["actions"][0][0] == 0
        assert client.infer(reset=True)["actions"][0][0] == 0
        assert [client.infer(episode=name)["actions"][0][0] for name in ("x", "x", "y")] == [0, 1, 0]
        client.close()
        other.close()


def test_requests_that_wait_are_answered_together(noted):
    with served(REMEMBERS, {"prefer": 8}) as server:
        clients = [VlaClient(server.url) for _ in range(6)]
        for number, client in enumerate(clients):
            client.begin(episode=f"e{number}")
        answers: list[dict] = []
        first = threading.Thread(target=lambda: answers.append(clients[0].look(task_description="wait")))
        first.start()
        while not any("e0" in batch for batch in noted["batches"]):
            time.sleep(0.01)
        rest = [threading.Thread(target=lambda c=client: answers.append(c.look())) for client in clients[1:]]
        for thread in rest:
            thread.start()
        assert get(server.url + "/health") == (200, "application/json", b'{"status": "ok"}')
        begun = time.monotonic()
        late = VlaClient(server.url)  # and others connect meanwhile
        assert time.monotonic() - begun < 5
        time.sleep(0.3)
        sys.__dict__["_served_gate"].set()
        for thread in (first, *rest):
            thread.join()
        assert [len(batch) for batch in noted["batches"] if batch[0].startswith("e")] == [1, 5]
        assert sorted(int(answer["actions"][1]) for answer in answers) == [1, 5, 5, 5, 5, 5]
        for client in (*clients, late):
            client.close()


def test_a_policy_that_fails_tells_the_client_nothing_of_this_machine(noted):
    log = Kept()
    with served(REMEMBERS, log=log) as server:
        client = VlaClient(server.url)
        client.begin()
        error = client.look(task_description="fail")["error"]
        assert error == "the policy failed; see fault 1 in the server's log"
        assert "no episode" in client.look()["error"]
        client.begin(name="unbeginnable")
        error = client.look()["error"]
        assert "the policy failed" in error
        assert "/secret" not in error + str(client.hello)
        client.begin()
        assert client.look()["actions"][0] == 0
        client.close()
    assert "/secret/path is not there" in log.lines[0]
    assert "Traceback" in log.lines[0]


def test_whoever_brings_the_policy_to_fail_does_it_to_the_others_once(noted):
    with served(REMEMBERS, {"prefer": 2}) as server:
        good, bad = VlaClient(server.url), VlaClient(server.url)
        sys.__dict__["_served_gate"].set()

        def together(text: str) -> tuple[dict, dict]:
            answers: dict[str, dict] = {}
            threads = [
                threading.Thread(target=lambda: answers.update(good=good.look())),
                threading.Thread(target=lambda: answers.update(bad=bad.look(task_description=text))),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return answers["good"], answers["bad"]

        for attempt in range(12):  # until both happen to be in one batch
            good.begin(episode=f"g{attempt}")
            bad.begin(episode=f"b{attempt}")
            if "error" in together("fail")[0]:
                break
        else:
            pytest.skip("the two never met")
        for _ in range(3):
            good.begin()
            bad.begin()
            assert "error" not in together("fail")[0]
        good.close()
        bad.close()


@pytest.mark.parametrize("policy", [f"{REMEMBERS.removesuffix('Remembers')}Oracle", "oracle"])
def test_a_policy_that_sees_the_simulator_is_refused(policy):
    with pytest.raises(UserError, match="cannot be served"), served(policy):
        pass


def test_ports_and_hosts_that_cannot_be_had_are_one_line():
    with served("random") as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 is in use; give another"), served("random", port=port):
            pass
    with pytest.raises(UserError, match="address of this machine"), served("random", host="203.0.113.9"):
        pass


def test_more_clients_than_wished_and_pages_in_browsers_are_turned_away():
    with served("random", clients=1) as server:
        client = VlaClient(server.url)
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url, proxy=None)
        assert refused.value.response.status_code == 503
        assert get(server.url + "/healthz") == (200, "text/plain", b"OK\n")
        client.close()
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url, proxy=None, additional_headers={"Origin": "http://evil.example"})
        assert refused.value.response.status_code == 403
        for _ in range(50):
            if not server.listener.connections:
                break
            time.sleep(0.05)
        VlaClient(server.url).close()


def test_the_robot_comes_from_the_client_or_the_command_and_is_never_guessed():
    with served("random") as server:
        client = VlaClient(server.url)
        client.begin(robot=None)
        assert "which robot" in client.look()["error"]
        client.begin(robot=None, name="google_robot_pick_coke_can")
        assert "actions" in client.look()
        assert "begin another" in client.look(robot="widowx")["error"]
        client.begin(robot="panda")
        assert "robot is none of" in client.look()["error"]
        client.close()
    with served("random", robot="widowx") as server:
        client = VlaClient(server.url)
        client.begin(robot=None)
        assert "actions" in client.look()
        client.begin(robot="google_robot")
        assert "served for widowx alone" in client.look()["error"]
        client.close()


def test_the_simpler_of_vla_eval_plays_what_the_policy_commands():
    """Its sticky gripper: 2 g - 1, negated, and what exceeds a half is held for 15 steps."""

    def of_the_benchmark(openings):
        held, repeats, commands = None, 0, []
        for opening in openings:
            command = -(2 * float(opening) - 1)
            if abs(command) > 0.5 and held is None:
                held = command
            if held is not None:
                repeats, command = repeats + 1, held
            if repeats == 15:
                held, repeats = None, 0
            commands.append(command)
        return commands

    from policies.sticky_gripper import Gripper

    gripper, opening = Gripper("google_robot"), np.random.default_rng(0).random(200)
    commands = [gripper.command(value) for value in opening]
    assert max(map(abs, commands)) > 0.5
    from eval.rollout.actions import CheckedAction
    from eval.serving.conventions import numbers_for

    sent = [numbers_for(SIMPLER_BENCHMARK, "google_robot", CheckedAction((0.0,) * 6 + (c,), False, {}))[6] for c in commands]
    np.testing.assert_allclose(of_the_benchmark(sent), commands, atol=1e-12)
    with served("random", robot="google_robot") as server:
        client = VlaClient(server.url, benchmark=SIMPLER_BENCHMARK)
        assert client.hello["observation_params"] == {"gripper_mode": "sticky"}
        client.begin(robot=None)
        assert 0 <= client.look()["actions"][6] <= 1
        client.close()
    with served("random") as server:
        client = VlaClient(server.url, benchmark=SIMPLER_BENCHMARK)
        client.begin(name="google_robot_pick_coke_can", robot=None)
        assert "start the server with --robot google_robot" in client.look()["error"]
        client.close()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"images": {"primary": PICTURE[:4]}}, "a side must have 16 to 4096"),
        ({"images": {"primary": PICTURE.astype(np.float32)}}, r"must be RGB, \(H, W, 3\) uint8"),
        ({"images": {"left": PICTURE, "right": PICTURE}}, "several pictures"),
        ({"images": None}, "there is no picture"),
        ({"images": {}}, "there is no picture|must be RGB"),
        ({"task_description": " "}, "is empty"),
        ({"task_description": "x" * 2001}, "2001 characters"),
        ({"task_description": 3}, "must be a text"),
        ({"robot": np.zeros(3)}, "robot is none of"),
    ],
)
def test_an_observation_that_would_trouble_a_policy_is_refused_and_the_episode_goes_on(more, says, noted):
    import re

    with served(REMEMBERS) as server:
        client = VlaClient(server.url)
        client.begin()
        client.look()
        assert re.search(says, client.look(**more)["error"])
        assert client.look()["actions"][0] == 1
        client.close()


def test_the_server_ends_while_clients_wait(noted):
    with served(REMEMBERS) as server:
        client = VlaClient(server.url)
        client.begin()
        client.look()
        threading.Timer(0.2, server.desk.stop).start()
        with pytest.raises(ConnectionClosed) as closed:
            client.socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1001
