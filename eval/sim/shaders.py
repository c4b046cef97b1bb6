"""SAPIEN 3's ray tracing shaders with the light that SAPIEN 2 computes (docs/simpler.md 8.3).

SAPIEN renders with the shaders in a folder of its package, and takes another folder as well. The lines in which version 3
computes another light than 2.2.2, with which SIMPLER's images were made, are put back in a copy of that folder; ``--rt fast``
renders with a second copy, in which dim paths end early as well. They lie in the cache, are made at need, and only of files
whose content is known: the shaders of another SAPIEN are used as they are, which the run's record and every title say.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from eval.assets.cache import GeneratedFiles
from eval.assets.checksums import checksum

if TYPE_CHECKING:
    import sapien

RASTER, RAY_TRACED, COMMON = "default", "rt", "common"
"""Names of folders of the package; the last one holds what others include."""
Light = Literal["sapien-2.2.2", "installed"]
"""Whose light is computed: the original's, or whatever the installed package computes."""
KNOWN = "421a987d84fabf12012a5874f08125c8539a7bd4"
"""Checksum of SAPIEN 3.0.3's folder ``rt``."""
KNOWN_RASTER = "18c745b3b3186baa7a307daa93db11cc73575965"
"""Of its folders ``default`` and ``common``."""


class _Change(NamedTuple):
    """A line of a shader, and what stands there instead."""

    file: str
    before: str
    after: str


CHANGES = (
    # A path that is still under way at the depth limit sees the ambient light: 12 % of the light inside an open drawer.
    _Change("camera.rgen", "// TODO: implement unterminated ray properly", "radiance += attenuation * ambientLight;"),
    # A lamp's highlight is not dimmed by the cosine of the angle at which its light falls in.
    _Change("shading.glsl", "return dotNL * ggxBRDF(", "return ggxBRDF("),
    _Change("shading.glsl", "return dotNL * vec3(result);", "return vec3(result);"),
)
EARLY_END = (
    # From the second hit on a path goes on by chance, the less of its light is left the less often, and counts for those that
    # did not. What ends adds nothing, not even the ambient light: the mean of an image stays what it was, its noise grows.
    # (2.2.2 has an early end that adds the ambient light, which is too bright; the original plays with it off.)
    _Change(
        "camera.rgen",
        "attenuation *= ray.attenuation;",
        "attenuation *= ray.attenuation;\n"
        "      if (ray.depth >= 1) {\n"
        "        float chance = min(max(attenuation.x, max(attenuation.y, attenuation.z)), 1.0);\n"
        "        if (rnd(ray.seed) >= chance) {\n"
        "          attenuation = vec3(0.0);\n"
        "          break;\n"
        "        }\n"
        "        attenuation /= chance;\n"
        "      }",
    ),
)
COVERED = (
    # A pixel that shows a body which a photo covers ends after one sample: the one that decides which body it shows, SAPIEN's
    # last, which is therefore traced first. Pixels that remain visible are what they were. Which body is told by constants of
    # SAPIEN's own early end, which no shader of version 3 reads any more.
    _Change("camera.rgen", "float alpha = 0.0;", "float alpha = 0.0;\n  bool covered = false;"),
    _Change("camera.rgen", "halton2d(frameCount * spp + i, 2, 3)", "halton2d(frameCount * spp + spp - 1 - i, 2, 3)"),
    _Change(
        "camera.rgen",
        "if (first) {",
        "if (first && i == 0) {\n"
        "        covered = russianRoulette != 0 && int(ray.segmentation.y) == russianRouletteMinBounces;",
    ),
    _Change(
        "camera.rgen",
        "radiance += attenuation * ambientLight;",
        "radiance += attenuation * ambientLight;\n"
        "    if (covered) {\n"
        "      radiance *= float(spp);\n"
        "      alpha *= float(spp);\n"
        "      break;\n"
        "    }",
    ),
)
NO_REFLECTION_TABLE = (
    # How surroundings are mirrored is looked up in a table that SAPIEN computes in every process before its first image: six
    # seconds where the renderer is a CPU. No scene of ours has surroundings: what the table says is multiplied by black.
    _Change("default/scene_set.glsl", "layout(set = SET_NUM, binding = 8) uniform sampler2D samplerBRDFLUT;", ""),
    _Change("default/deferred.frag", "texture(samplerBRDFLUT, vec2(roughness, dotNV)).xy", "vec2(0.0)"),
    _Change("default/gbuffer1.frag", "texture(samplerBRDFLUT, vec2(roughness, dotNV)).xy", "vec2(0.0)"),
)

COLOUR_AND_ID = (
    # A policy's image needs a colour and, where a photo is laid under it, the body of every pixel. The number of the body goes
    # where the colour's opacity would be, so that one image is fetched instead of two; it is there again once opacity is
    # quantised as colours are. Depth, positions and coloured bodies are not drawn.
    _Change("default/composite0.frag", "layout(location = 1) out vec4 outDepthLinear;", ""),
    _Change("default/composite0.frag", "layout(location = 2) out vec4 outSegmentationView0;", ""),
    _Change("default/composite0.frag", "layout(location = 3) out vec4 outSegmentationView1;", ""),
    _Change("default/composite0.frag", "layout(location = 4) out vec4 outPosition;", ""),
    _Change("default/composite0.frag", "outDepthLinear.x = position.z;", ""),
    _Change("default/composite0.frag", "outSegmentationView0 = mix(vec4(0,0,0,1), colors[seg.x % 60], sign(seg.x));", ""),
    _Change("default/composite0.frag", "outSegmentationView1 = mix(vec4(0,0,0,1), colors[seg.y % 60], sign(seg.y));", ""),
    _Change(
        "default/composite0.frag",
        "outPosition = vec4(position, texture(samplerGbufferDepth, inUV).x);",
        "outColor.a = (float(seg.y) + 0.5) / 255.0;",
    ),
)


class Shaders(NamedTuple):
    """A folder to render with."""

    folder: str
    """As ``sapien.render.set_camera_shader_dir`` takes it: a path, or the name of one of the package's."""
    light: Light
    early_end: bool = False
    """Whether dim paths end early, and what a photo covers (:func:`cover`)."""
    id_in_color: bool = False
    """Whether the fourth channel of a colour, times 255, holds the number of the pixel's body; there is no image of depths."""


@functools.cache
def ray_tracing_shaders(early_end: bool = False) -> Shaders:
    """The copy with the original's light; the installed folder where that cannot be made.

    ``early_end``: whether dim paths are to end early, and pixels that a photo covers after one sample (``cover``), which the
    installed folder does not do.
    """
    installed = _installed()
    if installed is None or folder_checksum(installed) != KNOWN:
        return Shaders("rt", "installed")
    changes = (*CHANGES, *EARLY_END, *COVERED) if early_end else CHANGES
    try:
        return Shaders(str(_copy(changed(installed, changes))), "sapien-2.2.2", early_end)
    except OSError:  # no place to write to
        return Shaders("rt", "installed")


@functools.cache
def raster_shaders(depth: bool = False) -> Shaders:
    """Shaders that draw the same images as the installed ones without six seconds of preparation on a CPU; the installed ones
    where the copy cannot be made. ``depth``: with an image of depths, else with bodies among the colours."""
    folders = [(name, _installed(name)) for name in (RASTER, COMMON)]
    texts = {f"{name}/{file}": content for name, files in folders for file, content in (files or {}).items()}
    if folder_checksum(texts) != KNOWN_RASTER:
        return Shaders(RASTER, "installed")
    changes = NO_REFLECTION_TABLE if depth else (*NO_REFLECTION_TABLE, *COLOUR_AND_ID)
    try:
        return Shaders(str(_copy(changed(texts, changes))), "installed", id_in_color=not depth)
    except OSError:
        return Shaders(RASTER, "installed")


def cover(camera: sapien.render.RenderCameraComponent, body: int | None) -> None:
    """Tell a camera that renders with an early end which body a photo covers, by its id in the scene; None: no photo does."""
    camera.set_property("russianRoulette", 0 if body is None else 1)
    camera.set_property("russianRouletteMinBounces", body or 0)


def folder_checksum(files: Mapping[str, bytes]) -> str:
    """Over names and contents."""
    return checksum("".join(f"{checksum(content)} {name}\n" for name, content in sorted(files.items())).encode())


def changed(files: Mapping[str, bytes], changes: Sequence[_Change] = CHANGES) -> dict[str, bytes]:
    """The same files with other lines."""
    texts = dict(files)
    for file, before, after in changes:
        texts[file] = texts[file].replace(before.encode(), after.encode())
    return texts


def _installed(folder_name: str = RAY_TRACED) -> dict[str, bytes] | None:
    """Name -> content of a folder of the package's shaders; None if they are not where version 3 has them."""
    spec = importlib.util.find_spec("sapien")
    folder = Path(spec.origin).parent / "vulkan_shader" / folder_name if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        return None
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _copy(texts: Mapping[str, bytes]) -> Path:
    """The folder in the cache; what is missing or altered in it is written again, each file whole or not at all."""
    cache = GeneratedFiles("shaders", folder_checksum(texts)[:12])
    for name, content in texts.items():
        if not cache.is_intact(name):
            cache.write(name, content)
    return cache.path(next(iter(texts))).parent
