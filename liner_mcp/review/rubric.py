"""The rubric of a review: the questions that a model answers about each call. docs/rubric.schema.json describes it.

A rubric is one of the built-in ones, or a YAML file. Every fault in a file is one sentence that says where it is.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liner_mcp.errors import UsageError
from liner_mcp.files import reason
from liner_mcp.rubrics import built_in

MAX_CRITERIA = 40  # a scorecard has about ten; with more the answers of a model become careless
MAX_FILE_BYTES = 200_000  # forty criteria with the longest texts, in Russian

_Text = Annotated[str, Field(min_length=1, max_length=500)]


class Criterion(BaseModel):
    """One question. Its answer is yes, no, not_mentioned or cannot_tell."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Short name in the results, unique in the rubric")
    question: _Text = Field(description="A question that yes or no answers")
    # Not `yes` and `no`, which YAML reads as true and false.
    counts_as_yes: str = Field(default="", max_length=500, description="What a summary must say for a yes")
    counts_as_no: str = Field(default="", max_length=500, description="What a summary must say for a no")
    weight: int = Field(default=1, ge=0, le=100, description="Its part of the score; 0 leaves it out of the score")
    fatal: bool = Field(default=False, description="A no fails the whole call, whatever its score")


class Rubric(BaseModel):
    """Criteria in the order in which they are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$", description="Part of the names of the results")
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}$", description="Of the questions, such as en or ru")
    # A list in YAML; a tuple here, because a rubric does not change.
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=MAX_CRITERIA, strict=False)

    @property
    def hash(self) -> str:
        """Identifies the content. Comments and the spelling of the YAML do not change it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def read_rubric(name_or_file: str) -> Rubric:
    """The built-in rubric of this name, or the one in this file. Raises: UsageError."""
    if name_or_file in built_in.NAMES:
        return Rubric.model_validate(built_in.read(name_or_file))
    path = Path(name_or_file).expanduser()
    if not path.suffix and not path.exists():
        raise UsageError(
            f"--rubric: there is no rubric {name_or_file}; built in are {', '.join(built_in.NAMES)}, or send a file."
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--rubric: {path} cannot be read: {reason(error)}.") from None
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(f"--rubric: {path} has more than {MAX_FILE_BYTES:,} bytes; it is not a rubric.")
    return _checked(path, _parse(path, content))


def as_yaml(name: str) -> str:
    """A built-in rubric as YAML, to start an own one from."""
    return _yaml().safe_dump(built_in.read(name), allow_unicode=True, sort_keys=False, width=120)


def _yaml() -> Any:
    """PyYAML, whose types are known in part only. Imported late: results are read without it."""
    import yaml

    return yaml


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    yaml = _yaml()
    try:
        text = content.decode("utf-8-sig")
        document = yaml.compose(text, Loader=yaml.SafeLoader)
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise UsageError(f"--rubric: {path} has an alias (*name); write its text out.")  # it could hold itself
        loaded: object = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise UsageError(f"--rubric: {path} is not UTF-8 text.") from None
    except RecursionError:
        raise UsageError(f"--rubric: {path} is nested too deeply; it is not a rubric.") from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for a date such as 2026-99-99
        mark: Any = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        why = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UsageError(f"--rubric: {path} is not YAML{where}: {why}.") from None
    if not isinstance(loaded, dict) or document is None:
        raise UsageError(f"--rubric: {path} is not a rubric: it needs the fields name and criteria.")
    if repeated := _repeated_key(document):
        raise UsageError(f"--rubric: {path} has the field {repeated} twice; keep one of the two.")
    return cast("dict[str, Any]", loaded)


def _repeated_key(document: Any) -> str:
    """A key that a mapping has twice: YAML would silently use the last one."""
    yaml = _yaml()
    nodes: list[Any] = [document]
    for node in nodes:  # which grows meanwhile
        if isinstance(node, yaml.MappingNode):
            for key, count in Counter(str(key.value) for key, _ in node.value).items():
                if count > 1:
                    return f'"{key[:60]}" (in or below line {node.start_mark.line + 1})'
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return ""


def _checked(path: Path, loaded: dict[str, Any]) -> Rubric:
    try:
        rubric = Rubric.model_validate(loaded)
    except ValidationError as error:
        raise UsageError(f"--rubric: {path}: {_sentence(_first(error), loaded)}") from None
    if rubric.name == "calls":  # the results would replace those of a review without a model
        raise UsageError(f"--rubric: {path}: the name calls is that of results without a model; choose another.")
    for one, count in Counter(criterion.id for criterion in rubric.criteria).items():
        if count > 1:
            raise UsageError(f"--rubric: {path}: {count} criteria have the id {one}; give each its own.")
    return rubric


def _first(error: ValidationError) -> Any:
    """The fault to name: a misspelt field before the one that is missing because of it."""
    faults = error.errors()
    return next((one for one in faults if one["type"] in ("extra_forbidden", "invalid_key")), faults[0])


def _sentence(error: Any, loaded: dict[str, Any]) -> str:
    """One fault that pydantic found, for a person."""
    *place, field = error["loc"]
    model: type[BaseModel] = Rubric
    where = "the rubric"
    if place and isinstance(place[-1], int):
        model, where = Criterion, f"criterion {place[-1] + 1}"
    elif isinstance(field, int):
        return f"criterion {field + 1} is not a set of fields such as id and question."
    if field == "criteria" and isinstance(loaded.get("criteria"), list):
        return f"it has {len(loaded['criteria'])} criteria; a rubric has 1 to {MAX_CRITERIA}."
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            if str(field) in ("1", "0", "True", "False"):  # how pydantic shows the keys `yes` and `no`
                return f"{where} has a field yes or no; their names are counts_as_yes and counts_as_no."
            close = get_close_matches(str(field), model.model_fields, 1, 0.6)
            hint = f"did you mean {close[0]}?" if close else f"its fields are {', '.join(model.model_fields)}."
            return f'{where} has the unknown field "{str(field)[:60]}"; {hint}'
        case "missing":
            return f"{where} lacks the field {field}."
        case _:
            return f"{field} of {where} cannot be used: {_expectation(error)}"


def _expectation(error: Any) -> str:
    names = {"id": "small letters, digits and _, at most 40, such as budget_confirmed", "language": "such as en or ru"}
    if error["type"] == "tuple_type":
        return "it must be a list."
    if error["type"] == "string_pattern_mismatch":
        return f"it must be {names.get(error['loc'][-1], 'letters, digits, _ and -, at most 60')}."
    if error["type"] == "string_type":
        return "it must be text; put it in quotation marks."
    return f"{error['msg'][0].lower()}{error['msg'][1:]}."
