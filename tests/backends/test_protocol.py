"""Messages and images between two processes, and the one thing the other interpreter may load of ours."""

from __future__ import annotations

import ast
import importlib.util
import multiprocessing
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from eval.backends import privileged, protocol
from eval.backends.simpler_env import interpreter
from policies.base import DrawerState, Privileged

FILE = Path(protocol.__file__)
POSE = np.linspace(0.1, 0.7, 7)
STATE = Privileged(
    "place", {"apple": POSE}, {"apple": np.array([[-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]])}, {"target": "apple"}, POSE, -POSE,
    DrawerState(0.1 + 0.2, POSE),
)  # fmt: skip


@pytest.fixture
def loaded_by_path():
    """The protocol as the other interpreter knows it: under another name."""
    spec = importlib.util.spec_from_file_location("protocol_by_path", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("with_drawer", [True, False])
def test_messages_of_one_side_are_messages_of_the_other(loaded_by_path, with_drawer):
    ours, theirs = multiprocessing.Pipe()
    message = privileged.to_message(STATE)
    if not with_drawer:
        message = message._replace(drawer=None)
    state = protocol.State(3, "open the drawer", (0.1,) * 7, 0.5, (0.2, 0.3), True, False, "{}", message)
    protocol.send(ours, state)
    there = loaded_by_path.receive(theirs)
    assert type(there) is loaded_by_path.State
    assert there == state
    loaded_by_path.send(theirs, there)
    back = protocol.receive(ours)
    assert type(back) is protocol.State
    assert type(back.privileged) is protocol.PrivilegedState
    assert back == state


def test_no_digit_of_the_privileged_state_is_lost():
    state = privileged.from_message(privileged.to_message(STATE))
    np.testing.assert_array_equal(state.objects["apple"], POSE)
    np.testing.assert_array_equal(state.boxes["apple"], STATE.boxes["apple"])
    np.testing.assert_array_equal(state.base, -POSE)
    assert state.drawer is not None
    assert (state.family, state.roles, state.drawer.opening) == ("place", {"target": "apple"}, 0.1 + 0.2)


def test_both_ends_see_the_same_images():
    ours, theirs = multiprocessing.Pipe()
    shared = protocol.ImagesShared(2, 3, 4)
    memories = []
    maker = threading.Thread(target=lambda: memories.append(protocol.share_images(ours, os.getpid(), shared)))
    maker.start()
    announced = protocol.receive(theirs)
    assert announced == shared
    memory = protocol.receive_images(theirs, announced)
    maker.join()
    np.frombuffer(memories[0], np.uint8).reshape(2, 3, 4, 3)[1, 2] = 7
    assert np.frombuffer(memory, np.uint8).reshape(2, 3, 4, 3)[1, 2].tolist() == [[7, 7, 7]] * 4


@pytest.mark.parametrize("file", [FILE, interpreter.WORKER], ids=lambda file: file.name)
def test_python_3_8_reads_what_the_originals_interpreter_runs(file):
    tree = ast.parse(file.read_text(), feature_version=(3, 8))
    run = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    skipped = [node for block in ast.walk(tree) if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
               for child in block.body for node in ast.walk(child)]  # fmt: skip
    names = {alias.name if isinstance(node, ast.Import) else str(node.module) for node in run if node not in skipped
             for alias in node.names}  # fmt: skip
    theirs = {"numpy", "sapien", "simpler_env", "mani_skill2_real2sim"}
    assert {name.split(".")[0] for name in names} - theirs <= sys.stdlib_module_names
