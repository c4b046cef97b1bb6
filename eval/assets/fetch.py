"""Getting the original data: a sparse git clone at the pinned commit, checked file by file.

Only the listed files are downloaded, in batches: after an interruption, the next call goes on with the batch that was
interrupted. The folder appears under its name only when every file is there and has the right checksum.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from eval.assets.cache import cache_folder
from eval.assets.manifest import Manifest, differing, original_assets
from eval.errors import UserError
from eval.given import Text, absolute, text_of
from eval.nouns import noun

BATCH = 24
"""Files a request: few enough that an interrupted one costs little."""
DONE = "fetched.json"
Progress = Callable[[int, int], None]
"""Called with the number of files that are there, and the number of all."""


def default_folder(manifest: Manifest | None = None) -> Path:
    """Where the data goes by default; the name carries the commit."""
    return cache_folder() / "original-assets" / (manifest or original_assets()).commit[:12]


def fetched_folder(folder: Path | None = None) -> Path:
    """The folder of data that was fetched. Raises UserError if there is none."""
    folder = folder or default_folder()
    if not (folder / DONE).is_file():
        raise UserError(f"There is no fetched asset data in {folder}; get it with: simpler-eval assets fetch")
    return folder


def fetch_assets(
    folder: Text | None = None,
    repository: Text | None = None,
    manifest: Manifest | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Get the original data, or repair or complete what is there, and return its folder.

    Args:
        folder: where it goes; default: a folder of the user's cache.
        repository: another place of the same commit (a mirror, a local clone).
        manifest: what to get; default: what the tasks load.
        progress: called after every batch.

    Raises:
        UserError: git is absent, the repository cannot be read, lacks the commit, or has a file with another content
            than listed. What was downloaded stays for the next call.
    """
    manifest = manifest or original_assets()
    target = default_folder(manifest) if folder is None else Path(absolute(text_of(folder, "folder")))
    place = manifest.repository if repository is None else text_of(repository, "repository")
    if (target / DONE).is_file():
        done = _Clone(target)
        if repository is not None:
            done.come_from(place)
        _complete(done, manifest, progress)
        return target
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists and was not made by `assets fetch`; choose another --to.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{target} cannot be made: {error.strerror}; choose another --to.") from error
    clone = _Clone(part)
    clone.open(place, manifest)
    _refuse_other_content(clone, manifest)
    _complete(clone, manifest, progress)
    record = {"repository": place, "commit": manifest.commit, "files": len(manifest.files)}
    (part / DONE).write_text(json.dumps(record, indent=2) + "\n")
    if target.exists():
        target.rmdir()
    part.rename(target)
    return target


def _refuse_other_content(clone: _Clone, manifest: Manifest) -> None:
    """Compare the commit's list of files with ours before anything large is downloaded."""
    listed = clone.listing(manifest.commit)
    wrong = {name: listed.get(name, "absent") for name, blob in manifest.files.items() if listed.get(name) != blob}
    if wrong:
        _refuse(wrong, manifest, f"commit {manifest.commit[:12]} of {clone.repository()}")


def _complete(clone: _Clone, manifest: Manifest, progress: Progress) -> None:
    """Check out batch by batch what is absent or damaged, then compare everything once more."""
    names = list(manifest.files)
    todo = list(differing(clone.folder, manifest.files))
    progress(len(names) - len(todo), len(names))
    here = [name for name in names if name not in set(todo)]
    for start in range(0, len(todo), BATCH):
        batch = todo[start : start + BATCH]
        here += batch
        clone.check_out(manifest.commit, here, batch)
        progress(len(here), len(names))
    if wrong := differing(clone.folder, manifest.files):
        _refuse(wrong, manifest, str(clone.folder))


def _refuse(wrong: dict[str, str], manifest: Manifest, place: str) -> None:
    name, actual = next(iter(wrong.items()))
    more = f" ({len(wrong) - 1} more {noun(len(wrong) - 1, 'file differs', 'files differ')}.)" if len(wrong) > 1 else ""
    if actual == "absent":
        raise UserError(f"{name} is not in {place}: this is not the original data, and it is not used.{more}")
    raise UserError(
        f"The checksum of {name} differs: {place} has {actual}, expected is {manifest.files[name]}. "
        f"This is not the original data, and it is not used.{more}"
    )


class _Clone:
    """A partial clone whose files are checked out batch by batch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, repository: str, manifest: Manifest) -> None:
        """Create the clone or continue it, and get the commit with its lists, without file contents."""
        (self.folder / ".git" / "index.lock").unlink(missing_ok=True)  # left by a git that was killed
        self._git("init", "-q")
        self.come_from(repository)
        for key, value in (
            ("core.autocrlf", "false"),
            ("remote.origin.promisor", "true"),
            ("remote.origin.partialclonefilter", "blob:none"),
            ("gc.auto", "0"),
        ):
            self._git("config", key, value)
        self._git("fetch", "-q", "--depth", "1", "--filter=blob:none", "--no-tags", "origin", manifest.commit)

    def come_from(self, repository: str) -> None:
        """Take what is absent from there."""
        known = self._git("remote").split()
        self._git("remote", "set-url" if "origin" in known else "add", "origin", repository)

    def repository(self) -> str:
        """Where it comes from."""
        return self._git("remote", "get-url", "origin").strip()

    def listing(self, commit: str) -> dict[str, str]:
        """Blob id of every file of a commit."""
        entries = self._git("ls-tree", "-r", "-z", commit).split("\0")
        return {name: meta.split()[2] for meta, _, name in (entry.partition("\t") for entry in entries if entry)}

    def check_out(self, commit: str, here: list[str], batch: list[str]) -> None:
        """Widen the sparse checkout to ``here``; what is new or damaged (``batch``) is written afresh."""
        (self.folder / ".git" / "index.lock").unlink(missing_ok=True)
        for name in batch:
            (self.folder / name).unlink(missing_ok=True)
        patterns = "".join(f"/{_escaped(name)}\n" for name in here)
        self._git("sparse-checkout", "set", "--no-cone", "--stdin", text=patterns)
        self._git("checkout", "-q", "--detach", "--force", commit)

    def _git(self, *arguments: str, text: str | None = None) -> str:
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", *arguments]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, input=text, capture_output=True, text=True, check=True
            )
        except FileNotFoundError:
            raise UserError("`assets fetch` needs git, which is not installed; install git and try again.") from None
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()] or [f"exit code {error.returncode}"]
            reason = next((line for line in lines if line.startswith(("fatal", "error"))), lines[-1])
            raise UserError(
                f"The asset data cannot be fetched: git {arguments[0]}: {reason}. What is here stays; the same command goes on."
            ) from error
        return done.stdout


def _escaped(name: str) -> str:
    """A path as a pattern that means itself."""
    return "".join(f"\\{sign}" if sign in "\\*?[]!# " else sign for sign in name)
