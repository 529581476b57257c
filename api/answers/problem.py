"""An error, as RFC 9457 has it."""

from typing import Any

from pydantic import BaseModel, ConfigDict

_KIND = "application/problem+json"
_STATUS = {
    400: "What was sent cannot be read.",
    401: "Nobody says who is calling, or the token has ended.",
    403: "The caller lacks a right.",
    404: "There is no such thing.",
    409: "Not possible in the present state.",
    413: "More than is taken.",
    415: "Of a kind that is not taken.",
    422: "What was sent cannot be understood.",
    429: "Too many requests.",
}


class Fault(BaseModel):
    """What is wrong with one field; never its value."""

    field: str
    message: str


class Problem(BaseModel):
    """What happened, and what would work."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:atlas:problem:not_found", "title": "not found", "status": 404, "code": "not_found",
                    "detail": "There is no pipeline `custmers`.", "hint": "Did you mean customers?",
                    "nearest": ["customers"],
                }
            ]
        },
    )  # fmt: skip

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    errors: list[Fault] = []
    nearest: list[str] = []


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": told, "content": {_KIND: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, told in _STATUS.items()
}


def problem_schema() -> dict[str, Any]:
    """Problem and its parts, by name, for the OpenAPI document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}
