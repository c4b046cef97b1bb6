"""assets check: every file that the suites need, and what is here of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from eval.assets import check
from eval.assets.check import check_assets
from eval.assets.checksums import file_checksum
from eval.assets.manifest import Manifest
from eval.assets.stand_ins import stand_in_path
from eval.cli import main
from eval.errors import UserError

COKE = "data/custom/models/opened_coke_can"
STAGE = "data/hab2_bench_assets/stages/google_pick_coke_can_1_v4.glb"
PHOTO = "data/real_inpainting/google_coke_can_real_eval_1.png"
DESCRIPTION = "mani_skill2_real2sim/assets/descriptions/googlerobot_description"
URDF = f"{DESCRIPTION}/google_robot_meta_sim_fix_wheel_fix_fingertip.urdf"


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack of a few files, and a list of the original that says they are the original's."""
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    folder = tmp_path / "pack"
    files = {COKE + "/collision.obj": COKE + "/collision.obj", STAGE: STAGE, PHOTO: PHOTO}
    for name, source in files.items():
        ours = stand_in_path(source)
        assert ours is not None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ours, folder / name)
    (folder / URDF).parent.mkdir(parents=True)
    mesh = "<geometry><mesh filename='m/arm.stl'/></geometry>"
    (folder / URDF).write_text(f"<robot><link name='link_arm'><collision>{mesh}</collision></link></robot>")
    listed = {name: file_checksum(folder / name) for name in (*files, URDF)}
    monkeypatch.setattr(check, "original_assets", lambda: Manifest(about="", repository="", commit="", files=listed))
    return folder


def states(pack: Path | None, suite: str = "demo") -> dict[str, tuple[str, str]]:
    return {file.name: (file.state, file.detail) for file in check_assets(str(pack) if pack else None, [suite])}


def test_without_a_pack_everything_has_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    listed = check_assets()
    assert {file.state for file in listed} == {"stand-in"}
    assert len({file.name for file in listed}) == len(listed)


def test_each_state_is_told_apart(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_name = states(pack)
    assert by_name[STAGE] == ("original", str(pack))
    assert by_name[URDF][0] == "original"
    assert by_name[f"{DESCRIPTION}/m/arm.stl"][0] == "stand-in"  # the shape of our own robot
    (pack / STAGE).write_bytes((pack / STAGE).read_bytes() + b"\0")
    (pack / PHOTO).write_bytes((pack / PHOTO).read_bytes()[:99])
    monkeypatch.setattr(check, "has_stand_in", lambda name: False)
    by_name = states(pack)
    assert by_name[STAGE][0] == "changed"
    assert f"checksum {file_checksum(pack / STAGE)}, the original has " in by_name[STAGE][1]
    assert by_name[PHOTO][0] == "broken"
    assert "ends too early" in by_name[PHOTO][1]
    assert by_name["data/real_inpainting/bridge_real_eval_1.png"][0] == "missing"


def test_a_file_that_the_original_has_not_is_no_original(pack: Path) -> None:
    (pack / COKE / "textured.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert states(pack)[f"{COKE}/textured.obj"] == ("changed", f"{pack}: the original has no such file")


def test_a_pack_of_stand_ins_is_one(pack: Path) -> None:
    (pack / "standins.json").write_text("{}")
    assert states(pack)[STAGE] == ("stand-in", str(pack))


def test_an_unknown_suite_is_one_line() -> None:
    with pytest.raises(UserError, match='Did you mean "demo"'):
        check_assets(None, ["dem"])


def test_the_command(pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def cli(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    code, out, _ = cli("assets", "check", "--assets", pack, "--suite", "demo", "--json")
    content = json.loads(out)
    assert (code, content["passed"]) == (0, True)
    assert content["counts"] == Counter(file["state"] for file in content["files"])
    (pack / PHOTO).write_bytes(b"\x89PNG")
    code, out, _ = cli("assets", "check", "--assets", pack, "--suite", "demo")
    assert code == 1
    assert f"broken    {PHOTO}" in out
    code, out, err = cli("assets", "path", "--to", pack)
    assert (code, out) == (2, "")
    assert "simpler-eval assets fetch" in err
