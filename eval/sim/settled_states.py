"""Where the objects of an episode come to rest, simulated once a process.

Settling costs about as much as ten control steps or more, and many episodes share it: of the 648 episodes with objects of
Google visual matching, four each differ in the robot's colours alone.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.contents import SettlingInputs, settling_inputs
from eval.sim.scene import build_bodies
from eval.sim.settling import Settled, settle

KEPT = 4096
"""Settled states kept at most; one takes some hundred bytes an object."""

_kept: OrderedDict[tuple[SettlingInputs, tuple[Path, ...], bool], tuple[Settled, ...]] = OrderedDict()


def settled_objects(spec: EpisodeSpec, assets: Assets) -> tuple[Settled, ...]:
    """State of every object of the episode, in the spec's order, when the robot is put in place."""
    if not spec.objects:
        return ()
    inputs = settling_inputs(spec)
    key = (inputs, assets.packs, assets.fallback)
    if key not in _kept:
        _kept[key] = settle_afresh(inputs, assets)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def settle_afresh(inputs: SettlingInputs, assets: Assets) -> tuple[Settled, ...]:
    """The same in a scene of its own, whatever was settled before; it depends on ``inputs`` alone, which are the key."""
    contents = inputs.contents
    settled = settle(
        contents.objects,
        lambda scene: build_bodies(scene, contents, assets, render=False).objects,
        inputs.sim_freq,
        inputs.contact_offset,
    )
    return tuple(settled)
