"""Secrets that a pipeline file refers to as `${secret:NAME}`: looked up when a source is read, shown to nobody."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from core.errors import Misconfigured
from core.kept import Kept
from core.pipeline import MistakeAt

WRITTEN = '"${secret:NAME}", the name of A-Z, 0-9 and _, a letter first'
Place = tuple[Any, ...]  # the keys and numbers that lead somewhere in a file
_REFERENCE = re.compile(r"\$\{secret:([A-Z][A-Z0-9_]{0,127})\}")


class Secret:
    """What a field of a connector's `Source` is that holds a password, a token or an address with one in it.

    It shows, prints, pickles and dumps as the reference that stands in the file. Only `for_host` and `for_database`
    give the value, each for one use: hand it to the driver at once.
    """

    __slots__ = ("_kept", "name")

    def __init__(self, name: str, kept: Kept | None = None) -> None:
        self.name = name
        self._kept = kept

    def for_host(self, scheme: str, host: str, port: int) -> str:
        """The value, for a header of a request to this host. Raises Misconfigured if the host may not receive it."""
        return self._found().for_host(self.name, scheme, host, port)

    def for_database(self) -> str:
        """The value, for a driver that takes it as the address of a database. Raises Misconfigured if there is none."""
        return self._found().for_database()

    def _found(self) -> Kept:
        if self._kept is None:
            raise Misconfigured(f"The secret `{self.name}` was not looked up.")
        return self._kept

    def __repr__(self) -> str:
        return f"${{secret:{self.name}}}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        return Secret, (self.name,)  # the value stays in this process

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _only_a_secret, serialization=core_schema.to_string_ser_schema()
        )


def named(source: Any, lookup: Callable[[str], Kept] | None = None) -> Any:
    """A source as its file has it, with a `Secret` for each reference. Raises MistakeAt for half a reference.

    `lookup` finds each secret (`Settings.secret`), and raises Misconfigured if there is none.
    """

    def filled(value: Any, where: Place) -> Any:
        if isinstance(value, dict):
            return {key: filled(v, (*where, key)) for key, v in value.items()}
        if isinstance(value, list):
            return [filled(v, (*where, number)) for number, v in enumerate(value)]
        if not isinstance(value, str) or "${secret" not in value:
            return value
        reference = _REFERENCE.fullmatch(value)
        if reference is None:
            raise MistakeAt(where, f"holds no whole reference to a secret; write {WRITTEN}")
        return Secret(reference[1], lookup(reference[1]) if lookup else None)

    return filled(source, ("source",))


def references(source: Any) -> Iterator[tuple[Place, str]]:
    """Where in a source which secret is named."""

    def found(value: Any, where: Place) -> Iterator[tuple[Place, str]]:
        if isinstance(value, Secret):
            yield where, value.name
        elif isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in pairs:
                yield from found(inner, (*where, key))

    return found(named(source), ("source",))


def _only_a_secret(value: Any) -> Secret:
    if not isinstance(value, Secret):
        raise ValueError(f"must not stand in the file itself; write {WRITTEN}")
    return value
