"""Writes docs/reference from the code: what can be said, commands, settings, routes, parts, the pipeline file;
and .env.example."""

import json
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer.main
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from api import on_behalf
from api.main import create_app
from atlas import cli
from bot.skill import skills
from core import parts
from core.pipeline import Pipeline
from core.settings import Settings, load
from docs.breaking import breaking
from engine.home import open_home
from engine.store import access

REFERENCE = Path(__file__).parent / "reference"
OPENAPI = REFERENCE / "openapi.json"
EXAMPLE = Path(__file__).parent.parent / ".env.example"
SOURCE = "a connector and what it asks for, below"
SHAPES = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "`true` or `false`",
    "secret": '`"${secret:NAME}"`',
}  # fmt: skip
MADE = "<!-- Written by `make docs`; change the code instead. -->\n\n"


def as_text(made: dict[str, Any]) -> str:
    """The document as it is kept: a line a value, so that a change is seen."""
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {
        "chat.md": _chat(),
        "command-line.md": _command_line(),
        "settings.md": _settings(),
        "http.md": _http(),
        "rights.md": _rights(),
        "parts.md": _parts(),
        "pipeline-file.md": _pipeline_file(),
    }


def example() -> str:
    """`.env.example`: every setting, what it means, and what it is if it is not set."""
    lines = [
        "# Every setting of Atlas, as it is if nothing is set. Copy it to .env, take the # away where you change one:",
        "# docker compose reads .env by itself, everything else with ATLAS_ENV_FILE=.env. Written by `make docs`.",
    ]
    for variable, value, description in load({}).shown():
        secret = "SecretStr" in str(Settings.model_fields[variable.removeprefix("ATLAS_").lower()].annotation)
        aside = f" Better as a file of its own: {variable}_FILE." if secret else ""
        lines += ["", f"# {description}{aside}", f"#{variable}={'' if secret or value == 'not set' else value}"]
    return "\n".join(lines) + "\n"


def _chat() -> str:
    lines = ["# What one can say", "", "| say | what it does | needs the right | example |", "|---|---|---|---|"]
    for skill in skills():
        said = "<br>".join(f"`{pattern.usage}`" for pattern in skill.patterns).replace("|", "\\|")
        lines.append(f"| {said} | {skill.help} | {skill.right or '-'} | `{skill.example}` |")
    return "\n".join(lines)


def _command_line() -> str:
    lines = ["# The command line", ""]
    command: Any = typer.main.get_command(cli.app)

    def walk(command: Any, path: str) -> None:
        for name, child in sorted(command.commands.items()):
            if hasattr(child, "commands"):
                walk(child, f"{path} {name}")
                continue
            lines.extend([f"## `{path} {name}`", "", (child.help or "").strip(), ""])
            for option in child.params:
                named = option.metavar or option.name.upper()
                shown = "/".join(option.opts) if option.param_type_name == "option" else named
                lines.append(f"* `{shown}`{': ' + option.help if getattr(option, 'help', None) else ''}")
            lines.append("")

    walk(command, "atlas")
    return "\n".join(lines).strip()


def _settings() -> str:
    lines = [
        "# Settings", "",
        "All from the environment, or a file of `NAME=value` lines named by `ATLAS_ENV_FILE`. A secret may come as "
        "`NAME_FILE`, a mounted file. An unknown or malformed `ATLAS_` variable is an error that names it.", "",
        "`ATLAS_SECRET_CRM_TOKEN` is `\"${secret:CRM_TOKEN}\"` in a pipeline file; so is the file `CRM_TOKEN` in "
        "the folder `ATLAS_SECRETS`. `ATLAS_SECRET_CRM_TOKEN_HOSTS`, or the file `CRM_TOKEN.hosts`, lists the hosts "
        "that may receive it. No other variable or file can be named there.", "",
        "| variable | default | what it is |", "|---|---|---|",
    ]  # fmt: skip
    for name, field in Settings.model_fields.items():
        default = "not set" if field.default is None else str(field.default)
        shown = "a broker in this process" if name == "broker_url" else f"`{default}`"
        lines.append(f"| `ATLAS_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, of an app over a home that nobody uses."""
    with TemporaryDirectory() as folder:
        home = open_home(load({"ATLAS_HOME": folder}))
        made = create_app(home, lambda: None).openapi()
        home.database.close()
    return made


def _routes() -> dict[str, Any]:
    paths: dict[str, Any] = document()["paths"]
    return paths


def _http() -> str:
    lines = [
        "# HTTP", "",
        "`/openapi.json` has the whole document, and so has [openapi.json](openapi.json).",
        "Errors are `application/problem+json` with `code` and `hint`.", "",
        "| route | what it does | needs the right |", "|---|---|---|",
    ]  # fmt: skip
    for path, methods in _routes().items():
        for method, operation in methods.items():
            scopes = [scope for entry in operation.get("security", []) for scope in next(iter(entry.values()))]
            needs = ", ".join(scopes) or ("a token" if "security" in operation else "-")
            what = operation.get("description") or operation["summary"]
            lines.append(f"| `{method.upper()} {path}` | {what.splitlines()[0]} | {needs} |")
    return "\n".join(lines)


def _rights() -> str:
    lines = [
        "# Who may do what", "",
        "Rights are declared at each route. A role has its own rights on everything. In a chat a person may only call "
        "what `api/on_behalf.py` lists: a bot that speaks for them is refused everything else, whoever they are.", "",
        f"| route | right | {' | '.join(access.ROLES)} | in a chat |", f"|---|---|{'---|' * len(access.ROLES)}---|",
    ]  # fmt: skip
    for path, methods in sorted(_routes().items()):
        for method, operation in sorted(methods.items()):
            scopes = [scope for entry in operation.get("security", []) for scope in next(iter(entry.values()))]
            right = ", ".join(scopes) or ("a token" if "security" in operation else "none: open")
            may = ["yes" if access.rights(role).issuperset(scopes) else "-" for role in access.ROLES]
            chat = "yes" if f"{method.upper()} {path}" in on_behalf.ROUTES else "-"
            lines.append(f"| `{method.upper()} {path}` | {right} | {' | '.join(may)} | {chat} |")
    return "\n".join(lines)


def _parts() -> str:
    lines = ["# Parts", "", "Everything Atlas can be extended with. A part is a file in its folder.", ""]
    for kind, folder in parts.FOLDERS.items():
        lines += [f"## {kind}: `{folder.replace('.', '/')}/`", ""]
        for name in parts.names(kind):
            module = parts.load(kind, name)
            lines.append(f"* **{name}**: {(module.__doc__ or '').strip().splitlines()[0]}")
        lines.append("")
    return "\n".join(lines).strip()


def _pipeline_file() -> str:
    lines = [
        "# The pipeline file", "",
        "`pipelines/NAME.yml`, YAML 1.2, strict: an unknown or doubled key is an error. `atlas check` tells every "
        "mistake with its line.", "",
    ]  # fmt: skip
    schema = Pipeline.model_json_schema()
    sources = {f"source: {name}": parts.load("connector", name).Source for name in parts.names("connector")}
    read = {title: model.model_json_schema(schema_generator=_WithSecrets) for title, model in sources.items()}
    more = {name: found for model in (schema, *read.values()) for name, found in model.get("$defs", {}).items()}
    for title, model in [("The file", schema), *read.items(), *sorted(more.items())]:
        lines += [
            f"## {title}",
            "",
            model.get("description", ""),
            "",
            "| key | must it be there | what |",
            "|---|---|---|",
        ]
        for key, value in model.get("properties", {}).items():
            must = "yes" if key in model.get("required", []) else "no"
            what = (
                "a connector and what it asks for, below" if (title, key) == ("The file", "source") else _shape(value)
            )
            lines.append(f"| `{key}` | {must} | {what} |")
        lines.append("")
    return "\n".join(lines).strip()


class _WithSecrets(GenerateJsonSchema):
    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> dict[str, Any]:
        return {"type": "secret"}


def _shape(value: dict[str, Any]) -> str:
    if "enum" in value:
        return "one of " + ", ".join(f"`{v}`" for v in value["enum"])
    if "anyOf" in value:
        return " or ".join(_shape(v) for v in value["anyOf"] if v.get("type") != "null")
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if value.get("type") == "array":
        return f"a list of {_shape(value.get('items', {}))}"
    if "const" in value:
        return f"`{value['const']}`"
    named = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
    if isinstance(named[0], dict):
        return f"names with {_shape(named[0])}"
    return SHAPES.get(value.get("type", ""), "values")


def main() -> None:
    old = json.loads(OPENAPI.read_text(encoding="utf-8"))
    if (broken := breaking(old, document())) and "--breaking" not in sys.argv:
        sys.exit("\n".join(["These changes break programs that use the API:", *broken, "On purpose? Add --breaking."]))
    OPENAPI.write_text(as_text(document()), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")
    for name, text in pages().items():
        (REFERENCE / name).write_text(MADE + text + "\n", encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
