"""A broken file of a pack is named in one line; the run goes on with a stand-in only with --assets-fallback."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from eval.assets.inspection import companions, find_problem
from eval.assets.options import FALLBACK, assets_text
from eval.assets.resolver import Assets
from eval.assets.stand_ins import stand_in_path
from eval.errors import UserError

COKE = "data/custom/models/opened_coke_can"
GOOGLE = "mani_skill2_real2sim/assets/descriptions/googlerobot_description"
URDF = "google_robot_meta_sim_fix_wheel_fix_fingertip.urdf"
PHOTO = "data/real_inpainting/bridge_real_eval_1.png"
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")


def stl(triangles: int, written: int) -> bytes:
    return bytes(80) + struct.pack("<I", triangles) + bytes(50 * written)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


def write(pack: Path, name: str, content: bytes | str) -> Path:
    path = pack / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.obj", OBJ, None),
        ("a.obj", OBJ.replace("1 2 3", "1/1 2/2 3/3"), None),
        ("a.obj", "", "it is empty"),
        ("a.obj", "f 1 2 3\n", "no vertices"),
        ("a.obj", "v 0 0 0\n", "no faces"),
        ("a.obj", OBJ.replace("1 2 3", "1 2 9"), "names vertex 9 of 3"),
        ("a.obj", OBJ.replace("1 2 3", "1 2 x"), "not a list of numbers"),
        ("a.png", png(), None),
        ("a.png", png()[:-5], "ends too early"),
        ("a.png", png().replace(b"IDAT", b"IDAU"), "checksum"),
        ("a.png", b"GIF89a", "no PNG"),
        ("a.jpg", b"\xff\xd8 data \xff\xd9\0", None),
        ("a.jpg", b"\xff\xd8 data", "ends too early"),
        ("a.stl", stl(2, 2), None),
        ("a.STL", stl(2, 1), "does not fit"),
        ("a.stl", "solid x\nendsolid x\n", None),
        ("a.glb", b"glTF" + struct.pack("<IIII", 2, 24, 2, 0) + b"{}  ", None),
        ("a.glb", b"glTF" + struct.pack("<IIII", 2, 99, 2, 0) + b"{}  ", "24 of 99 bytes"),
        ("a.glb", b"glTF" + struct.pack("<IIII", 2, 24, 4, 0) + b"{]  ", "cannot be parsed"),
        ("a.dae", "<COLLADA><geometry/></COLLADA>", None),
        ("a.dae", "<COLLADA><geometry/>", "broken XML"),
        ("a.dae", "<COLLADA/>", "no geometry"),
        ("a.urdf", "<robot><link name='a'/></robot>", None),
        ("a.urdf", "<robot><link", "broken XML"),
        ("a.urdf", "<robot/>", "no link"),
        ("a.json", "{", None),
    ],
)
def test_what_is_broken_and_why(tmp_path: Path, name: str, content: bytes | str, said: str | None) -> None:
    problem = find_problem(write(tmp_path, name, content))
    assert (problem is None) if said is None else (problem is not None and said in problem[1])


def test_our_own_stand_ins_are_well() -> None:
    for name in (f"{COKE}/collision.obj", f"{COKE}/textured.glb", PHOTO, f"{GOOGLE}/{URDF}"):
        path = stand_in_path(name)
        assert path is not None
        assert find_problem(path) is None


def test_a_texture_is_found_through_its_material(tmp_path: Path) -> None:
    mesh = write(tmp_path, "a.obj", "mtllib my a.mtl\n" + OBJ)
    write(tmp_path, "my a.mtl", "newmtl x\nmap_Kd -o 0.1 skin.png\nmap_Ks absent.png\n")
    texture = write(tmp_path, "skin.png", png()[:-5])
    assert companions(mesh) == [tmp_path / "my a.mtl", texture]
    assert find_problem(mesh) == (texture, "the image ends too early")
    collada = write(tmp_path, "b.dae", "<COLLADA><geometry/><init_from>skin.png</init_from><init_from>id</init_from></COLLADA>")
    assert find_problem(collada) == (texture, "the image ends too early")
    texture.write_bytes(png())
    assert find_problem(mesh) is None


@pytest.mark.parametrize(
    ("name", "content", "use", "said"),
    [
        (f"{COKE}/collision.obj", "v 0 0 0\n", lambda a: a.collision("opened_coke_can"), "it holds no faces"),
        (f"{COKE}/textured.dae", "<COLLADA>", lambda a: a.visual("opened_coke_can"), "broken XML"),
        (PHOTO, b"\x89PNG", lambda a: a.path(PHOTO), "no PNG"),
        (f"{GOOGLE}/{URDF}", "<robot><link", lambda a: a.robot_urdf("google_robot"), "broken XML"),
    ],
)
def test_a_broken_file_is_named_and_its_stand_in_is_taken_only_if_asked(pack: Path, name, content, use, said) -> None:
    write(pack, name, content)
    with pytest.raises(UserError) as caught:
        use(Assets([pack]))
    assert name in str(caught.value)
    assert said in str(caught.value)
    assert "--assets-fallback" in str(caught.value)
    assert "\n" not in str(caught.value)
    assets = Assets([pack], fallback=True)
    assert not use(assets).is_relative_to(pack)
    assert said in assets.record().broken[name]


def test_a_broken_texture_takes_the_whole_mesh_with_it(pack: Path) -> None:
    write(pack, f"{COKE}/textured.obj", "mtllib a.mtl\n" + OBJ)
    write(pack, f"{COKE}/a.mtl", "map_Kd skin.jpg\n")
    write(pack, f"{COKE}/skin.jpg", b"\xff\xd8")
    with pytest.raises(UserError, match=rf"asset {COKE}/skin\.jpg in .* is broken: the image ends too early"):
        Assets([pack]).visual("opened_coke_can")
    assets = Assets([pack], fallback=True)
    assert not assets.visual("opened_coke_can").is_relative_to(pack)
    assert list(assets.record().broken) == [f"{COKE}/skin.jpg"]


def test_a_broken_mesh_of_a_robot_takes_our_shape(pack: Path) -> None:
    shape = "<geometry><mesh filename='m/a.stl'/></geometry>"
    write(pack, f"{GOOGLE}/{URDF}", f"<robot><link name='link_gripper'><collision>{shape}</collision></link></robot>")
    write(pack, f"{GOOGLE}/m/a.stl", stl(3, 1))
    with pytest.raises(UserError, match=r"m/a\.stl"):
        Assets([pack]).robot_urdf("google_robot")
    assert b"cylinder" in Assets([pack], fallback=True).robot_urdf("google_robot").read_bytes()


def test_a_broken_collision_mesh_gives_up_the_recorded_mass_too(pack: Path) -> None:
    write(pack, f"{COKE}/collision.obj", "v 0 0 0\n")
    assert Assets([pack], fallback=True).collision_is_builtin("opened_coke_can")


def test_the_next_pack_comes_before_the_stand_in(tmp_path: Path) -> None:
    packs = [tmp_path / name for name in ("a", "b")]
    for folder, text in zip(packs, ("v 0 0 0\n", OBJ), strict=True):
        write(folder, f"{COKE}/collision.obj", text)
    assert Assets(packs, fallback=True).collision("opened_coke_can").is_relative_to(packs[1])


def test_the_option_is_part_of_the_text(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    assert assets_text("x", False) == "x"
    assert assets_text(None, False) is None
    assert assets_text(None, True) == FALLBACK
    assets = Assets.from_option(assets_text(str(pack), True))
    assert (assets.packs, assets.fallback) == ((pack,), True)
    assert not Assets.from_option(str(pack)).fallback
    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", str(pack))
    assert assets_text(None, True) == f"{pack},{FALLBACK}"
