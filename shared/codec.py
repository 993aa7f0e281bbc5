"""Dataclasses ⇄ JSON values, by their type hints.

A dataclass is an object, a tuple an array, a mapping an object, and a numpy array the number of a buffer that travels
apart. Reading is strict about types, numbers and sizes, and lenient about growth: fields that this version does not
know are ignored, and a field that is not there takes its default if it has one.

What cannot be read raises BadRequest with the path of the culprit ("delta.added[2].class_id"), or the error that the
dataclass itself raises for values that make no sense.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import math
from functools import cache, partial
from typing import Any, Callable, Mapping, NoReturn, Sequence, Union, get_args, get_origin, get_type_hints

import numpy as np

from terrafine.shared.errors import BadRequest, TooLarge

MAX_INTEGER = 2**53 - 1  # what every JSON reader keeps exact
MAX_DIGITS = 40
MAX_ITEMS = 100_000  # of one array or object
MAX_STRING = 65_536  # characters; the longest are descriptions of coordinate systems


def encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` as JSON values; numpy arrays are appended to `arrays`. Raises BadRequest for what `decode` refuses."""
    if isinstance(value, (str, int, float)):  # most values, and float64 is a float
        return _checked(value)
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return len(arrays) - 1
    if isinstance(value, (tuple, list)):
        _check_count(value, type(value).__name__)
        return [encode(item, arrays) for item in value]
    if dataclasses.is_dataclass(value):
        return {item.name: encode(getattr(value, item.name), arrays) for item in dataclasses.fields(value)}
    if isinstance(value, collections.abc.Mapping):
        _check_count(value, type(value).__name__)
        return {_checked(key): encode(item, arrays) for key, item in value.items()}
    return _checked(value.item()) if isinstance(value, np.generic) else value


def _checked(value: Union[str, int, float]) -> Union[str, int, float]:
    """`value`, if the other side will take it. Half characters are let pass: they are replaced on the way."""
    if isinstance(value, str) and len(value) > MAX_STRING:
        raise TooLarge(f"A text has {len(value)} characters; {MAX_STRING} are allowed.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise TooLarge(f"{value} lies beyond ±{MAX_INTEGER}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRequest(f"A number must be finite, not {value}.")
    return value


def decode(kind: Any, value: Any, arrays: Sequence[np.ndarray] = (), path: str = "") -> Any:
    """The value of type `kind` (a type hint) that the JSON value stands for."""
    return _decoder(kind)(value, arrays, path)


@cache
def _decoder(kind: Any) -> Callable[[Any, Sequence[np.ndarray], str], Any]:
    """What reads a type; type hints are slow to say what they are."""
    origin = get_origin(kind)
    if origin is Union:
        return partial(_decode_union, get_args(kind))
    if origin is tuple:
        return partial(_decode_tuple, get_args(kind))
    if origin in (dict, collections.abc.Mapping):
        return partial(_decode_mapping, get_args(kind)[1])
    if kind is np.ndarray:
        return _decode_array
    if dataclasses.is_dataclass(kind):
        return partial(_decode_dataclass, kind)
    return partial(_decode_scalar, _SCALARS[kind])


def _decode_scalar(read: Callable[[Any, str], Any], value: Any, _arrays: Sequence[np.ndarray], path: str) -> Any:
    return read(value, path)


def parse(text: str) -> Any:
    """The JSON values in `text`; raises BadRequest also for NaN, Infinity, endless numbers and bottomless nesting."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"This is not JSON: {error}.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _decode_union(kinds: tuple[Any, ...], value: Any, arrays: Sequence[np.ndarray], path: str) -> Any:
    """Either "this or nothing", or one of several plain types, which JSON tells apart."""
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    kind = kinds[0] if len(kinds) == 1 else type(value)
    if kind not in kinds:
        raise _unlike("one of " + ", ".join(kind.__name__ for kind in kinds), value, path)
    return decode(kind, value, arrays, path)


def _decode_tuple(kinds: tuple[Any, ...], value: Any, arrays: Sequence[np.ndarray], path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _unlike("an array", value, path)
    _check_count(value, path)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise BadRequest(f"'{path}' has {len(value)} items instead of {len(kinds)}.")
    return tuple(decode(kind, item, arrays, f"{path}[{n}]") for n, (kind, item) in enumerate(zip(kinds, value)))


def _decode_mapping(kind: Any, value: Any, arrays: Sequence[np.ndarray], path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unlike("an object", value, path)
    _check_count(value, path)
    return {_string(key, path): decode(kind, item, arrays, f"{path}.{key}") for key, item in value.items()}


def _decode_array(value: Any, arrays: Sequence[np.ndarray], path: str) -> np.ndarray:
    index = _whole(value, path)
    if not 0 <= index < len(arrays):
        raise BadRequest(f"'{path}' names buffer {index} of {len(arrays)}.")
    return arrays[index]


def _decode_dataclass(kind: Any, value: Any, arrays: Sequence[np.ndarray], path: str) -> Any:
    if not isinstance(value, dict):
        raise _unlike("an object", value, path)
    hints, required = _fields(kind)
    missing = [name for name in required if name not in value]
    if missing:
        raise BadRequest(f"'{_join(path, missing[0])}' is missing.")
    known = {name: hint for name, hint in hints.items() if name in value}
    values = {name: decode(hint, value[name], arrays, _join(path, name)) for name, hint in known.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise BadRequest(f"'{path or kind.__name__}' cannot be: {error}.") from error


@cache
def _fields(kind: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The type of each field, and the names of those that have no default."""
    required = (
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    )
    return get_type_hints(kind), tuple(required)


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _unlike("a string", value, path)
    if len(value) > MAX_STRING:
        raise TooLarge(f"'{path}' has {len(value)} characters; {MAX_STRING} are allowed.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest(f"'{path}' holds half a character.") from error
    return value


def _whole(value: Any, path: str) -> int:
    if type(value) is not int:
        raise _unlike("a whole number", value, path)
    if abs(value) > MAX_INTEGER:
        raise TooLarge(f"'{path}' lies beyond ±{MAX_INTEGER}.")
    return value


def _number(value: Any, path: str) -> float:
    if type(value) not in (int, float):
        raise _unlike("a number", value, path)
    if not math.isfinite(value):
        raise BadRequest(f"'{path}' must be finite.")
    return float(value)


def _truth(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _unlike("true or false", value, path)
    return value


_SCALARS = {str: _string, int: _whole, float: _number, bool: _truth}


def _check_count(value: collections.abc.Sized, path: str) -> None:
    if len(value) > MAX_ITEMS:
        raise TooLarge(f"'{path}' has {len(value)} items; {MAX_ITEMS} are allowed.")


def _unlike(wanted: str, value: Any, path: str) -> BadRequest:
    return BadRequest(f"'{path or 'the message'}' should be {wanted}, not {type(value).__name__}.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
