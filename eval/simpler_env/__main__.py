"""``python -m eval.simpler_env [--rest FOLDER] SCRIPT [ARGUMENTS]``: run a script written for SimplerEnv as it is.

``-m MODULE`` in place of a script runs a module. ``--rest``: a checkout of SimplerEnv for what we do not have.
"""

from __future__ import annotations

import os
import runpy
import sys

from eval.errors import UserError

USAGE = "python -m eval.simpler_env [--rest FOLDER] (SCRIPT | -m MODULE) [ARGUMENTS]"


def main(arguments: list[str]) -> None:
    """Run what ``arguments`` name. Raises UserError."""
    rest = None
    if arguments[:1] == ["--rest"]:
        rest, arguments = arguments[1:2], arguments[2:]
    as_module = arguments[:1] == ["-m"]
    what = arguments[1:] if as_module else arguments
    if not what or rest == [] or what[0].startswith("-"):
        raise UserError(f"usage: {USAGE}")
    if not as_module and not os.path.exists(what[0]):
        raise UserError(f"{what[0]} does not exist. Usage: {USAGE}")
    sys.argv = what
    sys.path[0] = os.getcwd() if as_module else os.path.dirname(os.path.abspath(what[0]))  # as python itself does
    from eval.simpler_api.dropin.install import install  # it looks at sys.path

    install(rest=rest[0] if rest else None)
    if as_module:
        runpy.run_module(what[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(what[0], run_name="__main__")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(f"simpler-eval: {error}", file=sys.stderr)
        sys.exit(2)
