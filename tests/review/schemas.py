"""The JSON Schemas of docs/, made from the models. `python -m tests.review.schemas` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Scorecard

DOCS = Path(__file__).parent.parent.parent / "docs"
SCHEMAS: dict[str, type[BaseModel]] = {"rubric.schema.json": Rubric, "scorecard.schema.json": Scorecard}


def schema_of(model: type[BaseModel]) -> str:
    mode = "serialization" if model is Scorecard else "validation"  # a card is written, a rubric is read
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(mode=mode)}
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for name, model in SCHEMAS.items():
        (DOCS / name).write_text(schema_of(model), encoding="utf-8")
