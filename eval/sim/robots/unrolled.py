"""Kinematics of one chain of revolute joints, written out joint by joint as straight Python.

The inverse kinematics take some 65 rounds a control step, each over 3x3 blocks: too small for numpy's calls, and in a loop
over joints Python mostly packs and unpacks. So the source of the functions is made from the chain's constants and compiled,
once a robot. It does the same arithmetic in the same order as loops over joints would, so that the bits are the same, too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from eval.sim.robots.rigid_motion import log6

Array = NDArray[np.float64]
Constant = tuple[float, ...]
"""(12,) rows of the (3, 4) transform from one joint's moving frame (at first the base) to the next joint's frame at rest."""

MAX_ITERATIONS = 100
TOLERANCE = 1e-4
STEP = 0.1
DAMPING = 1e-6 * np.eye(6)

Forward = Callable[..., tuple[float, ...]]
"""n angles -> (12,) rotation, row by row, and position of the last joint's moving frame in the base frame."""
Solve = Callable[..., tuple[float, ...] | None]
"""n angles to begin with, (9,) rotation and (3,) position of the goal of that frame -> n angles; None: not reached."""


@dataclass(frozen=True)
class ChainFunctions:
    """What :func:`unroll` makes; n = number of joints."""

    forward: Forward
    solve: Solve


def unroll(constants: Sequence[Constant]) -> ChainFunctions:
    """The functions of a chain whose joints turn about their x axes; ``constants`` from the base to the last joint."""
    n = len(constants)
    names: dict[str, Any] = {
        **{"cos": math.cos, "sin": math.sin, "sqrt": math.sqrt, "log6": log6, "dposv": dposv, "DAMPING": DAMPING},
        **{"frombuffer": np.frombuffer, "write": struct.Struct(f"{6 * n}d").pack_into},
    }
    exec(compile(_text(constants), f"<{__name__}: {n} joints>", "exec"), names)
    return ChainFunctions(names["forward"], names["solve"])


def _text(constants: Sequence[Constant]) -> str:
    """Source of ``forward`` and ``solve``."""
    n = len(constants)
    angles = ", ".join(f"q{i}" for i in range(n))
    steps = ", ".join(f"s{i}" for i in range(n))
    frames = [line for i, constant in enumerate(constants) for line in _frame(i, constant)]
    last = n - 1
    frames.append(f"r0, r3, r6, x, y, z = a{last}, b{last}, c{last}, x{last}, y{last}, z{last}")
    forward = [f"def forward({angles}):", *_indented(frames, 1), "    return r0, r1, r2, r3, r4, r5, r6, r7, r8, x, y, z"]
    turn = []
    for i in range(n):
        turn += [
            f"hx, hy, hz = x - x{i}, y - y{i}, z - z{i}",
            f"f{i}, g{i}, h{i} = b{i} * hz - c{i} * hy, c{i} * hx - a{i} * hz, a{i} * hy - b{i} * hx",
        ]
    columns = [_in_last_frame(*(f"{name}{i}" for name in names)) for i in range(n) for names in ("fgh", "abc")]
    solve = [
        f"def solve({angles}, d0, d1, d2, d3, d4, d5, d6, d7, d8, dx, dy, dz):",
        f"    memory = bytearray({8 * 6 * n})",
        f"    transposed = frombuffer(memory).reshape({n}, 6)",
        "    jacobian = transposed.T",
        f"    for iteration in range({MAX_ITERATIONS + 1}):",
        *_indented(frames, 2),
        *_indented(ERROR, 2),
        f"        if sqrt(e0 * e0 + e1 * e1 + e2 * e2 + e3 * e3 + e4 * e4 + e5 * e5) < {TOLERANCE}:",
        f"            return {angles}",
        f"        if iteration == {MAX_ITERATIONS}:",
        "            return None",
        *_indented(turn, 2),
        f"        write(memory, 0, {', '.join(columns)})",
        "        normal = jacobian @ transposed",
        "        normal += DAMPING",
        "        _, solution, _ = dposv(normal.T, error, 0, 1)",  # symmetric; transposed it lies as LAPACK's own, to overwrite
        f"        {steps} = (transposed @ solution).tolist()",
        *(f"        q{i} -= {STEP} * s{i}" for i in range(n)),
    ]
    return "\n".join([*forward, *solve, ""])


ERROR = (
    "ex, ey, ez = x - dx, y - dy, z - dz",
    "error = e0, e1, e2, e3, e4, e5 = log6(",
    "    (d0 * ex + d3 * ey + d6 * ez, d1 * ex + d4 * ey + d7 * ez, d2 * ex + d5 * ey + d8 * ez),",
    "    (d0 * r0 + d3 * r3 + d6 * r6, d0 * r1 + d3 * r4 + d6 * r7, d0 * r2 + d3 * r5 + d6 * r8,",
    "     d1 * r0 + d4 * r3 + d7 * r6, d1 * r1 + d4 * r4 + d7 * r7, d1 * r2 + d4 * r5 + d7 * r8,",
    "     d2 * r0 + d5 * r3 + d8 * r6, d2 * r1 + d5 * r4 + d8 * r7, d2 * r2 + d5 * r5 + d8 * r8),",
    ")",
)
"""Where the frame is, seen from the goal: the logarithm of goal^-1 frame."""


def _frame(i: int, constant: Constant) -> list[str]:
    """Axis ``a b c`` and position ``x y z`` of joint i, and ``r1 r2``, ``r4 r5``, ``r7 r8``, the rest of its moving frame."""
    a0, a1, a2, ax, b0, b1, b2, ay, c0, c1, c2, az = map(repr, constant)
    turning = f"c, s = cos(q{i}), sin(q{i})"
    if i == 0:  # the base's own axes are the unit matrix
        rows = ((1, a1, a2), (4, b1, b2), (7, c1, c2))
        turned = [f"r{r}, r{r + 1} = c * {v} + s * {w}, c * {w} - s * {v}" for r, v, w in rows]
        return [f"a0, b0, c0, x0, y0, z0 = {a0}, {b0}, {c0}, {ax}, {ay}, {az}", turning, *turned]
    p = i - 1
    rows_before = ((f"a{p}", "r1", "r2"), (f"b{p}", "r4", "r5"), (f"c{p}", "r7", "r8"))
    lines = [
        f"{xyz}{i} = {xyz}{p} + {one} * {ax} + {two} * {ay} + {three} * {az}"
        for xyz, (one, two, three) in zip("xyz", rows_before, strict=True)
    ]
    for r, name, (one, two, three) in zip((1, 4, 7), "abc", rows_before, strict=True):
        lines += [
            f"v = {one} * {a1} + {two} * {b1} + {three} * {c1}",
            f"w = {one} * {a2} + {two} * {b2} + {three} * {c2}",
            f"{name}{i} = {one} * {a0} + {two} * {b0} + {three} * {c0}",
        ]
        if r == 1:
            lines.append(turning)
        lines.append(f"r{r}, r{r + 1} = c * v + s * w, c * w - s * v")
    return lines


def _in_last_frame(x: str, y: str, z: str) -> str:
    """A vector's three numbers in the axes of the last frame, where Pinocchio has its Jacobian."""
    rows = ((0, 3, 6), (1, 4, 7), (2, 5, 8))
    return ", ".join(f"r{one} * {x} + r{two} * {y} + r{three} * {z}" for one, two, three in rows)


def _indented(lines: Sequence[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]
