"""Two hosts agree on their asset files exactly if these have the same content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eval.assets import identity
from eval.assets.checksums import file_checksum
from eval.assets.identity import assets_identity
from eval.assets.manifest import Manifest
from eval.assets.options import FALLBACK
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.suites import make_plan

COKE = "data/custom/models/opened_coke_can"
MESH = f"{COKE}/collision.obj"
GOOGLE = "mani_skill2_real2sim/assets/descriptions/googlerobot_description"
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
FILES = {
    MESH: OBJ,
    f"{COKE}/textured.obj": "mtllib a.mtl\n" + OBJ,
    f"{COKE}/a.mtl": "map_Kd skin.jpg\n",
    f"{COKE}/skin.jpg": "\xff\xd8 skin \xff\xd9",
    f"{GOOGLE}/google_robot_meta_sim_fix_wheel_fix_fingertip.urdf": (
        "<robot><link name='link_gripper'><visual><geometry><mesh filename='m/a.obj'/></geometry></visual></link></robot>"
    ),
    f"{GOOGLE}/m/a.obj": OBJ,
}
"""A mesh with a material and a texture, and a robot with a mesh: the least that is not broken."""


@pytest.fixture(scope="module")
def plan() -> list[EpisodeSpec]:
    return make_plan(tasks=["google_robot_pick_coke_can"], limit=1)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack, and a list of the original that says that its files are the original's."""
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    monkeypatch.setattr("eval.assets.inspection.cache_folder", lambda: tmp_path / "cache")
    for name, content in FILES.items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_bytes(content.encode("latin-1"))
    listed = {name: file_checksum(tmp_path / "pack" / name) for name in FILES}
    monkeypatch.setattr(identity, "original_assets", lambda: Manifest(about="", repository="", commit="", files=listed))
    return tmp_path / "pack"


def test_where_a_pack_lies_and_which_else_are_named_makes_no_difference(plan, pack: Path, tmp_path: Path) -> None:
    same = assets_identity(plan, str(pack))
    moved = Path(shutil.copytree(pack, tmp_path / "elsewhere"))
    (tmp_path / "empty/data").mkdir(parents=True)
    for packs in (f"{moved}", f"{moved / 'data'}", f"{tmp_path / 'empty'},{moved}", f"{moved},{pack}", f"{pack},{FALLBACK}"):
        assert assets_identity(plan, packs) == same
    assert assets_identity(plan[::-1], str(pack)) == same


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_counts_whether_it_is_absent_or_has_another_content(plan, pack: Path, name: str) -> None:
    """Those that are named by others too: material, texture, mesh of a robot."""
    identities = {assets_identity(plan, str(pack))}
    (pack / name).write_bytes((pack / name).read_bytes() + b"\n")
    identities.add(assets_identity(plan, str(pack)))
    (pack / name).unlink()
    identities.add(assets_identity(plan, str(pack)))
    assert len(identities) == 3


def test_the_same_file_counts_otherwise_where_it_is_a_stand_in(plan, pack: Path) -> None:
    before = assets_identity(plan, str(pack))
    (pack / "standins.json").write_text("{}")
    assert assets_identity(plan, str(pack)) != before
    assert assets_identity(plan, None) not in (before, assets_identity(plan, str(pack)))


def test_a_file_that_no_episode_loads_does_not_count(plan, pack: Path) -> None:
    before = assets_identity(plan, str(pack))
    (pack / "data/custom/models/apple").mkdir()
    (pack / "data/custom/models/apple/collision.obj").write_text(OBJ)
    assert assets_identity(plan, str(pack)) == before


def test_a_broken_file_counts_as_what_is_taken_instead(plan, pack: Path, tmp_path: Path) -> None:
    without = Path(shutil.copytree(pack, tmp_path / "without"))
    (without / MESH).unlink()
    (pack / MESH).write_text("v 0 0 0\n")
    assert assets_identity(plan, f"{pack},{FALLBACK}") == assets_identity(plan, str(without))
    assert assets_identity(plan, str(pack)) != assets_identity(plan, str(without))


def test_the_built_in_stand_ins_are_known_by_their_generators_and_not_made(plan, pack: Path, monkeypatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr("eval.assets.resolver.stand_in_path", refuse)
    before = assets_identity(plan, None)
    assert before == assets_identity(plan, "")
    monkeypatch.setattr(identity, "generator_version", lambda: "of tomorrow")
    assert assets_identity(plan, None) != before


def test_a_folder_that_does_not_exist_is_one_line(plan, pack: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist\. Give"):
        assets_identity(plan, str(pack / "nowhere"))
