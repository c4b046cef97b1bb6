"""The photos of the tables fit the simulated tables."""

import cv2
import numpy as np

from eval.assets.resolver import Assets
from eval.assets.stand_ins.photos import google_camera

ASSETS = Assets([])


def test_the_photo_shows_the_table_below_the_can():
    camera = google_camera()
    local = camera.rotation.T @ (np.array([-0.235, 0.2, 0.87]) - camera.position)
    u, v = camera.focal * local[:2] / local[2] + camera.center
    assert 0 < u < 320
    assert 0 < v < 256
    image = cv2.imread(str(ASSETS.path("data/real_inpainting/google_coke_can_real_eval_1.png")))
    assert image.shape == (256, 320, 3)
    around = image[int(v) - 4 : int(v) + 5, int(u) - 4 : int(u) + 5].reshape(-1, 3).mean(axis=0)
    wall = image[:10].reshape(-1, 3).mean(axis=0)
    assert around.mean() > wall.mean() + 20  # a light table before a darker wall
