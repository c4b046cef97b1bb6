"""Asset files are looked after without a simulator and without torch."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import eval.assets


def test_no_module_loads_sapien_or_torch() -> None:
    modules = [module.name for module in pkgutil.walk_packages(eval.assets.__path__, "eval.assets.")]
    assert "eval.assets.stand_ins.table" in modules
    code = f"import sys, {', '.join(modules)}; print(*sorted({{'torch', 'sapien'}} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
