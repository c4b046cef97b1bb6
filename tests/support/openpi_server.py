"""A server that speaks by openpi-client's own codec: ``PORT``. Its model looks at mean colours and the state."""

from __future__ import annotations

import sys

import numpy as np
from openpi_client import msgpack_numpy
from websockets.sync.server import serve


def answer(socket):
    packer = msgpack_numpy.Packer()
    socket.send(packer.pack({"name": "colours", "action_horizon": 4, "norm": np.arange(3.0), "scale": np.float32(0.5)}))
    for frame in socket:
        observation = msgpack_numpy.unpackb(frame)
        means = observation["observation/image"].reshape(-1, 3).mean(axis=0) / 255.0
        height = float(observation["observation/state"][0]) / 50
        row = np.array([*(means - 0.5) / 50, 0.0, 0.0, height, len(observation["prompt"]) % 2])
        socket.send(packer.pack({"actions": np.tile(row, (4, 1)).astype(np.float32), "server_timing": {"infer_ms": 0.1}}))


if __name__ == "__main__":
    with serve(answer, "127.0.0.1", int(sys.argv[1]), compression=None, max_size=None) as server:
        server.serve_forever()
