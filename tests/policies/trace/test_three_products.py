"""float32 products by bfloat16 ones: nearly as exact, and the same layers as before."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra vla (torch) is not installed")


@pytest.mark.parametrize(("before", "width"), [("nothing", 384), ("norm", 384), ("gelu", 1536), ("nothing", 2401)])
def test_a_split_layer_gives_what_the_layer_gives(before: str, width: int) -> None:
    """TF32 would be off by 5e-4 of the largest output, bfloat16 by 4e-3; widths that no tensor core takes are filled up."""
    from policies.trace.three_products import Before, ThreeProductLinear

    torch.manual_seed(3)
    layer = torch.nn.Linear(width, 96)
    x, add = torch.randn(7, 5, width) * 4, torch.randn(width)
    first, plain = {
        "nothing": (Before(), x),
        "norm": (Before(norm=1e-6), torch.nn.functional.layer_norm(x, (width,), eps=1e-6)),
        "gelu": (Before(add=add, gelu="tanh"), torch.nn.functional.gelu(x + add, approximate="tanh")),
    }[before]
    with torch.no_grad():
        expected = layer(plain)
        got = ThreeProductLinear(layer.weight, layer.bias, first)(x)
    assert got.shape == expected.shape
    assert got.dtype == torch.float32
    assert float((got - expected).abs().max() / expected.abs().max()) < 2e-5


def test_the_two_parts_of_a_number_add_up_to_it() -> None:
    from policies.trace.three_products import Before, split_rows

    x = torch.cat([torch.logspace(-30, 30, 400), -torch.logspace(-30, 30, 400)]).view(8, 100)
    high, low, again = split_rows(x, Before()).chunk(3, dim=1)
    assert torch.equal(high, again)
    assert high.shape == (8, 104)
    assert not high[:, 100:].any()
    apart = (high.float() + low.float())[:, :100] - x
    assert float((apart / x).abs().max()) < 2**-16


def test_the_kernel_splits_as_pytorch_does() -> None:
    pytest.importorskip("triton", reason="Triton is not installed")
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    from policies.trace import split_kernel

    assert split_kernel.why_not(torch.device("cuda")) is None
