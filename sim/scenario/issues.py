"""From pydantic's errors to faults that people can act on: place by name, value, what is wrong, what would be right."""

import types
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from operator import itemgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sim.distributions.specs import DISTRIBUTION_TAG, DURATION_TAG, SPECS
from sim.fields.issues import Issue, Path
from sim.fields.messages import close_match, list_words, show_value
from sim.fields.plugins import GROUP
from sim.fields.registry import Registry
from sim.scenario.commitments_section import COMMITMENT_KINDS
from sim.scenario.file_model import PriceOverride, ScenarioFile
from sim.scenario.paths import NAMED_TABLES

_MISSING = object()
_IS_MISSING = "is missing"

_KIND_WORDS = {
    "string_type": "a text in quotes",
    "int_type": "a whole number without quotes",
    "float_type": "a number without quotes",
    "bool_type": "true or false, without quotes",
    "tuple_type": "a list in [ ]",
    "mapping_type": "a table of keys and values",
    "dict_type": "a table of keys and values",
    "model_type": "a table of keys and values",
    "model_attributes_type": "a table of keys and values",
    "finite_number": "a finite number",
    "string_unicode": "a text of valid characters",
}

_WORDS_ELSEWHERE = {
    "constant": 'a constant is written as a duration, such as "90s"',
    "fixed": 'a constant is written as a duration, such as "90s"',
    "deterministic": 'a constant is written as a duration, such as "90s"',
    "normal": "durations are never negative; take lognormal, or triangular",
    "gaussian": "durations are never negative; take lognormal, or triangular",
    "empirical": "take samples or quantiles",
    "erlang": "take gamma with a whole shape",
}


def translate(errors: Iterable[ErrorDetails], document: Mapping[str, Any]) -> list[Issue]:
    """What pydantic says about places of the document, in our words; what only follows from another fault is left out."""
    every = (each for error in errors for each in (error, *_as_meant(error, document)))
    found = [_translate_one(error, document) for error in every if not _is_echo(error, document)]
    meant = {touched for fault in found for touched in fault.related_paths}
    return [fault for fault in found if fault.problem != _IS_MISSING or fault.path not in meant]


def _is_echo(error: ErrorDetails, document: Mapping[str, Any]) -> bool:
    """A list called too short only because its wrong elements were not counted."""
    if error["type"] != "too_short":
        return False
    value = look_up(document, _follow(error["loc"], document)[0])
    return isinstance(value, (list, tuple)) and len(value) >= error.get("ctx", {}).get("min_length", 0)


def _as_meant(error: ErrorDetails, document: Mapping[str, Any]) -> Iterator[ErrorDetails]:
    """What else is wrong in a commitment whose kind is only misspelt."""
    if error["type"] != "union_tag_invalid" or error.get("ctx", {}).get("discriminator") != "'kind'":
        return
    value = look_up(document, _follow(error["loc"], document)[0])
    meant = get_close_matches(str(value["kind"]).casefold(), COMMITMENT_KINDS, n=1, cutoff=0.6)
    if not meant:
        return
    try:
        COMMITMENT_KINDS[meant[0]].model_validate({**value, "kind": meant[0]})
    except ValidationError as others:
        for other in others.errors(include_url=False):
            yield {**other, "loc": (*error["loc"], meant[0], *other["loc"])}


def _translate_one(error: ErrorDetails, document: Mapping[str, Any]) -> Issue:
    path, around, field = _follow(error["loc"], document)
    kind, context = error["type"], error.get("ctx", {})
    value = look_up(document, path)
    shown = f"{show_value(value)}: " if value is not _MISSING and not isinstance(value, (Mapping, list)) else ""
    value = None if value is _MISSING else value
    if kind == "missing":
        return Issue(path, _IS_MISSING, ((field and field.description) or "").rstrip("."))
    if kind == "extra_forbidden":
        return _unknown_key(path, around, value)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(path, str(context.get("discriminator", "")).strip("'"), value)
    if kind == "literal_error":
        allowed = [str(option) for option in _literals(field)]
        meant = close_match(value, allowed) if isinstance(value, str) else ""
        quoted = list_words(f'"{option}"' for option in allowed)
        open_to = next((each.kind for each in Registry.every if each and {*each} <= {*allowed}), "")
        own = (
            open_to
            and f"a package adds another {open_to} by the entry point {GROUP}, a script before it loads the file"
        )
        hint = "; ".join(filter(None, (meant, f"must be {quoted}", own)))
        return Issue(path, f"{shown}there is no such choice", hint, value)
    if kind in _KIND_WORDS:
        return Issue(path, f"{show_value(value)}: this is not {_KIND_WORDS[kind]}", _instead(kind, path, value), value)
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        hint = f"must be {_range(field)}"
        if _is_share(field) and isinstance(value, (int, float)) and 1 < value <= 100:
            hint += f"; write {value / 100:g} for {value:g} %"
        return Issue(path, f"{shown}out of range", hint, value)
    if kind in ("too_short", "too_long"):
        return _wrong_length(path, field, value)
    said = context.get("error")
    problem, _, hint = str(said if said is not None else error["msg"]).partition("; ")
    return Issue(path, f"{shown}{' '.join(problem.split())}", " ".join(hint.split()), value)


# --- following a place through the models ---------------------------------------------------------------------------


def _follow(
    loc: tuple[int | str, ...], document: Mapping[str, Any]
) -> tuple[Path, type[BaseModel] | None, FieldInfo | None]:
    """A pydantic place as a place of the document, the model around it and the field it is."""
    path: Path = ()
    model: type[BaseModel] | None = ScenarioFile
    field: FieldInfo | None = None
    around: type[BaseModel] | None = None
    parts = iter(loc)
    for part in parts:
        if part == DURATION_TAG:
            continue
        if part == DISTRIBUTION_TAG:
            model = SPECS.get(str(next(parts, "")))
            continue
        if len(path) == 2 and path[0] == "commitment" and model is None and part in COMMITMENT_KINDS:
            model = COMMITMENT_KINDS[str(part)]
            continue
        if isinstance(part, int) and isinstance(look_up(document, path), Mapping):
            continue  # the one table of a list that is written as a table
        path = (*path, part)
        if isinstance(part, int) or model is None:
            continue
        around = model
        field = fields_by_key(model).get(part)
        model = _model_of(field)
        if part == "override" and len(path) == 2:
            path, model = (*path, *[p for p in [next(parts, None)] if p is not None]), PriceOverride
            if len(path) > 2:
                around = PriceOverride
    return path, around, field


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a section by the key that the file writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_of(field: FieldInfo | None) -> type[BaseModel] | None:
    return next(_models_in(field.annotation), None) if field is not None else None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The one section an annotation leads to; distributions and commitments are found by their tag instead."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in SPECS.values() and annotation not in COMMITMENT_KINDS.values():
            yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _models_in(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from _models_in(part)


def look_up(document: Any, path: Path) -> Any:
    """The raw value at a place; a private marker if there is none."""
    node = document
    for part in path:
        in_list = isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node)
        if not in_list and not (isinstance(node, Mapping) and part in node):
            return _MISSING
        node = node[part]
    return node


def exists(document: Any, path: Path) -> bool:
    """Whether the document has anything at a place."""
    return look_up(document, path) is not _MISSING


# --- words ----------------------------------------------------------------------------------------------------------


def _literals(field: FieldInfo | None) -> tuple[Any, ...]:
    if field is None:
        return ()
    return next((get_args(a) for a in _annotations(field.annotation) if get_origin(a) is Literal), ())


def _annotations(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _annotations(part)


def _bounds(field: FieldInfo | None) -> list[Any]:
    """Range and length limits of a field, those of its elements included."""
    if field is None:
        return []
    limits: list[Any] = []
    for source in (field.metadata, *(getattr(a, "__metadata__", ()) for a in _annotations(field.annotation))):
        for item in source:
            limits.extend(item.metadata if isinstance(item, FieldInfo) else [item])
    return limits


def _range(field: FieldInfo | None) -> str:
    """The tightest of a field's limits on either side, in words."""
    least, most = _limits(field)
    ends = (max(least, key=itemgetter(0, 1), default=None), min(most, key=itemgetter(0, 1), default=None))
    return list_words((end[2] for end in ends if end is not None), "and")


Limit = tuple[float, int, str]
"""A limit, what tells two equal ones apart (one that is excluded is tighter), and its words."""


def _limits(field: FieldInfo | None) -> tuple[list[Limit], list[Limit]]:
    """Every lower and every upper limit of a field."""
    least: list[tuple[Any, int, str]] = []
    most: list[tuple[Any, int, str]] = []
    for limit in _bounds(field):
        if isinstance(limit, Ge):
            least.append((limit.ge, 0, f"{show_value(limit.ge)} or more"))
        elif isinstance(limit, Gt):
            least.append((limit.gt, 1, f"more than {show_value(limit.gt)}"))
        elif isinstance(limit, Le):
            most.append((limit.le, 1, f"at most {show_value(limit.le)}"))
        elif isinstance(limit, Lt):
            most.append((limit.lt, 0, f"less than {show_value(limit.lt)}"))
    return least, most


def _is_share(field: FieldInfo | None) -> bool:
    least, most = _limits(field)
    lowest, highest = max((limit[0] for limit in least), default=None), min((limit[0] for limit in most), default=None)
    return lowest == 0 and highest == 1


def _wrong_length(path: Path, field: FieldInfo | None, value: object) -> Issue:
    if path == ("group",):
        return Issue(path, "there is no group", "write [[group]] and in it what VMs there are", value)
    limits = _bounds(field)
    least = max((limit.min_length for limit in limits if isinstance(limit, MinLen)), default=0)
    most = max((limit.max_length for limit in limits if isinstance(limit, MaxLen)), default=0)
    right = f"exactly {least}" if least == most else f"at least {least}"
    length = len(value) if isinstance(value, (list, tuple)) else 0
    if length > most > least:
        right = f"at most {most}"
    return Issue(path, f"this list has {length} values", f"it has {right}", value)


def _instead(kind: str, path: Path, value: object) -> str:
    """What to write in place of a value of the wrong kind."""
    if kind == "tuple_type" and isinstance(value, Mapping) and path in NAMED_TABLES:
        return f"write [[{'.'.join(str(part) for part in path)}]] with two brackets"
    if kind == "tuple_type" and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return f"write [{show_value(value)}]"
    if (
        kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type")
        and isinstance(value, list)
        and path
    ):
        return f"write [{'.'.join(str(part) for part in path if isinstance(part, str))}] with one bracket"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return ""
        return f"write {value.strip()}"
    if kind == "int_type" and isinstance(value, float) and value == value and abs(value) < 1e15:
        return f"write {round(value)}"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "on", "off"):
        return f"write {'true' if value.lower() in ('true', 'yes', 'on') else 'false'}"
    if kind == "string_type" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'write "{show_value(value)}"'
    return ""


def _wrong_tag(path: Path, discriminator: str, value: object) -> Issue:
    """A table whose `dist` or `kind` is missing or unknown."""
    options = SPECS if discriminator == "dist" else COMMITMENT_KINDS
    allowed = list_words(f'"{option}"' for option in options)
    if not isinstance(value, Mapping):
        return Issue(path, f"{show_value(value)}: this is not a table of keys and values", "", value)
    if discriminator not in value:
        return Issue(path, f"{discriminator} is missing", f"must be {allowed}", value)
    tag = value[discriminator]
    meant = ""
    if isinstance(tag, str):
        meant = _WORDS_ELSEWHERE.get(tag.casefold(), "") or close_match(tag, options)
    hint = "; ".join(filter(None, (meant, f"must be {allowed}")))
    return Issue((*path, discriminator), f"{show_value(tag)}: there is no such {_TAG_WORDS[discriminator]}", hint, tag)


_TAG_WORDS = {"dist": "distribution", "kind": "kind of commitment"}


def _unknown_key(path: Path, around: type[BaseModel] | None, value: object) -> Issue:
    """A key that its table does not know: a typing error, or a key of another table below whose header it stands."""
    key = str(path[-1])
    known = list(fields_by_key(around)) if around is not None else []
    meant = close_match(key, known)
    homes = _homes(ScenarioFile, "the top of the file", {}).get(key, []) if path[0] != "commitment" else []
    related: tuple[Path, ...] = (path,)
    if meant:
        related = (path, (*path[:-1], meant.split('"')[1]))
    elif homes and path[:1] == ("group",) and "[[group]]" in homes and len(path) > 3:
        meant = f"{key} belongs to [[group]]; write it above the first [group.*] table, since a TOML key belongs to the last header"
        related = (path, (*path[:2], key))
    elif homes:
        meant = f"{key} belongs to {list_words(homes)}"
    elif known:
        meant = f"known are {', '.join(known)}"
    return Issue(path, "there is no such key", meant, value, related)


def _homes(model: type[BaseModel], header: str, found: dict[str, list[str]]) -> dict[str, list[str]]:
    for key, field in fields_by_key(model).items():
        found.setdefault(key, []).append(header)
        inner = _model_of(field)
        if inner is not None:
            name = f"{header.strip('[]')}.{key}".removeprefix("the top of the file.")
            is_list = get_origin(field.annotation) is tuple
            _homes(inner, f"[[{name}]]" if is_list else f"[{name}]", found)
    return found
