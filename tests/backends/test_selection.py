"""A run's record of its world before anything is played."""

from __future__ import annotations

import pytest
from original_interpreter import interpreter

from eval.backends.selection import find_backend
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.header import RenderingRecord

PLAN = make_plan(tasks=["widowx_carrot_on_plate"], limit=2)
TRACED = [spec.model_copy(update={"shader": "rt"}) for spec in PLAN]


def test_how_rays_are_traced_belongs_to_a_world_only_where_an_episode_asks_for_it():
    assert find_backend("simpler-eval", None, None, "raster", PLAN).identity.rendering is None
    traced = find_backend("simpler-eval", None, None, "raster", TRACED).identity
    assert (traced.name, traced.rendering) == ("simpler-eval", RenderingRecord(rt="raster"))


def test_the_original_is_known_by_its_versions(tmp_path):
    identity = find_backend("simpler-env", interpreter(tmp_path), None, "auto", PLAN).identity
    assert (identity.name, identity.rendering) == ("simpler-env", None)
    assert identity.versions["sapien"] == "2.2.2"
    assert identity.versions.keys() == {"sapien", "simpler_env", "mani_skill2_real2sim"}
    with pytest.raises(UserError, match=r"--rt fast is a way of our own world; with --world simpler-env use trace or raster"):
        find_backend("simpler-env", interpreter(tmp_path), None, "fast", TRACED)


def test_a_users_world_is_known_by_its_module_and_that_by_its_content(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    codes = []
    for text in ("x = 1", "x = 2", "x = 1"):
        (tmp_path / "world_of_mine.py").write_text(text)
        identity = find_backend("world_of_mine", None, None, "auto", TRACED).identity
        assert (identity.name, identity.versions, identity.rendering) == ("world_of_mine", {}, None)
        codes.append(identity.code)
    assert codes[0] == codes[2] != codes[1]


def test_a_worlds_hash_covers_what_its_module_imports(tmp_path, monkeypatch, make_spec):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_world.py").write_text("def late():\n    from world_part import x\n")

    def code(part):
        (tmp_path / "world_part.py").write_text(part)
        return find_backend("a_world", None, None, "auto", [make_spec(0)]).identity.code

    assert len({code("x = 1"), code("x = 22")}) == 2
    assert code("x = 1") == code("x = 1")
