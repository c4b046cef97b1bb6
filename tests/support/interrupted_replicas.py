"""A run with replicas in a process of its own, to be killed: ``python interrupted_replicas.py OUT PLAN OPTIONS`` (JSON)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.rollout.run import run

if __name__ == "__main__":
    out, plan_file, options = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    plan = [EpisodeSpec.model_validate_json(line) for line in plan_file.read_text().splitlines()]
    run(plan, "replica_policies:Seeded", out=out, world="fake_world", policy_args={"seconds": "0.01"}, **options)
