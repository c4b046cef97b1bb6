"""Fetching the original data, from a git repository made here: pinned, checked, resumed, and refused when it differs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from eval.assets import fetch as fetching
from eval.assets.checksums import file_checksum
from eval.assets.fetch import DONE, fetch_assets, fetched_folder
from eval.assets.manifest import Manifest, differing, original_assets
from eval.errors import UserError

IDENTITY = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
NAMES = [f"data/custom/models/m{i}/collision.obj" for i in range(30)] + ["data/real_inpainting/a [1].png", "LICENSE"]


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **IDENTITY}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with our files, others beside them, and a later commit that changed one."""
    folder = tmp_path / "origin"
    for name in (*NAMES, "data/unused/backup.glb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}\n")
    git(folder, "init", "-q")
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(folder, "config", key, "true")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "the one")
    git(folder, "tag", "pinned")
    (folder / NAMES[3]).write_text("changed later\n")
    git(folder, "commit", "-q", "-am", "a later one")
    return folder


@pytest.fixture
def manifest(origin: Path) -> Manifest:
    files = {name: git(origin, "rev-parse", f"pinned:{name}") for name in NAMES}
    return Manifest(about="", repository=f"file://{origin}", commit=git(origin, "rev-parse", "pinned"), files=files)


def test_only_the_listed_files_of_the_pinned_commit_are_fetched(tmp_path: Path, manifest: Manifest) -> None:
    seen: list[tuple[int, int]] = []
    folder = fetch_assets(tmp_path / "to", manifest=manifest, progress=lambda *n: seen.append(n))
    assert folder == tmp_path / "to"
    assert not differing(folder, manifest.files)
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts}
    assert present == {*NAMES, DONE}
    assert seen == [(0, 32), (24, 32), (32, 32)]
    unused = git(folder, "rev-parse", f"{manifest.commit}:data/unused/backup.glb")
    listed = git(folder, "cat-file", "--batch-check", "--batch-all-objects")
    assert unused not in listed  # not even its content was downloaded
    assert fetched_folder(folder) == folder


def test_an_interrupted_fetch_goes_on(tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BATCH", 10)

    def interrupt(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    target = tmp_path / "to"
    with pytest.raises(KeyboardInterrupt):
        fetch_assets(target, manifest=manifest, progress=interrupt)
    assert not target.exists()
    with pytest.raises(UserError, match="simpler-eval assets fetch"):
        fetched_folder(target)
    part = tmp_path / ".to.part"
    first = (part / NAMES[0]).stat().st_mtime_ns
    (part / NAMES[15]).write_text("torn")  # and one that was being written
    (part / ".git" / "index.lock").touch()  # by a git that was killed
    seen: list[int] = []
    fetch_assets(target, manifest=manifest, progress=lambda done, total: seen.append(done))
    assert seen == [19, 29, 32]
    assert (target / NAMES[0]).stat().st_mtime_ns == first
    assert not differing(target, manifest.files)
    assert not part.exists()


def test_a_checksum_that_differs_is_named_and_refused(tmp_path: Path, origin: Path, manifest: Manifest) -> None:
    later = manifest.model_copy(update={"commit": git(origin, "rev-parse", "HEAD")})
    with pytest.raises(UserError) as caught:
        fetch_assets(tmp_path / "to", manifest=later)
    said = str(caught.value)
    assert f"The checksum of {NAMES[3]} differs" in said
    assert git(origin, "rev-parse", f"HEAD:{NAMES[3]}") in said
    assert manifest.files[NAMES[3]] in said
    assert "\n" not in said
    assert not (tmp_path / "to").exists()
    more = manifest.model_copy(update={"files": {**manifest.files, "data/gone.obj": "0" * 40}})
    with pytest.raises(UserError, match=r"data/gone\.obj is not in commit .* not used"):
        fetch_assets(tmp_path / "to", manifest=more)


def test_damage_to_fetched_data_is_repaired(tmp_path: Path, origin: Path, manifest: Manifest) -> None:
    target = fetch_assets(tmp_path / "to", manifest=manifest)
    (target / NAMES[5]).write_text("damaged")
    (target / NAMES[6]).unlink()
    origin.rename(tmp_path / "away")  # what was downloaded once is not needed again
    assert differing(target, manifest.files) == {NAMES[5]: file_checksum(target / NAMES[5]), NAMES[6]: "absent"}
    assert fetch_assets(target, manifest=manifest) == target
    assert not differing(target, manifest.files)


def test_damage_is_repaired_from_the_repository_that_is_named(tmp_path: Path, origin: Path, manifest: Manifest) -> None:
    folder = fetch_assets(tmp_path / "data", manifest=manifest)
    name = next(iter(manifest.files))
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(b"damaged")
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").mkdir()
    origin.rename(tmp_path / "moved")
    with pytest.raises(UserError):
        fetch_assets(folder, manifest=manifest)
    fetch_assets(folder, f"file://{tmp_path}/moved", manifest)
    assert (folder / name).read_bytes() == whole


@pytest.mark.parametrize("wrong", ["repository", "commit"])
def test_what_cannot_be_fetched_is_one_line(tmp_path: Path, manifest: Manifest, wrong: str) -> None:
    value = f"file://{tmp_path}/nowhere" if wrong == "repository" else "f" * 40
    with pytest.raises(UserError, match="cannot be fetched: git fetch: ") as caught:
        fetch_assets(tmp_path / "to", manifest=manifest.model_copy(update={wrong: value}))
    assert "\n" not in str(caught.value)


def test_a_foreign_folder_is_left_alone(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="was not made by `assets fetch`"):
        fetch_assets(tmp_path, manifest=manifest)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, manifest: Manifest) -> None:
    """As in a home that is not writable, where the cache lies."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file/below cannot be made: Not a directory; choose another --to"):
        fetch_assets(tmp_path / "file/below", manifest=manifest)


def test_without_git_one_line_says_so(tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs git"):
        fetch_assets(tmp_path / "to", manifest=manifest)


def test_the_command(
    tmp_path: Path, origin: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from eval.cli import main

    elsewhere = manifest.model_copy(update={"repository": "https://nowhere.invalid/x.git"})
    monkeypatch.setattr(fetching, "original_assets", lambda: elsewhere)
    monkeypatch.setattr(fetching, "cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(SystemExit) as end:
        main(["assets", "fetch", "--repository", f"file://{origin}"])
    assert end.value.code in (0, None)
    folder = tmp_path / "cache" / "original-assets" / manifest.commit[:12]
    assert f'--assets "{folder}"' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["assets", "path"])
    assert capsys.readouterr().out == f"{folder}\n"


def test_the_pinned_list_is_that_of_the_original() -> None:
    manifest = original_assets()
    assert len(manifest.files) == 475
    assert manifest.commit == "ef7a4d4fdf4b69f2c2154db5b15b9ac8dfe10682"
    assert all(len(blob) == 40 for blob in manifest.files.values())
    assert "data/hab2_bench_assets/stages/google_pick_coke_can_1_v4.glb" in manifest.files
