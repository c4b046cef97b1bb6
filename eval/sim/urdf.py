"""Reading URDF files, with or without visual shapes."""

from __future__ import annotations

from typing import Any

import sapien
from sapien.wrapper.urdf_loader import URDFLoader


class _Unseen(URDFLoader):  # type: ignore[misc]
    """Leaves out visual shapes.

    A material of a visual opens the Vulkan device, and closes it again where nothing else keeps it open: that needs a device
    for physics alone, and after some fifty times NVIDIA's driver refuses.
    """

    def _build_link(self, link: Any, *further: Any) -> None:  # noqa: ANN401  SAPIEN's own signature
        link.visuals = []
        super()._build_link(link, *further)


def urdf_loader(scene: sapien.Scene, render: bool) -> URDFLoader:
    """A loader into ``scene`` that fixes the root link."""
    loader = URDFLoader() if render else _Unseen()
    loader.set_scene(scene)
    loader.fix_root_link = True
    return loader
