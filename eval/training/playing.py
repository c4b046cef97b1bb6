"""The program of an evaluation during a training: ``simpler-eval`` with the arguments after the first one, the training's
process, which it does not outlive.
"""

from __future__ import annotations

import sys

import simpler_eval
from eval.backends.protocol import end_with_parent


def main() -> None:
    """Run it."""
    end_with_parent(int(sys.argv[1]))
    sys.argv[:2] = ["simpler-eval"]
    simpler_eval.main()


if __name__ == "__main__":
    main()
