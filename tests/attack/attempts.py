"""Counts the attacks that tests try, and names the guards that stop them."""

from dataclasses import dataclass, field


@dataclass
class Attempts:
    """The attempts of one test: each has a family and a name, and is held or gets through."""

    names: set[tuple[str, str]] = field(default_factory=set)
    through: list[str] = field(default_factory=list)

    def tried(self, family: str, name: str, *, held: bool) -> None:
        """Notes one attempt. The test fails at its end if any was not held."""
        self.names.add((family, name))
        if not held:
            self.through.append(f"{family}: {name}")


@dataclass(frozen=True)
class Guard:
    """A piece of code that keeps attempts out. With `code` replaced by `without` in `file`, `test` must fail."""

    file: str  # from the root of the project
    code: str  # stands exactly once in the file
    without: str
    test: str  # FILE::TEST below tests/attack
