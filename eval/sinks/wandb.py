"""Weights & Biases. Where it reports to, and whether it does at once, is said by its own variables (``WANDB_MODE=offline``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sinks.base import Sink, SinkError, Subject

STEP = "step"


class WandbSink(Sink):
    """A run of Weights & Biases."""

    def __init__(self, subject: Subject) -> None:
        import wandb

        self._wandb = wandb
        # Its files lie in the subject's folder; what is printed stays ours, and nobody is asked for a key in mid-run.
        settings = wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True, show_errors=False)
        online = (wandb.setup().settings.mode or "online") == "online"
        if online and not wandb.login(prompt=False, verify=False):
            raise SinkError("nobody is logged in to wandb; run `wandb login`, or set WANDB_MODE=offline and `wandb sync` later")
        self._run: Any = wandb.init(
            project=wandb.setup().settings.project or subject.project,
            id=subject.id_of("wandb"),
            name=subject.name,
            resume="allow",
            dir=str(subject.folder),
            config=dict(subject.config),
            settings=settings,
        )
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)  # its own count would go on from where a killed run was last seen

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See the base."""
        self._run.log({**metrics, STEP: step})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See the base."""
        self._run.log({name: self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

    def video(self, name: str, path: Path) -> None:
        """See the base."""
        self._run.log({name: self._wandb.Video(str(path), format="mp4")})

    def finish(self) -> None:
        """See the base."""
        self._run.finish()
