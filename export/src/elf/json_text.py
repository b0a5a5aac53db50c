"""JSON from files, with one kind of error for whatever is wrong with it."""

import json
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, Any]]


def json_value(text: str | bytes, fields: Callable[[Pairs], Any] | None = None) -> Any:
    """The value that a JSON text holds; `fields` makes an object of its pairs, a dict unless given.

    Raises ValueError, also for one that is nested deeper than Python can follow.
    """
    try:
        return json.loads(text, object_pairs_hook=fields)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
