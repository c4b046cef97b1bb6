"""Whole runs with a policy behind a wire: what a fault costs, what a run records, and going on when the server has moved."""

from __future__ import annotations

import pytest

for package in ("websockets", "msgpack", "httpx"):
    pytest.importorskip(package, reason="the extra remote is not installed")

from fake_servers import ACTION, OpenpiServer, VlaEvalServer

from eval.errors import UserError
from eval.records.tables import tables_of
from eval.rollout.run import run


@pytest.fixture
def plan(make_spec):
    return [make_spec(index) for index in range(6)]


def play(server, out, plan, **options):
    return run(plan, server.url, world="fake_world", out=out, **{"workers": 2, **options})


def errors(data):
    return [data.record(spec.id).error for spec in data.plan if data.record(spec.id) is not None]


@pytest.mark.parametrize("kind", [VlaEvalServer, OpenpiServer])
def test_a_run_has_the_servers_name_in_its_title_and_no_address(plan, tmp_path, kind):
    with kind() as server:
        data = play(server, tmp_path, plan, per_worker=3)
    assert errors(data) == [None] * 6
    name = "Fake" if kind is VlaEvalServer else "fake_pi"
    title = tables_of(data).title
    assert title.startswith(f"{name} (behind {kind.scheme}, which does not say its weights) in ")
    assert "127.0.0.1" not in title
    assert data.header.identity.policy.settings["protocol"] == kind.scheme


def test_nonsense_costs_the_episodes_it_answered_and_a_resume_plays_them_where_the_server_is_now(plan, tmp_path):
    def answer(observation, number):
        return "<b>no</b>" if number in (3, 9) else ACTION

    with VlaEvalServer(answer) as server:
        data = play(server, tmp_path, plan, workers=1)
    lost = [error for error in errors(data) if error is not None]
    assert len(lost) == 2
    assert all("answered nonsense: it is text where bytes were expected" in error for error in lost)
    with VlaEvalServer() as moved:
        again = play(moved, tmp_path, plan, workers=1, retry_errored=True)
    assert moved.port != server.port
    assert errors(again) == [None] * 6
    assert len(moved.started) == 2, "only what was lost is played again"


def test_another_model_does_not_go_on_with_a_run(plan, tmp_path):
    with OpenpiServer() as server:
        play(server, tmp_path, plan[:2])
    with OpenpiServer() as other:
        other.metadata = {"name": "fake_pi", "step": 2}
        with pytest.raises(UserError, match=r"policy\.settings\.server"):
            play(other, tmp_path, plan[:2])


def test_a_server_that_stays_dead_stops_the_run_as_any_policy_that_always_fails(make_spec, tmp_path, capsys):
    with OpenpiServer() as server:

        def dies(observation, number):
            if number == 2:
                server.loop.call_soon(server.stop.set)
            return ACTION

        server.answer = dies
        data = play(server, tmp_path, [make_spec(index) for index in range(20)], workers=1, stop_after=3)
    assert data.header.sessions[-1].outcome == "stopped"
    assert 3 <= len([error for error in errors(data) if error is not None]) < 6
    assert "nobody answers at openpi://127.0.0.1" in capsys.readouterr().err


def test_no_server_is_one_line_and_exit_code_2(cli):
    code, out, err = cli("run", "--policy", "vla-eval://127.0.0.1:9", "--task", "widowx_stack_cube", "--limit", "1")
    assert code == 2
    assert out == ""
    (line,) = err.strip().splitlines()
    assert line.startswith("simpler-eval: No policy server: nobody answers at vla-eval://127.0.0.1:9")


def test_chunk_and_ensemble_are_options_of_the_command(cli):
    arguments = ("run", "--policy", "openpi://127.0.0.1:9", "--task", "widowx_stack_cube", "--limit", "1")
    code, _, err = cli(*arguments, "--chunk", "2", "--ensemble", "mean")
    assert code == 2
    assert "chunk and ensemble exclude each other" in err
