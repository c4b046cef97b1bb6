"""The photos of the drawer, move-near and sink scenes show things where the simulated ones stand."""

import numpy as np
from PIL import Image

from eval.assets.resolver import Assets
from eval.assets.stand_ins import drawer_photos

ASSETS = Assets([])
PHOTOS = "data/real_inpainting"


def seen_at(name, point):
    """Mean sRGB around the pixel where the camera of a photo sees a world point [m]."""
    view = drawer_photos.PHOTOS[name]
    x, y, z = view.extrinsic[:, :3] @ point + view.extrinsic[:, 3]
    focal, cx, cy = view.lens
    column, row = round(focal * x / z + cx), round(focal * y / z + cy)
    image = np.asarray(Image.open(ASSETS.path(f"{PHOTOS}/{name}")).convert("RGB"), dtype=float)
    assert image.shape == (view.size[1], view.size[0], 3)
    return image[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3).mean(axis=0)


def test_drawer_photos_show_bare_floor_where_the_cabinet_will_stand():
    # the cabinet hides floor, wall and post behind it, never the bin or the desks beside it
    for name in drawer_photos.PHOTOS:
        if name.startswith("open_drawer"):
            red, _, blue = seen_at(name, np.array([0.05, 0.0, 0.0]))
            assert red > blue + 15, name  # warm concrete; the bin is grey


def test_the_sink_photo_shows_the_sink_where_the_simulated_one_stands():
    basin = seen_at("bridge_sink.png", np.array([-0.16 + 0.06, 0.13 + 0.12, 0.88 + 0.043]))
    table = seen_at("bridge_sink.png", np.array([0.03, 0.02, 0.85]))
    assert basin[2] > basin[0] + 30  # blue
    assert table[2] < table[0] + 10  # wood


def test_the_move_near_photo_has_its_table_edge_under_the_true_camera():
    on, off = (seen_at("google_move_near_real_eval_1.png", np.array([x, 0.2, z])) for x, z in ((-0.60, 0.87), (-1.2, 0.0)))
    assert np.abs(on - off).max() > 15
