"""How far the sampler's settings may go on the page; src/flow/settings.ts holds them to the same."""

from elf.errors import UsageError
from elf.sampler_settings import MAX_CFG_SCALE, SamplerSettings

LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 1024),
    "gamma": (0, 8),
    "self_cond_scale": (0.5, 8),
    "cfg_scale": (0, MAX_CFG_SCALE),
}
"""Least and greatest value, both allowed. The reference sampler itself goes further."""


def refuse_beyond_page(settings: SamplerSettings) -> None:
    """Raises UsageError for settings with which the page would refuse a manifest."""
    for name, (least, greatest) in LIMITS.items():
        value = getattr(settings, name)
        if not least <= value <= greatest:
            raise UsageError(f"{name} is {value:g}", f"The page takes {least:g} to {greatest:g}.")
