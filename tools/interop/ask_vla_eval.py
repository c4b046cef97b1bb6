"""``python ask_vla_eval.py PORT EPISODE SEED STEPS``, with vla-eval: its own client asks a server for actions."""

import asyncio
import json
import sys

import numpy as np
from vla_eval.connection import Connection


async def main() -> None:
    """Ask, and print the actions."""
    port, episode, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    async with Connection(f"ws://127.0.0.1:{port}") as connection:
        task = {"name": "widowx_carrot_on_plate", "episode": episode, "seed": seed, "episode_idx": 0}
        await connection.start_episode({"task": task})
        actions = []
        for _ in range(steps):
            image = np.zeros((480, 640, 3), np.uint8)
            answer = await connection.act({"images": {"primary": image}, "task_description": "do"})
            actions.append(np.asarray(answer["actions"]).tolist())
        await connection.end_episode({"metrics": {"success": False}, "steps": steps, "elapsed_sec": 0.1})
    print(json.dumps(actions))


asyncio.run(main())
