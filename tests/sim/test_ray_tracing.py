"""Whether rays are traced is decided by rendering and comparing; a denoiser that fails silently is not taken."""

from __future__ import annotations

import pytest

from eval.errors import UserError
from eval.sim import ray_tracing


@pytest.fixture
def probes(monkeypatch):
    """Replace the child processes by answers; returns the list of probes."""

    def use(device, **images):
        probed = []

        def probe(what, render_device):
            probed.append(what)
            return {"device": device} if what == "device" else images.get(what.partition(":")[2])

        monkeypatch.setattr(ray_tracing, "_probe", probe)
        for cached in (ray_tracing._device, ray_tracing._works):
            cached.cache_clear()
            monkeypatch.setattr(ray_tracing, cached.__name__, cached.__wrapped__)
        return probed

    return use


GOOD = {"plain": 0.5, "denoised": 0.49}
ZEROS = {"plain": 0.5, "denoised": 0.0}


@pytest.mark.parametrize(
    ("optix", "oidn", "chosen"),
    [(GOOD, GOOD, "optix"), (ZEROS, GOOD, "oidn"), (None, GOOD, "oidn"), (ZEROS, None, "none")],
)
def test_the_first_denoiser_whose_image_is_right_is_taken(probes, optix, oidn, chosen):
    probes("NVIDIA H100", optix=optix, oidn=oidn)
    assert ray_tracing.choose("auto") == ray_tracing.choose("trace") == f"trace:{chosen}"


def test_on_a_cpu_rays_are_traced_only_when_asked_for(probes):
    probed = probes("llvmpipe (LLVM 15.0.6, 256 bits)", optix=GOOD, oidn=GOOD)
    assert ray_tracing.choose("auto") == "raster"
    assert ray_tracing.choose("trace") == "trace:none"  # both denoisers need CUDA
    assert set(probed) == {"device"}


def test_raster_asks_nobody(probes):
    probed = probes("NVIDIA H100")
    assert ray_tracing.choose("raster") == "raster"
    assert not probed


def test_another_word_is_one_line():
    with pytest.raises(UserError, match=r'--rt "tracee" is not known; use auto, trace, fast or raster.*trace'):
        ray_tracing.choose("tracee")


def test_the_record_says_how_it_was_drawn():
    assert ray_tracing.record("raster") == {"rt": "raster"}
    expected = {"rt": "trace", "samples": 32, "path_depth": 8, "denoiser": "oidn", "light": "sapien-2.2.2", "early_end": False}
    assert ray_tracing.record("trace:oidn") == expected
    assert ray_tracing.record("fast:oidn") == expected | {"rt": "fast", "samples": 16, "early_end": True}


@pytest.mark.parametrize(("optix", "oidn", "chosen"), [(GOOD, GOOD, "oidn"), (GOOD, ZEROS, "optix")])
def test_few_rays_are_denoised_by_what_works(probes, optix, oidn, chosen):
    probed = probes("NVIDIA H100", optix=optix, oidn=oidn)
    assert ray_tracing.choose("fast") == f"fast:{chosen}"
    assert probed[:2] == ["device", "fast:oidn"]  # with the shaders that it will have


@pytest.mark.parametrize("device", ["NVIDIA H100", "llvmpipe (LLVM 15.0.6, 256 bits)", ""])
def test_few_rays_without_a_denoiser_are_refused(probes, device):
    probes(device, optix=ZEROS, oidn=None)
    with pytest.raises(UserError, match=r"--rt fast needs a denoiser \(oidn or optix\), and none works on .*--rt trace"):
        ray_tracing.choose("fast")
