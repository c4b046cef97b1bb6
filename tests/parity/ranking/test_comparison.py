"""Policies of several strengths in two worlds: pairing, numbers, files, and what is refused. The runs are made by
``eval.run``, with a script in the place of the simulators.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripted_runs import scripted_run

import eval.cli.ranking
from eval.backends.base import OwnBackend, OwnWorker, WorldOptions
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.parity.ranking.comparison import compare_policies
from eval.parity.ranking.families import family_of
from eval.parity.ranking.paired import Paired, cell_of
from eval.parity.ranking.plot import plot
from eval.parity.ranking.rounds import LEVELS, default_plan, is_complete, is_played, rounds_of
from eval.parity.ranking.table import heading, markdown, rows
from eval.records.folder import load_run
from eval.records.header import AssetsRecord, WorldIdentity, WorldRecord
from eval.statistics.differences import mcnemar_exact, paired_difference_interval

OURS, ORIGINAL = "simpler-eval", "simpler-env"
CUBE, CAN = "widowx_stack_cube", "google_robot_pick_coke_can"


@pytest.fixture
def write(tmp_path: Path, make_spec: Callable[..., EpisodeSpec]) -> Callable[..., Path]:
    """A run of the oracle: letters are how its episodes end (s, f, e; - is not played), by cell."""

    def write(world: str, name: str, stand_ins: tuple[str, ...] = (), options: str | None = None, **cells: str) -> Path:
        looks = {"cube": (CUBE, "default"), "can": (CAN, "standing/urdf=none"), "lying": (CAN, "horizontal/urdf=none")}
        plan, ends = [], ""
        for cell, letters in cells.items():
            plan += [make_spec(i, *looks[cell]) for i in range(len(letters))]
            ends += letters
        return play(tmp_path / "both" / world / name, plan, ends, options or name, stand_ins)

    return write


def play(path: Path, plan: Any, ends: str, level: str, stand_ins: tuple[str, ...] = (), **options: Any) -> Path:
    world = WorldRecord(
        name=f"the world {path.parent.name}", versions={"sapien": "9.9"}, assets=AssetsRecord(stand_ins=stand_ins)
    )
    args = dict(part.split("=") for part in level.split(","))
    return scripted_run(path, plan, ends, "oracle", recorded=world, policy_args=args, **options).path


def test_mcnemar_and_the_interval_are_those_computed_by_hand() -> None:
    assert mcnemar_exact(6, 1) == pytest.approx(2 * (1 + 7) / 2**7)
    assert mcnemar_exact(0, 0) == 1.0
    # 6 and 1 of 18: 5/20, give or take 1.96 sqrt((8/20 - 1/16) / 20)
    assert paired_difference_interval(6, 1, 18) == pytest.approx((-0.0046, 0.5046), abs=1e-4)
    assert paired_difference_interval(1, 6, 18) == pytest.approx((-0.5046, 0.0046), abs=1e-4)
    low, high = paired_difference_interval(0, 0, 100)
    assert low == -high
    assert 0.01 < high < 0.03
    assert paired_difference_interval(0, 0, 0) == (-1.0, 1.0)


def test_rates_differences_and_ranks_are_of_the_same_episodes(write: Any, tmp_path: Path) -> None:
    write(OURS, "noise=0", cube="ssss", can="ssff")
    write(ORIGINAL, "noise=0", cube="sssf", can="ssff")
    write(OURS, "noise=0.5", cube="sffs", can="sfff")
    write(ORIGINAL, "noise=0.5", cube="fsff", can="sssf")
    parity = compare_policies(tmp_path / "both")
    cube, can = parity.cells
    assert (cube.name, can.name) == (CUBE, "google_robot_pick_standing_coke_can")
    assert (cube.paired.n, cube.paired.both, cube.paired.only_ours, cube.paired.only_original) == (8, 3, 3, 1)
    assert (cube.paired.ours, cube.paired.original, cube.paired.difference) == (6 / 8, 4 / 8, 2 / 8)
    assert dict(can.levels) == {"noise=0": (0.5, 0.5), "noise=0.5": (0.25, 0.75)}
    assert (can.pearson, can.mmrv) == (pytest.approx(-1.0), 0.25)  # ranked the wrong way, apart by 0.25 in the original
    assert dict(parity.overall.levels) == {"noise=0": (0.75, 0.625), "noise=0.5": (0.375, 0.5)}
    assert parity.overall.pearson == pytest.approx(1.0)
    assert parity.overall.mmrv == 0.0
    assert [(e.level, e.cell, e.ours, e.original) for e in parity.flipped][:2] == [
        ("noise=0", CUBE, "success", "failure"),
        ("noise=0.5", CUBE, "success", "failure"),
    ]
    assert len(parity.flipped) == 6


def test_the_ranks_that_count_are_those_of_the_original(write: Any, tmp_path: Path) -> None:
    """MMRV is not symmetric: ours are 0.25 apart where the original's are 0.5."""
    write(OURS, "noise=0", cube="sfff")
    write(ORIGINAL, "noise=0", cube="ssss")
    write(OURS, "noise=1", cube="ssff")
    write(ORIGINAL, "noise=1", cube="ssff")
    assert compare_policies(tmp_path / "both").overall.mmrv == 0.5


def test_an_episode_without_two_verdicts_is_left_out_and_counted(write: Any, tmp_path: Path) -> None:
    write(OURS, "noise=0", cube="sesf-", can="ee")
    write(ORIGINAL, "noise=0", cube="esss-", can="ss")
    parity = compare_policies(tmp_path / "both")
    cube, can = parity.cells
    assert (cube.paired.n, cube.paired.errored, cube.paired.missing) == (2, 2, 1)
    assert (cube.paired.ours, cube.paired.original) == (0.5, 1.0)
    assert (can.paired.n, can.paired.errored) == (0, 2)
    assert dict(parity.overall.levels) == {"noise=0": (0.5, 1.0)}
    assert "PARTIAL, 1 episode not played" in heading(parity)
    assert "NaN" not in json.dumps(parity.to_json())
    assert {check.key for check in parity.checks if not check.passed} == {"all", CUBE, can.name}


def test_rounds_with_other_seeds_are_one_level(write: Any, tmp_path: Path) -> None:
    for world in (OURS, ORIGINAL):
        write(world, "noise=0.3", cube="ssf")
        write(world, "noise=0.3,seed=1", cube="s")
    parity = compare_policies(tmp_path / "both")
    assert parity.levels == ("noise=0.3",)
    assert (parity.cells[0].paired.n, parity.cells[0].paired.ours) == (4, 0.75)


@pytest.mark.parametrize(
    ("ours", "original", "missed"),
    [
        ("s" * 90 + "f" * 10, "s" * 90 + "f" * 10, []),
        ("s" * 90 + "f" * 10, "s" * 86 + "f" * 14, ["difference"]),  # 4 points of all; a cell may be 7 off
        ("s" * 90 + "f" * 10, "s" * 82 + "f" * 18, ["difference", "95 % interval from 0", "difference"]),
    ],
)
def test_a_missed_limit_fails_the_comparison(write: Any, tmp_path: Path, ours: str, original: str, missed: list[str]) -> None:
    write(OURS, "noise=0", cube=ours)
    write(ORIGINAL, "noise=0", cube=original)
    parity = compare_policies(tmp_path / "both")
    assert [check.check for check in parity.checks if not check.passed] == missed
    assert parity.passed == (not missed)


def test_ranks_in_disorder_fail_although_the_averages_agree(write: Any, tmp_path: Path) -> None:
    write(OURS, "noise=0", cube="s" * 52 + "f" * 48)
    write(ORIGINAL, "noise=0", cube="s" * 48 + "f" * 52)
    write(OURS, "noise=1", cube="s" * 48 + "f" * 52)
    write(ORIGINAL, "noise=1", cube="s" * 52 + "f" * 48)
    parity = compare_policies(tmp_path / "both")
    assert [check.check for check in parity.checks if not check.passed] == ["1 - Pearson r", "MMRV"]


def test_what_does_not_belong_together_is_refused(write: Any, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    write(OURS, "noise=0", cube="ss")
    with pytest.raises(UserError, match=r"no runs in simpler-env/; play them with `parity policies --world simpler-env"):
        compare_policies(folder)
    write(ORIGINAL, "noise=0", cube="sss")
    with pytest.raises(UserError, match=r"different plans \(2 and 3 episodes\)"):
        compare_policies(folder)


def test_a_level_in_one_world_alone_is_named(write: Any, tmp_path: Path) -> None:
    for name in ("noise=0", "noise=1"):
        write(OURS, name, cube="ss")
    write(ORIGINAL, "noise=0", cube="ss")
    with pytest.raises(UserError, match="holds simpler-eval/noise=1 but no simpler-env/noise=1"):
        compare_policies(tmp_path / "both")


def test_folders_of_one_name_must_hold_one_policy(write: Any, tmp_path: Path) -> None:
    write(OURS, "noise=0", cube="ss")
    write(ORIGINAL, "noise=0", options="noise=1", cube="ss")
    with pytest.raises(UserError, match=r"has policy.settings.noise .*, .* has 1.0; compare the same policy"):
        compare_policies(tmp_path / "both")


def test_the_levels_of_a_world_must_be_played_in_one_world(write: Any, tmp_path: Path) -> None:
    plan = load_run(write(OURS, "noise=0", cube="ss")).plan
    write(ORIGINAL, "noise=0", cube="ss")
    write(ORIGINAL, "noise=1", cube="ss")
    play(tmp_path / "both" / OURS / "noise=1", plan, "ss", "noise=1", world="shutil")
    with pytest.raises(UserError, match=r"has world.name 'fake_world', .* has 'shutil'; compare runs of the same world"):
        compare_policies(tmp_path / "both")


def test_one_level_has_no_ranks_and_must_have_no_difference(write: Any, tmp_path: Path) -> None:
    write(OURS, "defaults", options="noise=0", cube="s" * 50 + "f" * 50)
    write(ORIGINAL, "defaults", options="noise=0", cube="s" * 49 + "f" * 51)
    parity = compare_policies(tmp_path / "both")
    assert parity.passed
    assert parity.levels == ("defaults",)
    assert [check.check for check in parity.checks if check.key == "all"] == [
        "difference",
        "95 % interval from 0",
        "not played",
    ]
    assert "keeps its limits: difference +1.0 points" in heading(parity)
    assert "one level, so r and MMRV are not defined and not checked" in heading(parity)
    assert parity.to_json()["overall"]["pearson"] is None
    assert rows(parity)[0][7:9] == ["", ""]
    plot(parity, tmp_path / "plot.png")
    # 2 of 100 points are within the limit, but 8 of 400 episodes that all go one way are no chance
    better, worse = (Paired(400, 392, *alone, 0, 0).interval_from_zero for alone in ((8, 0), (0, 8)))
    assert better == pytest.approx(worse)
    assert better > 0.005
    assert Paired(400, 390, 6, 4, 0, 0).interval_from_zero == 0
    assert Paired(0, 0, 0, 0, 3, 0).interval_from_zero == 1


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the code of the oracle, as runs record it and as it is now, and that of the worker have other hashes."""

    def code(policy: str | None, worker: str = "the worker") -> None:
        for module in ("eval.rollout.run", "eval.parity.ranking.rounds"):
            monkeypatch.setattr(f"{module}.shipped_code_hash", lambda _: policy)
        monkeypatch.setattr("eval.rollout.header.worker_code", lambda: worker)
        monkeypatch.setattr("eval.rollout.header.ORIGINAL", "fake_world")  # the scripted one plays its part
        monkeypatch.setattr("eval.parity.ranking.validity.worker_code", lambda: worker)

    return code


def test_both_sides_must_be_of_the_same_code_of_the_policy(write: Any, code: Any, tmp_path: Path) -> None:
    code("code A")
    write(ORIGINAL, "noise=0", cube="ss")
    write(ORIGINAL, "noise=1", cube="sf")
    write(OURS, "noise=0", cube="ss")
    code("code B")
    write(OURS, "noise=1", cube="sf")
    with pytest.raises(UserError, match=r"different code of the policy \(simpler-eval: code A, code B; simpler-env: code A\)"):
        compare_policies(tmp_path / "both")


def test_the_page_says_for_which_commits_the_originals_side_is_valid(write: Any, code: Any, tmp_path: Path) -> None:
    code("code A", "worker A")
    for world in (OURS, ORIGINAL):
        write(world, "noise=0", cube="ss")
    page = markdown(compare_policies(tmp_path / "both"))
    assert "valid for every commit that has the policy's code code A, the original's worker worker A" in page
    assert "this version's worker is the same" in page
    assert "ANOTHER WORKER" not in page
    code("code B", "worker B")  # as at a later commit: what is there is compared all the same
    parity = compare_policies(tmp_path / "both")
    assert heading(parity).endswith("simpler-env played by ANOTHER WORKER than this version's")
    assert "this version's worker is worker B" in markdown(parity)


def test_runs_that_do_not_say_which_code_played_are_marked(write: Any, code: Any, tmp_path: Path) -> None:
    code("code A")
    write(OURS, "noise=0", cube="ss")
    code(None)
    write(ORIGINAL, "noise=0", cube="ss")
    parity = compare_policies(tmp_path / "both")
    assert heading(parity).endswith("CODE OF THE POLICY NOT RECORDED in simpler-env")
    assert "is not recorded" in markdown(parity)


def test_what_begins_otherwise_in_the_original_is_not_compared(tmp_path: Path) -> None:
    (spec,) = default_plan()[:1]
    assert spec.simpler_reset is not None
    other = spec.model_copy(update={"simpler_reset": spec.simpler_reset.model_copy(update={"seed": 7})})
    assert other.id == spec.id
    play(tmp_path / "both" / OURS / "noise=0", [spec], "s", "noise=0")
    play(tmp_path / "both" / ORIGINAL / "noise=0", [other], "s", "noise=0")
    with pytest.raises(UserError, match="was played with other resets of the original than this version's"):
        compare_policies(tmp_path / "both")


def test_stand_ins_stand_in_title_rows_and_page(write: Any, tmp_path: Path) -> None:
    write(OURS, "noise=0", ("can.glb",), cube="ss")
    write(ORIGINAL, "noise=0", cube="ss")
    parity = compare_policies(tmp_path / "both")
    assert heading(parity).endswith("STAND-INS in simpler-eval")
    assert [row[0] for row in rows(parity)] == [f"{CUBE} (stand-ins)", "all (stand-ins)"]
    page = markdown(parity)
    assert "STAND-INS for 1 asset file:" in page
    (session,) = parity.origin[OURS].sessions[0][1:]
    for text in ("the world simpler-env (sapien 9.9)", f"`{session.command}`"):
        assert text in page
    assert session.git is None or f"simpler-eval at {session.git.commit}" in page


def test_the_plot_has_every_family_in_its_colour(write: Any, tmp_path: Path) -> None:
    for world in (OURS, ORIGINAL):
        write(world, "noise=0", cube="ss", can="sf")
    plot(compare_policies(tmp_path / "both"), tmp_path / "plot.png")
    image = Image.open(tmp_path / "plot.png")
    assert image.width > 600
    looks = {family_of(cell_of(spec)) for spec in default_plan()}
    assert len(looks) == len({colour for _, colour in looks}) == 6
    with pytest.raises(UserError, match="Cannot write"):
        plot(compare_policies(tmp_path / "both"), tmp_path / "nowhere" / "plot.png")


def test_every_level_gets_its_episodes_in_all_fifteen_cells() -> None:
    rounds = rounds_of((), default_plan(), 30)
    assert [r.name for r in rounds[:3]] == ["noise=0", "noise=0.3", "noise=0.3,seed=1"]
    counts: dict[tuple[str, str], int] = {}
    for played in rounds:
        for spec in played.plan:
            key = played.name.removesuffix(",seed=1"), cell_of(spec)
            counts[key] = counts.get(key, 0) + 1
    assert {level for level, _ in counts} == set(LEVELS)
    assert {level.partition("=")[0] for level in LEVELS} == {"noise", "delay", "height", "side", "release"}
    assert len({cell for _, cell in counts}) == 15
    assert {n for (_, cell), n in counts.items() if cell.startswith("google")} == {30}
    alike = {"noise=0", "delay=3", "delay=4"}  # nothing is sampled: another seed would play the same
    assert {n for (level, cell), n in counts.items() if cell.startswith("widowx") and level not in alike} == {30}
    assert {n for (level, cell), n in counts.items() if cell.startswith("widowx") and level in alike} == {24}


def test_a_levels_own_seed_is_where_its_rounds_begin(make_spec: Any) -> None:
    rounds = rounds_of(["noise=1,seed=5"], [make_spec(0), make_spec(1)], 5)
    assert [(r.name, len(r.plan)) for r in rounds] == [("noise=1,seed=5", 2), ("noise=1,seed=6", 2), ("noise=1,seed=7", 1)]


POLICY = """
from policies.random import RandomPolicy


class Looking(RandomPolicy):
    needs_image = True

    def __init__(self, colour="red", **options):
        super().__init__(**options)
"""


def test_any_policy_is_compared_with_its_defaults_or_in_levels(make_spec: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(POLICY)
    mine = f"{tmp_path}/mine.py:Looking"
    plan = [make_spec(0), make_spec(1)]
    rounds = rounds_of((), plan, 3, mine)
    assert [(r.name, r.options, len(r.plan)) for r in rounds] == [("defaults", {}, 2), ("seed=1", {"seed": "1"}, 1)]
    assert {r.policy for r in rounds} == {mine}
    rounds = rounds_of(["colour=blue", "colour=red"], plan, 2, mine, {"seed": "3"})
    assert [(r.name, r.options) for r in rounds] == [(f"colour={c}", {"seed": "3", "colour": c}) for c in ("blue", "red")]
    for world in (OURS, ORIGINAL):
        scripted_run(tmp_path / "both" / world / "defaults", plan, policy=mine)
    assert "NOT RECORDED" not in heading(compare_policies(tmp_path / "both"))
    assert is_played(tmp_path / "both" / OURS / "defaults", rounds_of((), plan, 2, mine)[0])
    (tmp_path / "mine.py").write_text(POLICY.replace("red", "green"))
    with pytest.raises(UserError, match="was played by other code of"):
        is_played(tmp_path / "both" / OURS / "defaults", rounds_of((), plan, 2, mine)[0])
    with pytest.raises(UserError, match="both give seed"):
        rounds_of(["seed=1"], plan, 2, mine, {"seed": "3"})


@pytest.fixture
def verb(cli: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    return partial(cli, "parity", "policies")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--level", "nois=1"], "It takes: noise, delay, seed, height, side, release"),
        (["--level", "noise=much"], "noise is much"),
        (["--level", "noise"], "is not a comma list of NAME=VALUE"),
        (["--level", "noise=1", "--level", "noise=1,seed=2"], "there twice"),
        (["--level", "noise=0.1,noise=0.2"], "gives noise twice"),
        (["--level", "noise=0", "--level", "delay=0"], '"delay=0" is there twice, as "noise=0"'),
        (["--world", "simpler-en"], 'Did you mean "simpler-env"?'),
        (["--task", "widowx_stack_cub"], 'Did you mean "widowx_stack_cube"?'),
        (["--task", CUBE, "--world-python", "gone/python"], "gone/python is no executable file"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_played(verb: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    code, out, err = verb(*arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_complete_folders_are_compared_without_the_original(write: Any, verb: Any, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    for world in (OURS, ORIGINAL):
        write(world, "noise=0", cube="ssss")
        write(world, "noise=1", cube="sfff")
    code, out, _ = verb("--out", folder)
    assert code == 0
    assert "keeps its limits: r 1.000, MMRV 0.000" in out
    assert sorted(path.suffix for path in folder.glob("parity_policies.*")) == [".json", ".md", ".png"]
    code, out, _ = verb("--out", folder, "--json")
    assert json.loads(out)["overall"]["rates"]["ours"] == 5 / 8
    write(ORIGINAL, "noise=2", cube="ffff")
    write(OURS, "noise=2", cube="ssss")
    code, out, _ = verb("--out", folder)
    assert code == 1
    assert "MISSES its limits" in out


def test_what_is_there_is_not_played_again(verb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[tuple[str, str, int]] = []
    given: list[Any] = []

    def play_round(path: Path, step: Any, options: Any) -> None:
        given.append(options)
        played.append((options.world, step.name, len(step.plan)))
        play(path, step.plan, "s" * len(step.plan), step.name)

    monkeypatch.setattr(eval.cli.ranking, "_run", play_round)
    backend = OwnBackend(WorldIdentity(name="fake_world"), OwnWorker("fake_world", WorldOptions()))
    monkeypatch.setattr("eval.rollout.run.find_backend_of", lambda *_: backend)
    options = ["--task", CUBE, "--episodes", 30, "--level", "noise=0", "--level", "noise=0.4", "--out", tmp_path / "out"]
    code, _, err = verb(*options, "--world", ORIGINAL)
    assert code == 0
    assert "nothing is compared before the other world is" in err
    assert not is_complete(tmp_path / "out")
    assert verb(*options)[0] == 0
    rounds = [("noise=0", 24), ("noise=0.4", 24), ("noise=0.4,seed=1", 6)]
    assert played == [(world, *each) for world in (ORIGINAL, OURS) for each in rounds]
    rendered = {options.rt for options in given}
    assert rendered == {"raster"}
    code, _, err = verb("--task", CUBE, "--policy", "random", "--level", "noise=0", "--out", tmp_path / "out")
    assert code == 2
    assert "It takes" in err
    code, _, err = verb(*options[:-6], "--level", "noise=0", "--policy-arg", "delay=1", "--out", tmp_path / "out")
    assert code == 2
    assert "holds a run of other options" in err
    code, _, err = verb("--task", CUBE, "--episodes", 3, "--level", "noise=0", "--out", tmp_path / "out")
    assert code == 2
    assert "holds a run of another plan (24 episodes, this one has 3)" in err
    monkeypatch.setattr("eval.parity.ranking.rounds.shipped_code_hash", lambda _: "another")
    code, _, err = verb(*options)
    assert code == 2
    assert "was played by other code of oracle" in err
    assert "go on at that commit, choose another --out, or give --out alone" in err
    assert verb("--out", tmp_path / "out")[0] == 0  # what is there can be compared at any commit
