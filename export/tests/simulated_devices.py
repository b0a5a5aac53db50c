"""The environment of a program that sees several devices, though there is one CPU."""

import os


def simulated(devices: int, **more: str) -> dict[str, str]:
    """This process's environment, with so many devices and whatever else is given."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return os.environ | {"XLA_FLAGS": flags} | more
