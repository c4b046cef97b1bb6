"""What was published: the layout of its tables, and its numbers with their sources."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from eval.published.models import Average, Cell, Cells, Source, SubCell
from task_configs.schema.parsing import parse, read_yaml

HERE = Path(str(resources.files("task_configs"))) / "published"

__all__ = ["Average", "Cell", "Cells", "Source", "SubCell", "cells"]


@cache
def cells() -> Cells:
    """The columns of published tables and how each is averaged."""
    return parse(Cells, read_yaml(HERE / "cells.yaml"), str(HERE / "cells.yaml"))
