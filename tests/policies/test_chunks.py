"""Chunks of actions."""

from __future__ import annotations

import numpy as np
import pytest

from policies.chunks import ActionChunks, cosine_weights, exponential_weights


def chunk(start: int, length: int = 4, value: float = 0.0) -> np.ndarray:
    """(length, 2): the step that each action is for, and a value of the chunk's own."""
    return np.array([[start + i, value] for i in range(length)], np.float64)


def test_some_actions_of_each_chunk_are_played_and_episodes_do_not_mix() -> None:
    chunks, asked = ActionChunks(play=3), []
    played: dict[str, list[float]] = {"a": [], "b": []}
    for step in range(7):
        for episode in ("a", "b") if step < 5 else ("a",):
            if chunks.is_due(episode):
                asked.append((episode, step))
                chunks.add(episode, chunk(step))
            played[episode].append(chunks.next(episode)[0])
    assert played == {"a": [0, 1, 2, 3, 4, 5, 6], "b": [0, 1, 2, 3, 4]}
    assert asked == [(episode, step) for step in (0, 3, 6) for episode in "ab" if (episode, step) != ("b", 6)]
    chunks.forget(["a"])
    assert chunks.is_due("a")
    assert not chunks.is_due("b")


def ensemble(chunks: ActionChunks, values: list[float]) -> list[float]:
    """What is played of the second number where a chunk of 3 actions with the next value comes at every step."""
    played = []
    for step, value in enumerate(values):
        assert chunks.is_due("e")
        chunks.add("e", chunk(step, 3, value))
        action = chunks.next("e")
        assert action[0] == pytest.approx(step)  # all averaged actions are for this step
        played.append(action[1])
    return played


def test_temporal_ensembling_weighs_the_oldest_chunk_most() -> None:
    w = np.exp(-0.5 * np.arange(3))
    expected = [1.0, (w[0] * 1 + w[1] * 2) / w[:2].sum(), w @ [1, 2, 4] / w.sum(), w @ [2, 4, 8] / w.sum()]
    assert ensemble(ActionChunks(weights=exponential_weights(0.5)), [1, 2, 4, 8]) == pytest.approx(expected)
    assert ensemble(ActionChunks(weights=exponential_weights(0)), [1, 2, 4, 8])[3] == pytest.approx(14 / 3)
    assert ensemble(ActionChunks(weights=exponential_weights(0), horizon=2), [1, 2, 4, 8])[3] == pytest.approx(6)


def test_adaptive_ensembling_weighs_what_agrees_with_the_newest_chunk_most() -> None:
    weights = cosine_weights(2.0)(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]))
    assert weights == pytest.approx(np.exp([0, 2, 2]), rel=1e-5)
    assert cosine_weights()(np.zeros((2, 7))).tolist() == [1, 1]  # no motion has no direction


def test_what_a_chunk_must_be() -> None:
    chunks = ActionChunks(play=3)
    for wrong in (np.zeros(7), np.zeros((2, 7))):
        with pytest.raises(ValueError, match=r"is not \(n, D\) with n of at least 3"):
            chunks.add("e", wrong)
    with pytest.raises(ValueError, match="a chunk is due in episode e"):
        chunks.next("e")
    with pytest.raises(ValueError, match="counts of 1 or more"):
        ActionChunks(play=0)
