"""Our benchmark of vla-eval, which also writes what it was told: a line an episode into the file that INTEROP_ACTIONS names."""

import json
import os
from typing import Any

from eval.interop.vla_eval import SimplerEval


class Recorded(SimplerEval):
    """``benchmark: "recorded_benchmark:Recorded"``."""

    def reset(self, task: dict[str, Any]) -> Any:  # noqa: ANN401  as the class it is
        """Begin, and forget."""
        self._told: list[list[float]] = []
        return super().reset(task)

    def step(self, action: dict[str, Any]) -> Any:  # noqa: ANN401
        """Remember, and play."""
        self._told.append([float(number) for number in action["actions"]])
        return super().step(action)

    def get_step_result(self, step_result: Any) -> dict[str, Any]:  # noqa: ANN401
        """Write, and tell the verdict."""
        result = super().get_step_result(step_result)
        with open(os.environ["INTEROP_ACTIONS"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"episode": result["episode"], "success": result["success"], "actions": self._told}) + "\n")
        return result
