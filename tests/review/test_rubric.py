"""Rubrics: the built-in ones, the schema, and one sentence for each fault of a file."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from liner_mcp.errors import UsageError
from liner_mcp.review.rubric import MAX_CRITERIA, as_yaml, read_rubric
from liner_mcp.rubrics import built_in
from tests.review.schemas import DOCS, SCHEMAS, schema_of

ONE = "- id: need_named\n  question: Did the client say what they look for?\n"


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_of_the_docs_are_those_of_the_models(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == schema_of(SCHEMAS[name])


@pytest.mark.parametrize("name", built_in.NAMES)
def test_a_built_in_rubric_is_valid_and_the_same_as_yaml(name: str, tmp_path: Path) -> None:
    rubric = read_rubric(name)
    assert rubric.name == name
    jsonschema.validate(built_in.read(name), json.loads((DOCS / "rubric.schema.json").read_text(encoding="utf-8")))
    assert read_rubric(written(tmp_path, as_yaml(name))) == rubric
    assert all(criterion.question in built_in.as_text(name) for criterion in rubric.criteria)


def test_the_languages_of_a_rubric_have_the_same_criteria() -> None:
    for name in ("transfers", "first_calls"):
        english, russian = read_rubric(name), read_rubric(f"{name}_ru")
        assert (english.language, russian.language) == ("en", "ru")
        assert [(one.id, one.weight, one.fatal) for one in english.criteria] == [
            (one.id, one.weight, one.fatal) for one in russian.criteria
        ]


def test_the_hash_follows_the_content_and_not_the_spelling(tmp_path: Path) -> None:
    rubric = read_rubric(written(tmp_path, f"name: mine\ncriteria:\n{ONE}"))
    again = read_rubric(written(tmp_path, f"# a comment\n'name': mine\nlanguage: en\ncriteria:\n{ONE}  weight: 1\n"))
    other = read_rubric(written(tmp_path, f"name: mine\ncriteria:\n{ONE}  weight: 2\n"))
    assert rubric.hash == again.hash != other.hash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"name: mine\ncriteria:\n{ONE}  wieght: 2\n", 'criterion 1 has the unknown field "wieght"; did you mean'),
        (f"name: mine\ncritera:\n{ONE}", 'the rubric has the unknown field "critera"; did you mean criteria?'),
        (f"name: mine\ncriteria:\n{ONE}{ONE}", "2 criteria have the id need_named; give each its own."),
        (f"name: mine\ncriteria:\n{ONE}  id: other\n", 'has the field "id" (in or below line 3) twice'),
        (
            "name: mine\ncriteria:\n" + "".join(f"- id: c{n}\n  question: Was it said?\n" for n in range(100)),
            f"it has 100 criteria; a rubric has 1 to {MAX_CRITERIA}.",
        ),
        ("name: mine\ncriteria: []\n", f"it has 0 criteria; a rubric has 1 to {MAX_CRITERIA}."),
        ("name: mine\n", "the rubric lacks the field criteria."),
        ("name: mine\ncriteria: none\n", "criteria of the rubric cannot be used: it must be a list."),
        ("name: mine\ncriteria:\n- Was it said?\n", "criterion 1 is not a set of fields"),
        (f"name: mine\ncriteria:\n{ONE}  yes: said\n", "their names are counts_as_yes and counts_as_no."),
        ("name: mine\ncriteria:\n- id: no\n  question: Was it?\n", "it must be text; put it in quotation marks."),
        ("name: mine\ncriteria:\n- id: Was It\n  question: Was it?\n", "it must be small letters, digits and _"),
        (f"name: mine\ncriteria:\n{ONE}  weight: -1\n", "weight of criterion 1 cannot be used"),
        (f"name: calls\ncriteria:\n{ONE}", "the name calls is that of results without a model"),
        ("name: mine: again\n", "is not YAML in line 1"),
        ("name: 2026-99-99\n", "is not YAML"),
        ("name: &a [*a]\n", "has an alias (*name)"),
        ("name: " + "[" * 90_000, "is nested too deeply"),
        ("x: !!python/object:os.system 1\n", "is not YAML in line 1"),
        ("", "it needs the fields name and criteria."),
        ("#" * 300_000, "it is not a rubric."),
    ],
)  # fmt: skip
def test_a_fault_of_a_file_is_one_sentence_that_says_where(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read_rubric(written(tmp_path, text))
    sentence = str(refused.value)
    assert sentence.startswith("--rubric: ")
    assert said in sentence
    assert "\n" not in sentence


def test_an_unknown_name_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no rubric transfer; built in are transfers, transfers_ru"):
        read_rubric("transfer")
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_rubric(str(path))
