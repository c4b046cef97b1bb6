"""The original's 25 task names, in its order: environment id and constructor keywords of each."""

from __future__ import annotations

from collections.abc import Mapping

CAN = "GraspSingleOpenedCokeCanInScene-v0"
NEAR = "MoveNearGoogleBakedTexInScene"

ENVIRONMENT_MAP: Mapping[str, tuple[str, dict[str, str | bool]]] = {
    "google_robot_pick_coke_can": (CAN, {}),
    "google_robot_pick_horizontal_coke_can": (CAN, {"lr_switch": True}),
    "google_robot_pick_vertical_coke_can": (CAN, {"laid_vertically": True}),
    "google_robot_pick_standing_coke_can": (CAN, {"upright": True}),
    "google_robot_pick_object": ("GraspSingleRandomObjectInScene-v0", {}),
    "google_robot_move_near_v0": (f"{NEAR}-v0", {}),
    "google_robot_move_near_v1": (f"{NEAR}-v1", {}),
    "google_robot_move_near": (f"{NEAR}-v1", {}),
    **{
        f"google_robot_{verb}_{drawer}drawer": (f"{verb.title()}{drawer.title().rstrip('_')}DrawerCustomInScene-v0", {})
        for verb in ("open", "close")
        for drawer in ("", "top_", "middle_", "bottom_")
    },
    **{
        f"google_robot_place_in_closed_{drawer}drawer": (
            f"PlaceIntoClosed{drawer.title().rstrip('_')}DrawerCustomInScene-v0",
            {},
        )
        for drawer in ("", "top_", "middle_", "bottom_")
    },
    "google_robot_place_apple_in_closed_top_drawer": (
        "PlaceIntoClosedTopDrawerCustomInScene-v0",
        {"model_ids": "baked_apple_v2"},
    ),
    "widowx_spoon_on_towel": ("PutSpoonOnTableClothInScene-v0", {}),
    "widowx_carrot_on_plate": ("PutCarrotOnPlateInScene-v0", {}),
    "widowx_stack_cube": ("StackGreenCubeOnYellowCubeBakedTexInScene-v0", {}),
    "widowx_put_eggplant_in_basket": ("PutEggplantInBasketScene-v0", {}),
}
ENVIRONMENTS = list(ENVIRONMENT_MAP)
