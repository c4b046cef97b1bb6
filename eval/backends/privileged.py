"""The privileged state as it travels, and as policies read it."""

from __future__ import annotations

import numpy as np

from eval.backends import protocol
from policies.base import DrawerState, Privileged


def to_message(state: Privileged) -> protocol.PrivilegedState:
    """Plain numbers, double precision as before."""
    drawer = state.drawer
    return protocol.PrivilegedState(
        family=state.family,
        objects={name: tuple(pose.tolist()) for name, pose in state.objects.items()},
        boxes={name: (tuple(box[0].tolist()), tuple(box[1].tolist())) for name, box in state.boxes.items()},
        roles=dict(state.roles),
        tcp=tuple(state.tcp.tolist()),
        base=tuple(state.base.tolist()),
        drawer=None if drawer is None else protocol.DrawerState(drawer.opening, tuple(drawer.frame.tolist())),
    )


def from_message(message: protocol.PrivilegedState) -> Privileged:
    """Arrays, as policies read them."""
    drawer = message.drawer
    return Privileged(
        family=message.family,
        objects={name: np.array(pose, dtype=np.float64) for name, pose in message.objects.items()},
        boxes={name: np.array(box, dtype=np.float64) for name, box in message.boxes.items()},
        roles=message.roles,
        tcp=np.array(message.tcp, dtype=np.float64),
        base=np.array(message.base, dtype=np.float64),
        drawer=None if drawer is None else DrawerState(drawer.opening, np.array(drawer.frame, dtype=np.float64)),
    )
