"""What a change of the OpenAPI document takes from those who use the API. More may be answered, less may be asked."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def breaking(old: Document, new: Document) -> list[str]:
    """Every change that breaks somebody's program, in words."""
    return sorted(set(_Compared(old, new).all()))


class _Compared:
    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self.seen: set[tuple[str, str, bool]] = set()

    def all(self) -> Iterator[str]:
        for path, methods in self.old["paths"].items():
            for method, before in methods.items():
                name, after = f"{method.upper()} {path}", self.new["paths"].get(path, {}).get(method)
                if after is None:
                    yield f"{name} is gone"
                else:
                    yield from self.operation(name, before, after)

    def operation(self, name: str, before: Document, after: Document) -> Iterator[str]:
        was, now = ({(p["in"], p["name"]): p for p in o.get("parameters", [])} for o in (before, after))
        yield from (f"{name}: the {place} parameter `{p}` is gone" for place, p in was.keys() - now.keys())
        for key, parameter in now.items():
            if parameter.get("required") and not was.get(key, {}).get("required"):
                yield f"{name}: the {key[0]} parameter `{key[1]}` is required"
            if key in was:
                where = f"{name}: the {key[0]} parameter `{key[1]}`"
                yield from self.schema(where, was[key]["schema"], parameter["schema"], asked=True)
        yield from self.content(f"{name} takes", before.get("requestBody"), after.get("requestBody"), asked=True)
        for status, answer in before["responses"].items():
            if status.startswith("2"):
                yield from self.content(f"{name} {status}", answer, after["responses"].get(status), asked=False)

    def content(self, name: str, before: Document | None, after: Document | None, *, asked: bool) -> Iterator[str]:
        if before is None or after is None:
            if (before is None) != (after is None) and (before is not None or (after or {}).get("required")):
                yield f"{name}: {'nothing' if after is None else 'a body'} now"
            return
        for kind, body in before.get("content", {}).items():
            if kind not in after.get("content", {}):
                yield f"{name}: {kind} is gone"
            else:
                there = after["content"][kind]
                yield from self.schema(name, body.get("schema", {}), there.get("schema", {}), asked=asked)

    def schema(self, name: str, before: Document, after: Document, *, asked: bool) -> Iterator[str]:
        """What is asked for may become less, what is answered may become more."""
        key = (str(before.get("$ref")), str(after.get("$ref")), asked)
        if "$ref" in before and key in self.seen:
            return
        self.seen.add(key)
        name = f"`{before['$ref'].rpartition('/')[2]}`" if "$ref" in before else name
        before, after = self.resolved(self.old, before), self.resolved(self.new, after)
        was, now = self.kinds(self.old, before), self.kinds(self.new, after)
        if lost := (was - now if asked else now - was) if was and now else set():
            yield f"{name}: {'no longer takes' if asked else 'may now be'} {', '.join(sorted(lost))}"
        if "enum" in after and asked and (gone := set(map(str, before.get("enum", []))) - set(map(str, after["enum"]))):
            yield f"{name}: no longer takes {', '.join(sorted(gone))}"
        fields = after.get("properties", {})
        for field, inner in before.get("properties", {}).items():
            if field not in fields:
                yield f"{name}: the field `{field}` is gone"
            else:
                yield from self.schema(f"{name}.{field}", inner, fields[field], asked=asked)
        if asked:
            needed = set(after.get("required", [])) - set(before.get("required", []))
            yield from (f"{name}: the field `{field}` is required" for field in needed)
        if "items" in before:
            yield from self.schema(f"{name}[]", before["items"], after.get("items", {}), asked=asked)
        for inner in before.get("anyOf", []):
            if "$ref" in inner and inner in after.get("anyOf", []):
                yield from self.schema(name, inner, inner, asked=asked)

    def kinds(self, document: Document, schema: Document) -> set[str]:
        """The kinds of value that a schema lets through; none if it says nothing."""
        if "anyOf" in schema:
            return set().union(*(self.kinds(document, self.resolved(document, inner)) for inner in schema["anyOf"]))
        kind = schema.get("type", [])
        return set(kind) if isinstance(kind, list) else {kind}

    def resolved(self, document: Document, schema: Document) -> Document:
        if "$ref" not in schema:
            return schema
        found: Document = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
