"""``python ask_openpi.py PORT EPISODE SEED STEPS``, with openpi-client: its own client asks a server for actions."""

import importlib.metadata
import json
import sys

import numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy

port, episode, seed, steps = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
policy = WebsocketClientPolicy("127.0.0.1", port)
assert policy.get_server_metadata()["simpler_eval"]["robots"]
actions = []
for _ in range(steps):
    observation = {
        "observation/image": np.zeros((480, 640, 3), np.uint8),
        "prompt": "do",
        "robot": "widowx",
        "episode": {"episode": episode, "seed": seed},
    }
    answer = policy.infer(observation)
    assert answer["actions"].shape == (1, 7)
    actions.append(answer["actions"][0].tolist())
versions = {name: importlib.metadata.version(name) for name in ("numpy", "websockets")}
print(json.dumps({"actions": actions, **versions}))
