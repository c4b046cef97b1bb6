"""A run in a process of its own, to be killed: ``python interrupted_run.py OUT PLAN VIDEO [ASSETS [PER_WORKER
[RECORD]]]``."""

from __future__ import annotations

import sys
from pathlib import Path

from fake_policies import Still

from eval.episode import EpisodeSpec
from eval.rollout.run import run

if __name__ == "__main__":
    out, plan_file, video = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    plan = [EpisodeSpec.model_validate_json(line) for line in plan_file.read_text().splitlines()]
    assets = sys.argv[4] if len(sys.argv) > 4 else ""
    per_worker = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    record = sys.argv[6] if len(sys.argv) > 6 else "none"
    kept = {"video": video, "record": record}
    run(plan, Still(), out=out, world="fake_world", workers=2, per_worker=per_worker, assets=assets or None, **kept)
