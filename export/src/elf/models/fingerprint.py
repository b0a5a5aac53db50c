"""A short name for the weights of a model, whatever file they are in."""

import hashlib
from collections.abc import Mapping

import numpy as np


def fingerprint(params: Mapping[str, np.ndarray]) -> str:
    """Sixteen hexadecimal digits that tell one set of weights from another."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(params[name].tobytes())
    return digest.hexdigest()[:16]
