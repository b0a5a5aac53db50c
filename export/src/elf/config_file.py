"""Experiments as YAML over typed defaults, with `field=value` overrides over that."""

import dataclasses
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml

from elf.errors import ConfigError
from elf.paths import MAY_BE_ADDRESS, path_of, refuse_address
from elf.text_file import describe_half, half_character, read_text

# Unknown fields, wrong types and impossible values are refused by name.

T = TypeVar("T")


def load_config(kind: type[T], path: Path | None, overrides: tuple[str, ...] = ()) -> T:
    """An instance of the dataclass `kind`: its defaults, then the file, then overrides such as `flow.noise_scale=1`.

    Raises ConfigError naming the field.
    """
    return build_config(kind, read_fields(path, overrides))


def read_fields(path: Path | None, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that the file and the overrides set, groups as dicts, none of them checked. Raises ConfigError."""
    values = {} if path is None else read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no fields", "Give a YAML file of `field: value` lines.")
    for override in overrides:
        name, value = read_override(override)
        place = values
        *groups, last = name.split(".")
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name}: {group} has no fields below it", "Check the name.")
        place[last] = value
    return values


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them say more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            place = self.peek_event().start_mark
            raise yaml.YAMLError(f"line {place.line + 1} has an alias; write out what it stands for")
        return super().compose_node(parent, index)


MOST_LETTERS = 50_000
"""Of a configuration; the longest here has a tenth of it. PyYAML looks at a thousand brackets again for each one."""


def _yaml_value(text: str) -> Any:
    """Raises ValueError."""
    if len(text) > MOST_LETTERS:
        raise ValueError(f"it has {len(text):,} letters, and a configuration at most {MOST_LETTERS:,}")
    try:
        return yaml.load(text, _PlainLoader)
    except Exception as error:  # of a number or a date that is none PyYAML raises whatever Python does
        raise ValueError(str(error) or type(error).__name__) from error


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; an empty one holds no fields. Raises ConfigError."""
    try:
        value = _yaml_value(read_text(path, ConfigError)) or {}
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}", "Give a YAML file of `field: value` lines.") from error
    # Half of a character can stand there as an escape, "\ud83d".
    for text in _texts(value):
        if (at := half_character(text)) is not None:
            raise ConfigError(f"{path}: {describe_half(text, at)}", "Write the whole character there.")
    return value


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, names of fields among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def read_override(override: str) -> tuple[str, Any]:
    """Name and value of `field=value`. Raises ConfigError."""
    name, _, text = override.partition("=")
    try:
        return name, _yaml_value(text)
    except ValueError as error:
        raise ConfigError(f"{override} is no YAML value", "Write field=value.") from error


def build_config(kind: type[T], values: dict[str, Any], prefix: str = "") -> T:
    """An instance of the dataclass `kind` with `values` for fields; `prefix` goes before their names in errors."""
    hints = typing.get_type_hints(kind, include_extras=True)
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
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_convert(options[0], item, f"{name}[{i}]") for i, item in enumerate(value))
        raise ConfigError(f"{name} is {value!r}, not a list", f"Write {name}=[A,B,…].")
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return build_config(hint, value, f"{name}.")  # type: ignore[arg-type]
        raise ConfigError(f"{name} is {value!r}, not a group of fields", f"Write {name}.FIELD=VALUE.")
    if origin is typing.Annotated:
        if MAY_BE_ADDRESS in hint.__metadata__ and isinstance(value, str):
            return path_of(value)
        return _convert(options[0], value, name)
    if hint is Path and isinstance(value, str):
        refuse_address(value, name)
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
