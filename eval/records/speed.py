"""How fast a run goes, in words."""

from __future__ import annotations


def speed_text(episodes: int, steps: int, seconds: float) -> str:
    """``2.4 episodes/s, 96 steps/s``, or episodes a minute or an hour where there is less than one a second or a minute.

    Args:
        episodes: that were played in the time.
        steps: control steps of them.
        seconds: more than 0.
    """
    units = (("s", 1.0), ("min", 60.0), ("h", 3600.0))
    unit, length = next((each for each in units if episodes * each[1] >= seconds), units[-1])
    steps_rate = steps / seconds
    digits = 0 if steps_rate >= 10 else 1
    return f"{episodes * length / seconds:.1f} episodes/{unit}, {steps_rate:.{digits}f} steps/s"
