"""The arrows between the rooms: every import of the project, also those inside functions, leads downwards.

Imports for type checkers alone (``if TYPE_CHECKING:``) are free. What has to be an exception is listed with its reason, and an
exception that is no longer needed fails as well.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).parents[1]
PACKAGES = ("eval", "policies", "task_configs")

LEVELS: tuple[tuple[str, ...], ...] = (
    ("eval.errors", "eval.given", "eval.nouns", "eval.version", "eval.statistics", "eval.wire"),
    ("task_configs",),
    ("eval.episode", "eval.options"),
    ("eval.tasks",),
    ("eval.simpler_api",),
    ("eval.plan",),
    ("eval.assets",),
    ("eval.sim",),
    ("eval.records",),
    ("eval.backends",),
    ("eval.datasets", "eval.sinks"),
    ("eval.rollout",),
    (
        "eval.annotation",
        "eval.published",
        "eval.serving",
        "eval.checkpoints",
        "eval.adapters",
        "eval.training",
        "eval.parity",
        "eval.diagnostics",
        "eval.simpler_api.dropin",
        "eval.simpler_env",
        "eval.interop",
    ),
    ("eval.comparison", "eval.audit"),
    ("eval.report",),
    ("eval.cli",),
)
"""Lowest first. A module belongs to the room with the longest matching name; rooms may know their own level and those below."""
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

OPEN_POLICIES = ("policies.base", "policies.registry", "policies.training")
"""All that the harness knows of policies."""
FRONT_DOOR = ("policies", "policies.one_robot")
"""``policies.load`` gives one."""
BEHIND_THE_REGISTRY = ("policies.loading", "policies.isolation", "policies.description", "policies.remote")
"""How the registry finds, loads and describes policies; private to it."""
SHARED_POLICY_PARTS = (
    *("policies.phi3v", "policies.trace", "policies.chunks", "policies.device_names", "policies.disturbance"),
    *("policies.motion", "policies.numbers", "policies.sticky_gripper"),
)
"""What several policies are made of; policies know no other policy."""

SAPIEN_ROOMS = ("eval.sim", "eval.backends.sapien3")
SAPIEN_EXCEPTIONS = {
    "eval.backends.render_devices": "asks SAPIEN what it can render with",
    "eval.backends.simpler_env.worker": "runs in the interpreter of the original, on its SAPIEN",
    "eval.diagnostics.vulkan": "checks whether SAPIEN can render here, before anything else is installed",
    "eval.parity.recordings.controller": "puts recorded joints into a robot without a world around it",
    "eval.parity.recordings.images": "puts recorded poses into a scene and renders it",
    "eval.parity.recordings.sequences": "puts recorded targets into a controller between two steps",
    "eval.simpler_api.dropin.infos": "callers of the original read poses of its info as SAPIEN poses",
    "eval.simpler_api.dropin.install": "callers of the original set SAPIEN's render_config",
    "eval.simpler_api.dropin.observations": "callers of the original read textures of cameras",
}
TORCH_ROOMS = ("policies.phi3v", "policies.trace")


class Import(NamedTuple):
    """``importer`` imports ``target`` in line ``line``; both are dotted names."""

    importer: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def imported(nodes: Iterable[ast.AST], module: str) -> Iterator[Import]:
    """Every import in some nodes and below, but those for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from imported(node.orelse, module)
        elif isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute"
            yield from (Import(module, f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        else:
            yield from imported(ast.iter_child_nodes(node), module)


@cache
def imports() -> tuple[Import, ...]:
    """Those of every file."""
    entries: list[Import] = []
    for path in sorted(path for package in PACKAGES for path in (REPO / package).rglob("*.py")):
        module = ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        entries += imported([ast.parse(path.read_text(encoding="utf-8"))], module)
    return tuple(entries)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def room_of(module: str) -> str | None:
    """The room of a module or of a name in it; policies have a room each."""
    if within(module, "policies"):
        return ".".join(module.split(".")[:2])
    return max((room for room in LEVEL_OF if within(module, room)), key=len, default=None)


def between_rooms() -> Iterator[tuple[str, str, Import]]:
    """(from, to, import) of every import that leaves its room."""
    for entry in imports():
        if within(entry.target, *PACKAGES):
            source, target = room_of(entry.importer), room_of(entry.target)
            assert source is not None, f"{entry.importer} belongs to no room: add it to LEVELS"
            assert target is not None, f"{entry}, which belongs to no room"
            if source != target:
                yield source, target, entry


def test_imports_are_seen_wherever_they_stand() -> None:
    source = "if TYPE_CHECKING:\n import a\nelse:\n import b\ndef f():\n from c import d\n"
    assert [entry.target for entry in imported([ast.parse(source)], "m")] == ["b", "c.d"]
    assert len(imports()) > 1000


def test_arrows_lead_downwards() -> None:
    wrong = [
        str(entry)
        for source, target, entry in between_rooms()
        if source in LEVEL_OF and target in LEVEL_OF and LEVEL_OF[target] > LEVEL_OF[source]
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_rooms_know_each_other_one_way_only() -> None:
    arrows: dict[str, set[str]] = {}
    for source, target, _ in between_rooms():
        arrows.setdefault(source, set()).add(target)
    assert not list(circles(arrows)), f"in circles: {', '.join(circles(arrows))}"


def circles(arrows: Mapping[str, set[str]]) -> Iterator[str]:
    """Rooms from which arrows lead back to themselves."""
    for start in sorted(arrows):
        seen: set[str] = set()
        ahead = [*arrows[start]]
        while ahead:
            room = ahead.pop()
            if room not in seen:
                seen.add(room)
                ahead += arrows.get(room, ())
        if start in seen:
            yield start


def test_the_harness_knows_no_concrete_policy() -> None:
    assert [str(e) for e in imports() if within(e.importer, "eval", "task_configs") and within(e.target, "policies")
            and not within(e.target, *OPEN_POLICIES)] == []  # fmt: skip


def test_policies_know_of_the_harness_only_its_errors_and_the_form_of_a_parity_report() -> None:
    """And those behind a wire what is said on it: our client and our server speak by the same functions."""

    def allowed(entry: Import) -> bool:
        parity = "parity" in entry.importer.split(".")
        remote = within(entry.importer, "policies.remote") and within(entry.target, "eval.wire")
        return within(entry.target, "eval.errors") or remote or (parity and within(entry.target, "eval.parity.report"))

    wrong = [str(e) for e in imports() if within(e.importer, "policies") and within(e.target, "eval") and not allowed(e)]
    assert not wrong, "\n".join(["", *wrong])


def test_policies_know_the_contract_and_shared_parts_and_no_other_policy() -> None:
    known = (*OPEN_POLICIES, *SHARED_POLICY_PARTS)
    wrong = [
        str(entry)
        for source, target, entry in between_rooms()
        if within(source, "policies")
        and within(target, "policies")
        and target not in known
        and (source, target) != FRONT_DOOR
        and not (source in (*OPEN_POLICIES, *BEHIND_THE_REGISTRY) and target in BEHIND_THE_REGISTRY)
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_task_configs_know_only_the_errors() -> None:
    outside = [e for e in imports() if within(e.importer, "task_configs") and within(e.target, "eval", "policies")]
    assert [str(entry) for entry in outside if not within(entry.target, "eval.errors")] == []


def test_only_the_world_imports_sapien() -> None:
    importers = {entry.importer for entry in imports() if within(entry.target, "sapien")}
    outside = {module for module in importers if not within(module, *SAPIEN_ROOMS)}
    assert sorted(outside - SAPIEN_EXCEPTIONS.keys()) == []
    assert sorted(SAPIEN_EXCEPTIONS.keys() - outside) == [], "no longer an exception: delete the line"


def test_only_the_networks_import_torch() -> None:
    importers = {entry.importer for entry in imports() if within(entry.target, "torch", "transformers")}
    assert sorted(module for module in importers if not within(module, *TORCH_ROOMS)) == []


def test_the_worker_of_the_original_needs_nothing_of_ours() -> None:
    """It is read by an older Python that has none of our packages; the messages beside it are named tuples."""
    worker = "eval.backends.simpler_env.worker"
    targets = [entry.target for entry in imports() if entry.importer == worker]
    assert targets
    assert [name for name in targets if within(name, *PACKAGES) and not within(name, "eval.backends.protocol")] == []


HEAVY_ON_PURPOSE = {
    "eval.simpler_env": "replaces a package that is a simulator: who imports it needs SAPIEN",
    "policies.phi3v.parity": "compares networks: its entry point is loaded by `parity model` alone",
}
"""Packages that load something heavy, with what is below them."""
HEAVY = ("sapien", "torch", "transformers")
LOAD_EACH = """
import importlib, os, sys
import numpy, pandas, pydantic, scipy.spatial.transform, typer, yaml  # what most need is loaded once
assert not {heavy} & sys.modules.keys()
for name in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()  # a process of its own for each: what one loads must not hide what the next one does
    if child == 0:
        importlib.import_module(name)
        loaded = sorted({heavy} & sys.modules.keys())
        if loaded:
            print(name, "loads", *loaded, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
""".format(heavy=set(HEAVY))
LIGHT_MODULES = (
    "eval.plan.suites", "eval.records.tables", "eval.records.folder", "eval.rollout.run", "eval.published.numbers",
    "eval.diagnostics.doctor", "eval.cli.app", "policies.base", "policies.registry",
)  # fmt: skip
"""Modules that plan, run, report and look, and so need neither a simulator nor a network in their own process."""


def test_packages_load_neither_sapien_nor_torch() -> None:
    """In a fresh process: what is loaded afterwards is what the import costs a user."""
    folders = {path.parent.relative_to(REPO) for package in PACKAGES for path in (REPO / package).rglob("__init__.py")}
    names = [".".join(folder.parts) for folder in sorted(folders) if not within(".".join(folder.parts), *HEAVY_ON_PURPOSE)]
    assert len(names) > 20
    command = [sys.executable, "-c", LOAD_EACH, *names, *LIGHT_MODULES]
    child = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPO)
    assert child.returncode == 0, child.stderr
    assert child.stdout == ""
