"""Prints what a way of training changes, from runs of policies trained with several seeds; question.sh calls it.

effect.py --trace RUN ... --plain RUN ..., in the order of the same training seeds.
"""

import argparse
import json
import sys

from eval.comparison.training_seeds import compare_trainings
from eval.errors import UserError
from eval.records.merging import read_runs

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--trace", action="append", default=[], help="Run of a policy that was trained with traces.")
parser.add_argument("--plain", action="append", default=[], help="Run of a policy that was trained without, same seeds.")
given = parser.parse_args()
try:
    effect = compare_trainings(read_runs(given.trace), read_runs(given.plain))
except UserError as error:
    sys.exit(f"effect.py: {error}")
content = {
    "difference": effect.difference, "interval_95": list(effect.interval), "of_seeds": list(effect.of_seeds),
    "placements": effect.placements, "trace": given.trace, "plain": given.plain,
}  # fmt: skip
print(json.dumps(content, indent=1))
