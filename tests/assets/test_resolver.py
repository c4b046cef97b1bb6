"""Packs are searched in order, every absent file has a stand-in, and the record says which were used."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eval.assets.resolver import Assets
from eval.errors import UserError

COKE = "data/custom/models/opened_coke_can"
GOOGLE = "mani_skill2_real2sim/assets/descriptions/googlerobot_description"

CONTENTS = {
    ".obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    ".dae": "<COLLADA><geometry/></COLLADA>",
    ".glb": "glTF\x02\0\0\0\x18\0\0\0\x02\0\0\0JSON{}  ",
}
"""The least that is not broken."""


def make_pack(folder: Path, *files: str, stand_ins: bool = False) -> Path:
    (folder / "data").mkdir(parents=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(CONTENTS[Path(file).suffix])
    if stand_ins:
        (folder / "standins.json").write_text(json.dumps({"files": []}))
    return folder


def test_without_packs_everything_comes_from_the_built_in_stand_ins(monkeypatch):
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    assets = Assets.from_option(None)
    assert assets.collision("opened_coke_can").is_file()
    assert assets.visual("opened_coke_can").is_file()
    assert assets.path("real_inpainting/bridge_real_eval_1.png").is_file()
    assert assets.collision_is_builtin("opened_coke_can")
    record = assets.record()
    assert record.kind == "stand-ins"
    assert f"{COKE}/collision.obj" in record.stand_ins
    assert "data/real_inpainting/bridge_real_eval_1.png" in record.stand_ins


def test_the_first_pack_that_has_a_file_wins(tmp_path):
    first = make_pack(tmp_path / "a", f"{COKE}/collision.obj")
    second = make_pack(tmp_path / "b", f"{COKE}/collision.obj", "data/custom/models/apple/collision.obj")
    assets = Assets.from_option(f"{first},{second}")
    assert assets.collision("opened_coke_can") == first / f"{COKE}/collision.obj"
    assert assets.collision("apple").is_relative_to(second)
    assert not assets.collision_is_builtin("apple")
    record = assets.record()
    assert (record.packs, record.stand_ins, record.kind) == ((str(first), str(second)), (), "original")
    assert list(record.files) == ["data/custom/models/apple/collision.obj", f"{COKE}/collision.obj"]
    (first / f"{COKE}/collision.obj").write_text(CONTENTS[".obj"] + "v 1 1 1\n")
    other = Assets([first])
    other.collision("opened_coke_can")
    assert other.record().files[f"{COKE}/collision.obj"] != record.files[f"{COKE}/collision.obj"]


def test_obj_before_dae_before_glb_and_one_pack_before_the_next(tmp_path):
    first = make_pack(tmp_path / "a", f"{COKE}/textured.glb", f"{COKE}/textured.dae")
    second = make_pack(tmp_path / "b", f"{COKE}/textured.obj")
    assert Assets([first, second]).visual("opened_coke_can") == first / f"{COKE}/textured.dae"
    assert Assets([second, first]).visual("opened_coke_can") == second / f"{COKE}/textured.obj"


def test_a_folder_of_recorded_stand_ins_counts_as_stand_ins_file_by_file(tmp_path):
    pack = make_pack(tmp_path / "pack", f"{COKE}/collision.obj")
    recorded = make_pack(tmp_path / "recorded", f"{COKE}/textured.dae", stand_ins=True)
    assets = Assets([pack, recorded])
    assets.collision("opened_coke_can")
    assets.visual("opened_coke_can")
    assert assets.record().stand_ins == (f"{COKE}/textured.dae",)
    assert assets.record().kind == "mixed"
    assert assets.is_original(f"{COKE}/collision.obj")
    assert not assets.is_original(f"{COKE}/textured.dae")
    assert not assets.is_original("data/custom/models/apple/collision.obj")


def test_a_git_lfs_pointer_is_not_the_file_it_stands_for(tmp_path):
    pack = make_pack(tmp_path / "pack", f"{COKE}/collision.obj", f"{COKE}/textured.dae")
    for name in ("collision.obj", "textured.dae"):
        (pack / COKE / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assets = Assets([pack])
    assert not assets.collision("opened_coke_can").is_relative_to(pack)
    assert not assets.visual("opened_coke_can").is_relative_to(pack)
    assert assets.collision_is_builtin("opened_coke_can")


def test_the_environment_variable_and_the_data_folder_itself_are_understood(tmp_path, monkeypatch):
    pack = make_pack(tmp_path / "pack", f"{COKE}/collision.obj")
    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", str(pack / "data"))
    assert Assets.from_option(None).packs == (pack,)
    assert Assets.from_option("").packs == ()


def test_bad_folders_are_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist\. Give"):
        Assets.from_option(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="is not an asset pack"):
        Assets.from_option(str(tmp_path))


@pytest.mark.parametrize("given", [",", "PACK,", "PACK, ,PACK", ["", "PACK"]])
def test_a_folder_that_is_left_out_beside_a_comma_is_named(tmp_path, monkeypatch, given):
    """Written in Python as on the command line: a variable that was empty must not end in stand-ins."""
    pack = make_pack(tmp_path / "pack", f"{COKE}/collision.obj")
    listed = isinstance(given, list)
    assets = [part.replace("PACK", str(pack)) for part in given] if listed else given.replace("PACK", str(pack))
    with pytest.raises(UserError, match=r'^assets ".*" names no folder beside a comma; give folders, separated by commas'):
        Assets.from_option(assets)
    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", f"{pack},")
    with pytest.raises(UserError, match=r"^SIMPLER_EVAL_ASSETS "):
        Assets.from_option(None)


def test_a_file_that_nobody_has_names_the_option(tmp_path):
    with pytest.raises(UserError, match=r"(?s)no_such_photo\.png is missing.*--assets"):
        Assets([]).path("real_inpainting/no_such_photo.png")


def test_robot_meshes_become_absolute_and_absent_ones_take_our_shapes(tmp_path):
    urdf = (
        '<robot name="r"><link name="link_gripper"><visual><geometry><mesh filename="m/here.obj"/></geometry></visual>'
        '<collision><geometry><mesh filename="m/absent.stl"/></geometry></collision></link></robot>'
    )
    pack = make_pack(tmp_path / "pack", f"{GOOGLE}/m/here.obj")
    (pack / GOOGLE / "google_robot_meta_sim_fix_wheel_fix_fingertip.urdf").write_text(urdf)
    assets = Assets([pack])
    link = ElementTree.parse(assets.robot_urdf("google_robot", "")).getroot().find("link")
    assert link is not None
    assert [mesh.get("filename") for mesh in link.findall("visual/geometry/mesh")] == [str(pack / GOOGLE / "m/here.obj")]
    assert link.find("collision/geometry/cylinder") is not None
    assert link.find("collision/geometry/mesh") is None
    assert f"{GOOGLE}/m/absent.stl" in assets.record().stand_ins


@pytest.mark.parametrize("lies_there", ["folder", "link", "loop", "link of its folder"])
def test_what_lies_in_the_place_of_a_file_is_broken_and_never_quietly_a_stand_in(tmp_path, lies_there):
    photo = "data/real_inpainting/bridge_real_eval_1.png"
    place = make_pack(tmp_path / "pack", f"{COKE}/collision.obj") / photo
    if lies_there == "link of its folder":
        place.parent.symlink_to("gone")
    else:
        place.parent.mkdir()
        place.mkdir() if lies_there == "folder" else place.symlink_to("gone" if lies_there == "link" else place.name)
    with pytest.raises(UserError, match=r"bridge_real_eval_1.png in .* is broken: it "):
        Assets([tmp_path / "pack"]).path(photo)
    fallback = Assets([tmp_path / "pack"], fallback=True)
    assert fallback.path(photo).is_file()
    assert list(fallback.record().broken) == [photo]


def test_a_pack_that_is_none_says_where_it_was_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"gone does not exist \(so says SIMPLER_EVAL_ASSETS\)"):
        Assets.from_option(None)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is no asset folder"):
        Assets([tmp_path / "file"])
