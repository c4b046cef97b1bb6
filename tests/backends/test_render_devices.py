"""The device that renders: named by the user, used or refused, recorded, and no part of what a run is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from fake_policies import Still

from eval.backends import render_devices
from eval.backends.render_devices import RenderDevice, find_render_device
from eval.backends.selection import find_backend
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.rollout.run import run

LAVAPIPE = RenderDevice(name="llvmpipe", pci="0000:00:00.0", is_cpu=True)
CARDS = [
    RenderDevice(name="H100", pci="0000:0a:00.0", cuda=1),
    RenderDevice(name="H100", pci="0000:1b:00.0", cuda=0),
    RenderDevice(name="Radeon", pci="0000:41:00.0"),
    LAVAPIPE,
]
KEPT_ON = """
import json, subprocess, sys
from eval.sim.physics import kept_renderer
from eval.sim.probe import render_box

def used():
    fields = "--query-gpu=pci.bus_id,memory.used"
    rows = subprocess.check_output(["nvidia-smi", fields, "--format=csv,noheader,nounits"], text=True).splitlines()
    return {bus.lower()[4:]: int(mib) for bus, mib in (row.split(", ") for row in rows)}

before = used()
renderer = kept_renderer(sys.argv[1])
render_box(renderer, (1, 0, 0), 0.5, (640, 512))
print(json.dumps({"pci": renderer.device.pci_string, "more": {bus: mib - before[bus] for bus, mib in used().items()}}))
"""


@pytest.fixture
def machine(monkeypatch):
    """A machine with these devices."""

    def have(*devices):
        monkeypatch.setattr(render_devices, "render_devices", lambda: list(devices))

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    have(*CARDS)
    return have


@pytest.mark.parametrize(
    ("name", "pci"),
    [("cuda", "1b"), ("cuda:1", "0a"), ("CUDA:0", "1b"), ("cpu", "00"), ("pci:0000:41:00.0", "41"), ("pci:0a:00.0", "0a")],
)
def test_devices_are_called_as_cuda_counts_or_by_their_address(machine, name, pci):
    assert find_render_device(name).pci == f"0000:{pci}:00.0"


def test_a_device_that_is_not_there_is_one_line_with_those_that_are(machine, monkeypatch, cli):
    code, _, said = cli("run", "--render-device", "cuda:2", "--task", "widowx_carrot_on_plate", "--limit", 1)
    listed = "cuda:1 (H100), cuda:0 (H100), pci:0000:41:00.0 (Radeon), cpu (llvmpipe)."
    assert (code, said) == (
        2,
        f"simpler-eval: --render-device cuda:2 is not possible. Devices that can render here: {listed}\n",
    )
    for verb in ("smoke", "demo", "bench sim --workers 1", "bench policy oracle", "reproduce oracle google_robot_move_near"):
        code, _, said = cli(*verb.split(), "--render-device", "gpu")
        assert code == 2, verb
        assert said.startswith('simpler-eval: --render-device "gpu" is not known; use cuda, cuda:N, cpu or pci:ADDRESS.'), verb
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=1 may hide others"):
        find_render_device("cuda:7")
    machine()
    with pytest.raises(UserError, match="No Vulkan device"):
        find_render_device("cuda")
    machine(RenderDevice(name="T4", pci="0000:00:1e.0", cuda=0), LAVAPIPE)
    with pytest.raises(UserError, match="SAPIEN cannot tell it from cuda:0"):
        find_render_device("cpu")


def test_the_worker_gets_it_and_the_identity_does_not(machine):
    plan = make_plan(tasks="widowx_carrot_on_plate", limit=1)
    plain, chosen = (find_backend("simpler-eval", None, None, "auto", plan, device) for device in (None, "cpu"))
    assert chosen.worker.options.render_device == "pci:0000:00:00.0"  # "cpu" would be the best GPU to SAPIEN
    assert plain.identity == chosen.identity


class OnDevice(Still):
    def __init__(self, device="auto"):
        self.device = device

    def describe(self):
        return {"name": "net", "device": self.device}


def test_a_gpu_is_the_policys_too_unless_it_is_given_another(tmp_path, machine, make_spec, monkeypatch):
    import simpler_eval

    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    (tmp_path / "net.py").write_text("from fake_policies import Still\nfrom test_render_devices import OnDevice as Net\n")
    monkeypatch.syspath_prepend(os.path.dirname(__file__))

    def device(world, **options):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        data = run([make_spec(0)], f"{tmp_path}/net.py:Net", world=world, workers=1, out=out, **options)
        return data.header.world.render_device, data.header.policy.details["device"], data.header.options.policy_args

    (tmp_path / "chosen_world.py").write_text(
        "from fake_world import FakeWorld\n\n\nclass Chosen(FakeWorld):\n    def describe(self):\n"
        "        return super().describe().model_copy(update={'render_device': self.options.render_device})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert device("chosen_world", render_device="cuda:1") == ("cuda:1", "cuda:1", {})
    given = {"device": "cpu"}
    assert device("chosen_world", render_device="cuda:1", policy_args=given) == ("cuda:1", "cpu", given)
    assert device("chosen_world", render_device="cpu") == ("cpu", "auto", {})
    assert device("chosen_world") == (None, "auto", {})
    with pytest.raises(UserError, match="a fake world does not render on a chosen device; leave --render-device out"):
        device("fake_world", render_device="cuda:1")


def test_our_own_world_renders_there_and_says_so(tmp_path, cli):
    if not any(device.is_cpu for device in render_devices.render_devices()):
        pytest.skip("no software renderer here")
    arguments = "run --task widowx_carrot_on_plate --limit 1 --max-steps 1 --policy random --video all --render-device cpu"
    assert cli(*arguments.split(), "--out", tmp_path / "run")[0] == 0
    world = load_run(tmp_path / "run").header.world
    assert world.render_device == "cpu"
    assert "pci:0000:00:00.0" in world.device


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA card here")
def test_each_card_of_a_machine_with_several_is_the_one_that_renders():
    fields = ["nvidia-smi", "--query-gpu=pci.bus_id", "--format=csv,noheader"]
    cards = [line.strip().lower()[4:] for line in subprocess.check_output(fields, text=True).splitlines()]

    def kept_on(name, **variables):
        environment = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **variables}
        done = subprocess.run(
            [sys.executable, "-c", KEPT_ON, name], env=environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])

    for number, pci in enumerate(cards):
        seen = kept_on(f"cuda:{number}")
        assert seen["pci"] == pci
        assert max(seen["more"], key=seen["more"].get) == pci
        seen = kept_on("cuda:0", CUDA_VISIBLE_DEVICES=str(number))
        assert seen["pci"] == pci, "CUDA_VISIBLE_DEVICES renumbers what renders, too"
