"""Videos that were asked for and are not there, or show less, are said with their reason."""

from __future__ import annotations

import numpy as np
from fake_policies import Counts, Notes, Still

import eval.rollout.loop
from policies.base import Action


def test_videos_that_could_not_be_written_are_said(play, make_spec, monkeypatch, capsys):
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    play([make_spec(0), make_spec(1)], Still(), video="all")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("simpler-eval: 2 videos are not written: ")
    assert "/nowhere/ffmpeg" in line


def test_an_episode_that_the_policy_lost_is_filmed_until_then_and_its_film_goes_with_its_record(play, make_spec, capsys):
    plan = [make_spec(0)]
    data = play(plan, Counts(plan[0].id), workers=1, video="all")
    (film,) = data.path.rglob("*.mp4")
    assert "errored" in film.name
    again = type("Counts", (Still,), {"__module__": "fake_policies"})()
    data = play(plan, again, workers=1, video="all", retry_errored=True)
    (film,) = data.path.rglob("*.mp4")
    assert "success" in film.name
    assert {path.name for path in data.path.rglob("*.jpg")} == {"scene.jpg", f"{film.stem}.jpg"}, "nothing of the first try"


def test_an_episode_without_any_image_is_said_to_have_no_film(play, make_spec, capsys):
    class Never(Still):
        def reset(self, episodes):
            raise ValueError("never")

    play([make_spec(0)], Never(), workers=1, video="all")
    assert "1 video is not written: there was no image yet" in capsys.readouterr().err


def test_a_long_film_says_that_it_shows_the_end(play, make_spec, monkeypatch, capsys):
    monkeypatch.setattr(eval.rollout.loop, "FILM_SLOTS", 4)
    play([make_spec(0, max_steps=9)], Still(), workers=1, video="all")
    assert "1 video is not all that was asked for: only the last 4 images were kept" in capsys.readouterr().err


def test_bad_notes_cost_their_panel_and_not_the_film(play, make_spec, capsys):
    class Says(Notes):
        def act(self, observations):
            return [Action(np.zeros(7), notes=["images"]) for _ in observations]

    spec = make_spec(0, max_steps=2)
    data = play([spec], Says(), workers=1, video="policy-view")
    assert data.record(spec.id).video is not None
    said = "1 video is not all that was asked for: Action.notes: they are a list, not a mapping with images, labels and values"
    assert said in capsys.readouterr().err
