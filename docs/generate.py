"""Writes docs/reference from the code: what can be said, commands, settings, routes, parts, the pipeline file."""

import sys
from pathlib import Path
from typing import Any

import typer.main

from api.main import create_app
from atlas import cli
from bot.skill import skills
from core import parts
from core.pipeline import Pipeline
from core.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
MADE = "<!-- Written by `make docs`; change the code instead. -->\n\n"


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {
        "chat.md": _chat(),
        "command-line.md": _command_line(),
        "settings.md": _settings(),
        "http.md": _http(),
        "parts.md": _parts(),
        "pipeline-file.md": _pipeline_file(),
    }


def _chat() -> str:
    lines = ["# What one can say", "", "| say | what it does | needs the right | example |", "|---|---|---|---|"]
    for skill in skills():
        said = "<br>".join(f"`{pattern.usage}`" for pattern in skill.patterns)
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
        "| variable | default | what it is |", "|---|---|---|",
    ]  # fmt: skip
    for name, field in Settings.model_fields.items():
        default = "not set" if field.default is None else str(field.default)
        shown = "a broker in this process" if name == "broker_url" else f"`{default}`"
        lines.append(f"| `ATLAS_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


def _http() -> str:
    app = create_app(None, lambda: None)  # type: ignore[arg-type]  # the document needs no home
    lines = [
        "# HTTP", "",
        "`/openapi.json` has the whole document. Errors are `application/problem+json` with `code` and `hint`.", "",
        "| route | what it does | needs the right |", "|---|---|---|",
    ]  # fmt: skip
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            scopes = [scope for entry in operation.get("security", []) for scope in next(iter(entry.values()))]
            needs = ", ".join(scopes) or ("a token" if "security" in operation else "-")
            what = operation.get("description") or operation["summary"]
            lines.append(f"| `{method.upper()} {path}` | {what.splitlines()[0]} | {needs} |")
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
    for title, model in [("The file", schema), *sorted(schema["$defs"].items())]:
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
            lines.append(f"| `{key}` | {must} | {_shape(value)} |")
        lines.append("")
    return "\n".join(lines).strip()


def _shape(value: dict[str, Any]) -> str:
    if "enum" in value:
        return "one of " + ", ".join(f"`{v}`" for v in value["enum"])
    if "anyOf" in value:
        return " or ".join(_shape(v) for v in value["anyOf"] if v.get("type") != "null")
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if value.get("type") == "array":
        return f"a list of {_shape(value.get('items', {}))}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"names with {_shape(value['additionalProperties'])}"
    return {"string": "text", "number": "a number", "integer": "a whole number"}.get(value.get("type", ""), "values")


def main() -> None:
    for name, text in pages().items():
        (REFERENCE / name).write_text(MADE + text + "\n", encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
