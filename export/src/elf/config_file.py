"""Experiments as YAML over typed defaults, with `field=value` overrides over that.

Unknown fields, wrong types and impossible values are refused by name.
"""

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from elf.errors import ConfigError

T = TypeVar("T")


def load_config(kind: type[T], path: Path | None, overrides: tuple[str, ...] = ()) -> T:
    """An instance of the dataclass `kind`: its defaults, then the file, then overrides such as `flow.noise_scale=1`.

    Raises ConfigError naming the field.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read: {error}", "Give a YAML file of `field: value` lines.") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path} holds no fields", "Give a YAML file of `field: value` lines.")
    for override in overrides:
        name, _, text = override.partition("=")
        place = values
        *groups, last = name.split(".")
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name}: {group} has no fields below it", "Check the name.")
        try:
            place[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{override} is no YAML value", "Write field=value.") from error
    return _build(kind, values, "")


def _build(kind: type[T], values: dict[str, Any], prefix: str) -> T:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"there is no field {prefix}{name}", f"Fields here: {', '.join(sorted(fields))}.")
        arguments[name] = _convert(hints[name], value, prefix + name)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in arguments:
            raise ConfigError(f"{prefix}{name} is not set", f"Set it in the file or as {prefix}{name}=VALUE.")
    return kind(**arguments)


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        (hint,) = (option for option in options if option is not type(None))
        return _convert(hint, value, name)
    if origin is typing.Literal:
        if value in options:
            return value
        raise ConfigError(f"{name} is {value!r}", f"Choose one of {', '.join(map(str, options))}.")
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, f"{name}.")  # type: ignore[arg-type]
        raise ConfigError(f"{name} is {value!r}, not a group of fields", f"Write {name}.FIELD=VALUE.")
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, str):
        # YAML reads 1e-3 as text.
        try:
            return float(value)
        except ValueError:
            pass
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise ConfigError(f"{name} is {value!r}", f"Give a value of type {getattr(hint, '__name__', hint)}.")
