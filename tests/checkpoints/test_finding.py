"""Which checkpoints there are, of which step, and whether they are complete."""

from __future__ import annotations

import json

import pytest

from eval.checkpoints.finding import Watched, find_checkpoints, step_of, what_is_missing
from eval.errors import UserError


def written(folder, shards=0):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    if not shards:
        (folder / "model.safetensors").write_text("1")
        return folder
    names = [f"model-{n + 1:05d}-of-{shards:05d}.safetensors" for n in range(shards)]
    for name in names:
        (folder / name).write_text("1")
    index = {"weight_map": {f"layer{n}": name for n, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-1000", 1000), ("step_500", 500), ("run7--12000_chkpt", 12000), ("openvla-7b-step-30", 30),
        ("tracevla_phi3v@step_20", 20), ("epoch=3", 3), ("final", None), ("step_99999999999999999999", None), ("0500", 500),
    ],
)  # fmt: skip
def test_the_step_is_in_the_name(name, step):
    assert step_of(name) == step


def test_a_folder_stands_for_the_checkpoints_in_it_by_step(tmp_path):
    for step in (1000, 200, 30):
        written(tmp_path / "training" / f"checkpoint-{step}", shards=2)
    (tmp_path / "training" / "logs").mkdir()
    written(tmp_path / "training" / "tmp-checkpoint-5")
    found = find_checkpoints([str(tmp_path / "training")])
    assert [(c.name, c.step) for c in found] == [("checkpoint-30", 30), ("checkpoint-200", 200), ("checkpoint-1000", 1000)]
    written(tmp_path / "other" / "checkpoint-30")
    found = find_checkpoints([str(tmp_path / "training"), str(tmp_path / "other" / "checkpoint-30"), "owner/name@step_7"])
    assert [c.name for c in found] == ["training-checkpoint-30", "checkpoint-200", "checkpoint-1000", "other-checkpoint-30",
                                       "name_step_7"], "trainings as they were given: one may go on from another"  # fmt: skip


def test_a_link_to_a_checkpoint_beside_it_is_no_further_one(tmp_path):
    """Trainings leave a ``latest`` or ``best`` that leads to one of them."""
    training = tmp_path / "training"
    for step in (1, 2):
        written(training / f"step-{step}")
    (training / "best").symlink_to("step-1")
    (training / "latest").symlink_to(training / "step-2")
    (training / "start").symlink_to(written(tmp_path / "elsewhere" / "pretrained"))
    names = ["pretrained", "step-1", "step-2"]
    assert sorted(c.name for c in find_checkpoints([str(training)])) == names
    assert [c.step for c in find_checkpoints([str(training / "latest")])] == [2]
    watched = Watched(training)
    watched.look()
    assert sorted(c.name for c in watched.look()) == ["start", "step-1", "step-2"]
    (training / "latest").unlink()
    (training / "latest").symlink_to(written(training / "step-3"))
    watched.look()
    assert [c.name for c in watched.look()] == ["step-3"]


def test_what_cannot_be_found_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    written(tmp_path / "one")
    for texts, said in (
        ([tmp_path / "empty"], "holds no checkpoint"),
        ([tmp_path / "absent"], "is no folder"),
        ([tmp_path / "one", tmp_path / "one" / "../one"], "is given twice"),
    ):
        with pytest.raises(UserError, match=said):
            find_checkpoints([str(text) for text in texts])


def test_no_two_checkpoints_ever_share_a_run(tmp_path):
    """Nor does one take the place of the table."""
    names = ["a b", "a_b", "a+b", "checkpoints.md", "final"]
    for name in names:
        written(tmp_path / name)
    together = {checkpoint.text: checkpoint.name for checkpoint in find_checkpoints([str(tmp_path)])}
    assert len({*together.values(), "checkpoints.md"}) == len(names) + 1
    assert together[str(tmp_path / "final")] == "final"
    for text, name in together.items():  # whatever comes beside it
        assert [checkpoint.name for checkpoint in find_checkpoints([text])] == [name]


def test_a_checkpoint_is_complete_with_its_index_and_all_that_it_names(tmp_path):
    folder = written(tmp_path / "step-1", shards=3)
    assert what_is_missing(folder) is None
    (folder / "model-00002-of-00003.safetensors").unlink()
    assert "model-00002-of-00003.safetensors of model.safetensors.index.json is not there" in what_is_missing(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"layer')
    assert "model.safetensors.index.json is no index" in what_is_missing(folder)
    for content in ('{"weight_map": {}}', '{"weight_map": {"a": 3, "b": "c"}}', "[" * 100_000, "\udcff"):
        (folder / "model.safetensors.index.json").write_bytes(content.encode(errors="surrogateescape"))
        assert "model.safetensors.index.json is no index" in what_is_missing(folder)
    (folder / "model.safetensors.index.json").unlink()
    assert "index of its files is not there" in what_is_missing(folder)
    (written(tmp_path / "step-2") / "config.json").unlink()
    assert "config.json is not there" in what_is_missing(tmp_path / "step-2")


def test_a_watched_checkpoint_counts_once_it_no_longer_grows(tmp_path):
    watched = Watched(tmp_path)
    assert watched.look() == []
    folder = written(tmp_path / "step-1")
    assert watched.look() == []  # seen for the first time
    (folder / "model.safetensors").write_text("longer")
    assert watched.look() == []  # it has grown
    assert [c.name for c in watched.look()] == ["step-1"]
    assert watched.look() == []  # given once
    assert watched.rewritten() == []
    (folder / "model.safetensors").write_text("as a training does with its newest")
    assert (watched.look(), [c.name for c in watched.rewritten()]) == ([], ["step-1"])
    folder = written(tmp_path / "step-2", shards=2)
    (folder / "model.safetensors.index.json").unlink()
    assert [watched.look() for _ in range(3)] == [[], [], []]  # stable, but not complete
    with pytest.raises(UserError, match="is no folder"):
        Watched(tmp_path / "absent")
