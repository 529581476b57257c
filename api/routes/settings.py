"""The settings of this server, without its secrets."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.deps import Caller, HomeDep, needs

router = APIRouter(prefix="/api/v1/settings", tags=["settings"])

ROW: dict[str, Any] = {
    "variable": "ATLAS_TIMEZONE",
    "value": "Europe/Copenhagen",
    "description": "For naive source times …",
}


class Setting(BaseModel):
    """A setting; `(hidden)` is a secret that is set."""

    model_config = ConfigDict(json_schema_extra={"examples": [ROW]})

    variable: str
    value: str
    description: str


class SettingsAnswer(BaseModel):
    """All settings."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ROW], "next": None}]})

    items: list[Setting]
    next: None = None


@router.get("")
def list_settings(home: HomeDep, _: Annotated[Caller, needs("admin")]) -> SettingsAnswer:
    """Every setting with its value; secrets are hidden."""
    return SettingsAnswer(
        items=[Setting(variable=name, value=value, description=what) for name, value, what in home.settings.shown()]
    )
