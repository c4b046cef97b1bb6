"""What can be said of a policy's options before torch is loaded: seconds earlier, and where it is not installed, too."""

from __future__ import annotations

from policies.device_names import check_device, check_dtype
from policies.phi3v.checkpoint import folder_here
from policies.phi3v.config import check_crops, read_config
from policies.phi3v.inference import check_inference, check_rule
from policies.phi3v.statistics import parse_unnorm_key, read_ranges


def check_options(
    device: str,
    dtype: str,
    generation: str,
    unnorm_key: str | None,
    num_crops: str | int | None,
    inference: str,
    deterministic: str | bool,
    batch: str | int | None,
    checkpoint: str | None = None,
) -> None:
    """That the options are written as they must be, and that a checkpoint which is a folder has sizes and ranges.

    Arguments: as of :class:`policies.phi3v.policy.Phi3VPolicy`; ``checkpoint`` None: it is not known yet. Raises UserError, as
    the policy would.
    """
    parse_unnorm_key(unnorm_key)
    check_rule(generation)
    check_device(device)
    check_dtype(dtype)
    check_inference(inference, deterministic, batch)
    if num_crops is not None:
        check_crops(num_crops)
    folder = None if checkpoint is None else folder_here(checkpoint)
    if folder is not None:
        read_config(folder)
        read_ranges(folder, unnorm_key)
