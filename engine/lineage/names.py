"""Names of what pipelines read, by the naming rules of OpenLineage: a namespace, and a name in it.

Edges hold both in one text, `postgres://host:5432/db.schema.table` or `file:/srv/data/customers.csv`. The datasets of
Atlas itself have no colon in theirs.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from core import parts, secrets
from core.settings import Settings

FILE = "file"
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://[^/]+)/(.+)", re.DOTALL)


class Named(NamedTuple):
    """A dataset outside Atlas. Neither part holds a secret."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}{'/' if '://' in self.namespace else ':'}{self.name}"


def source(given: Mapping[str, Any], settings: Settings) -> Named:
    """What a pipeline's `source` reads. Raises Misconfigured if the secret that says where it is cannot be had."""
    if "path" in given:
        return Named(FILE, _plain(os.path.normpath(settings.pipelines.absolute() / str(given["path"]))))
    name = str(given.get("connector", "source"))
    if "url" in given:
        address = urlsplit(str(given["url"]))
        port = f":{address.port}" if address.port else ""
        return Named(f"{address.scheme}://{address.hostname}{port}", _plain(address.path.strip("/")) or "/")
    connector = parts.load("connector", name)
    if hasattr(connector, "named"):
        filled = secrets.named(dict(given), settings.secret)
        namespace, dataset = connector.named(connector.Source.model_validate(filled, context=settings))
        return Named(namespace, _plain(dataset))
    return Named(name, _plain(str(given.get("table") or name)))


def read(text: str) -> Named | None:
    """The two parts of a text that an edge holds; None for a dataset of Atlas, or a source that was saved before."""
    if address := _ADDRESS.fullmatch(text):
        return Named(address[1], address[2])
    namespace, colon, name = text.partition(":")
    return Named(namespace, name) if colon and name else None


def shown(text: str) -> str:
    """The text as people read it: a file by its path."""
    return text.removeprefix(f"{FILE}:")


def labels(datasets: Iterable[str]) -> dict[str, str]:
    """A short name for each dataset, no two alike: of files the last parts of the path, as many as it takes."""
    forms = {dataset: _forms(dataset) for dataset in datasets}
    taken = dict.fromkeys(forms, 0)
    while True:
        chosen = {dataset: forms[dataset][at] for dataset, at in taken.items()}
        times = Counter(label.lower() for label in chosen.values())
        double = [d for d, label in chosen.items() if times[label.lower()] > 1 and taken[d] < len(forms[d]) - 1]
        if not double:
            return chosen
        for dataset in double:
            taken[dataset] += 1


def _forms(text: str) -> list[str]:
    """What a dataset may be called, the shortest first and its whole text last."""
    named = read(text)
    if named is None:
        return [text]
    if named.namespace != FILE:
        return [named.name, text]
    steps = named.name.strip("/").split("/")
    return ["/".join(steps[-count:]) for count in range(1, len(steps) + 1)] + [text]


def _plain(name: str) -> str:
    return name.replace(":", "_")  # a lineage server splits its node names at colons
