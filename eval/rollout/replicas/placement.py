"""How many replicas of a policy a run has on this machine, and which GPU is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.backends.cards import Card, said, visible_cards
from eval.backends.render_devices import VISIBLE
from eval.errors import UserError
from eval.records.options import RunOptions
from policies.base import CARD
from policies.registry import takes_option

ANY_CARD = ("auto", "cuda")
"""Values of a policy's ``device`` that mean whichever GPU there is."""


@dataclass(frozen=True)
class Placement:
    """Where one replica is."""

    name: str
    card: Card | None
    """None: it has no GPU of its own."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make its GPU the only one it sees, which its policy, whatever that is, and its renderer use; and what
        the GPU is called beside the others."""
        return {} if self.card is None else {VISIBLE: self.card.visible_as, CARD: f"cuda:{self.card.number}"}


def placements(options: RunOptions, by_name: bool, episodes: int) -> list[Placement]:
    """One for each replica; empty: a single policy in the run's own process.

    Args:
        options: of the run.
        by_name: whether the policy was given by its name; an object cannot be made again.
        episodes: that the run plays at most.

    Raises:
        UserError: there are not so many GPUs, or options contradict each other.
    """
    if options.cluster is not None and str(options.policy_args.get("device")).startswith("cuda:"):
        device = options.policy_args["device"]
        raise UserError(f"--device {device} has no effect with --cluster: Ray gives every replica its GPU; leave it out.")
    if not by_name:
        for name in ("gpus", "replicas", "cluster"):
            if getattr(options, name) is not None:
                raise UserError(f"{name} has no effect: the policy is an object; give its name, of which replicas can be made.")
        return []
    if options.cluster is not None:
        return []  # Ray decides
    bound = _bound(options)
    if bound is not None and options.gpus is not None:
        raise UserError(f"--gpus has no effect with {bound}, which names the one to use; leave one of them out.")
    cards = visible_cards() if options.gpus is not None or bound is None else []
    if options.gpus is None and cards and (len(cards) > 1 or options.replicas) and not uses_card(options):
        cards = []
    if options.gpus is not None:
        if options.gpus > len(cards):
            raise UserError(f"--gpus {options.gpus} is not possible. {said(cards)}")
        cards = cards[: options.gpus]
    number = options.replicas or max(1, len(cards))
    if number < len(cards) and options.gpus is not None:
        raise UserError(f"--replicas {number} leaves GPUs of --gpus {options.gpus} idle; give at least {options.gpus}.")
    number = min(number, max(1, episodes))
    return [_place(index, cards) for index in range(number)] if number > 1 else []


def uses_card(options: RunOptions) -> bool:
    """Whether a policy uses whichever GPU there is."""
    return _bound(options) is None and takes_option(options.policy, "device")


def _bound(options: RunOptions) -> str | None:
    """The option that binds the policy or the renderer to one device."""
    if options.render_device is not None:
        return f"--render-device {options.render_device}"
    device = options.policy_args.get("device")
    return None if device is None or device in ANY_CARD else f"--device {device}"


def _place(index: int, cards: Sequence[Card]) -> Placement:
    if not cards:
        return Placement(f"replica {index + 1}", None)
    card = cards[index % len(cards)]
    return Placement(f"replica {index + 1} on {card}", card)
