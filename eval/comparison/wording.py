"""What may be said of a comparison. "Better" and "worse" are said only where the test that decides has rejected."""

from __future__ import annotations

from eval.comparison.comparison import ALL, ALPHA, Against, Comparison
from eval.comparison.counts import Paired
from eval.nouns import counted
from eval.records.numerals import p_equals, p_value, points, span
from eval.records.tallies import SuccessRule

RULES: dict[SuccessRule, str] = {"last": "at the last step", "any": "at any step"}


def places(paired: Paired) -> str:
    """How much it rests on: ``75 initial states (300 episodes)``."""
    states = counted(paired.states, "initial state")
    return states if paired.states == paired.n else f"{states} ({counted(paired.n, 'episode')})"


def verdict(comparison: Comparison, against: Against) -> str:
    """One sentence: better or worse if the test says so, else what could not be told and what could have been."""
    whole, a, b = against.whole, comparison.reference.label, against.side.label
    left_out = f" (left out: {against.left_out.text})" if against.left_out.text else ""
    numbers = f"{points(whole.difference)} points (95 % interval {span(whole.interval())}) on {places(whole)}{left_out}"
    if against.rejected:
        word = "better" if whole.difference > 0 else "worse"
        return f"{b} is {word} than {a}: {numbers}; {_test(comparison)}{_holm(comparison)}, {p_equals(against.p)}."
    return f"{b} and {a} cannot be told apart: {numbers}; {_could(whole.smallest(comparison.alpha))}."


def _test(comparison: Comparison) -> str:
    return f"McNemar's exact test over {'initial states' if comparison.clustered else 'episodes'}"


def _holm(comparison: Comparison) -> str:
    return f", Holm over {len(comparison.others)} policies" if len(comparison.others) > 1 else ""


def _could(smallest: float | None) -> str:
    if smallest is None:
        return "so few cannot show any difference"
    return f"a difference of {100 * smallest:.1f} points would have been detected with 80 % power"


def warnings_of(comparison: Comparison) -> list[str]:
    """What a reader must know before the numbers: what is in none of them, and where titles differ."""
    lines = [
        f"{against.side.label}: {against.left_out.text}; left out of every number."
        for against in comparison.others
        if against.left_out.text
    ]
    if comparison.success != "last":
        lines.append(f"Success {RULES[comparison.success]}; the protocol counts {RULES['last']}.")
    return lines


def method(comparison: Comparison) -> list[str]:
    """How the numbers came about, a paragraph an entry."""
    several = len(comparison.others) > 1
    lines = [
        f"Differences are in percentage points, each policy minus {comparison.reference.label}, on the same episodes. "
        "Success counts " + RULES[comparison.success] + ".",
        f"The test that decides was fixed before any run: {_test(comparison)} that both policies played, two-sided, at "
        f"{ALPHA:g}{_holm(comparison)}. Cells are secondary: p (Holm) corrects for all cells"
        f"{' of all policies' if several else ''}. Intervals are Tango's paired score intervals, 95 %, not corrected.",
    ]
    if comparison.clustered:
        lines.append(
            "An initial state that comes back (in variants of the scene's look, or repeats) is one unit: the test flips the "
            "sign of its whole sum, and intervals count as many independent episodes as the spread between states allows."
        )
    lines.append(
        "Detectable is the smallest difference that the test at 0.05 detects with 80 % power on so many initial states, if as "
        "many episodes change both ways beside it as did here (twice the smaller of lost and won)."
    )
    return lines


COLUMNS = ("cell", "n", "reference %", "other %", "difference", "95 % interval", "lost", "won", "p", "p (Holm)",
           "detectable")  # fmt: skip
"""``lost``: episodes that the reference alone solved; ``won``: that the other alone did."""


def rows(against: Against) -> list[list[str]]:
    """A row a cell, and the last for all; columns as in ``COLUMNS``. The last row's Holm is over the policies."""
    together = [*zip(against.cells, against.cell_ps, strict=True), (against.whole, against.p)]
    shown = together if len(against.cells) > 1 else together[-1:]
    return [_row(paired, p, against) for paired, p in shown]


def _row(paired: Paired, p: float, against: Against) -> list[str]:
    name = paired.name
    if name == ALL and len(against.cells) == 1:
        name = against.cells[0].name
    smallest = paired.smallest()
    return [
        name, str(paired.n), f"{100 * paired.reference_rate:.1f}", f"{100 * paired.other_rate:.1f}",
        points(paired.difference), span(paired.interval()), str(paired.only_reference), str(paired.only_other),
        p_value(paired.p), p_value(p), "none" if smallest is None else f"{100 * smallest:.1f}",
    ]  # fmt: skip


MEANING_COLUMNS = ("success", "reference %", "other %", "difference", "95 % interval", "p")


def meaning_rows(against: Against) -> list[list[str]]:
    """The same episodes by each meaning of success that the field uses.

    An episode that ends at its first success has the verdict of "at any step": what comes after is not played. Only its
    length differs.
    """
    names: dict[SuccessRule, str] = {"last": "at the last step (the protocol)", "any": "at any step (accumulated)"}
    lines = [[names[rule], *_meaning(paired)] for rule, paired in against.meanings]
    lines.append(["ends at its first success", *_meaning(dict(against.meanings)["any"])])
    if any(step is not None for step in against.first_steps):
        steps = ["–" if step is None else f"step {step:g}" for step in against.first_steps]
        lines.append(["median step of the first success", *steps, "", "", ""])
    return lines


def _meaning(paired: Paired) -> list[str]:
    rates = f"{100 * paired.reference_rate:.1f}", f"{100 * paired.other_rate:.1f}"
    return [*rates, points(paired.difference), span(paired.interval()), p_value(paired.p)]
