"""What every connector that reads files has in common: the path in its `Source`, and how it is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from core.models import SourcePart
from core.pipeline import Strict
from core.roots import Roots
from core.settings import Settings

LONGEST_PATH = 4096  # letters


class FileSource(Strict):
    """A source of files. Validated without settings as context, it may read none."""

    path: str = Field(pattern=r"^[^\x00]+$", max_length=LONGEST_PATH)

    _roots: Roots = PrivateAttr(Roots())

    @model_validator(mode="after")
    def knows_its_roots(self, info: ValidationInfo) -> "FileSource":
        if isinstance(info.context, Settings):
            self._roots = info.context.roots
        elif isinstance(info.context, Roots):
            self._roots = info.context
        return self

    def check(self, base: Path) -> None:
        """Raises SourceUnreadable if the path leads out of the folders that may be read."""
        self._roots.check(self.path, base)

    def files(self, base: Path) -> list[SourcePart]:
        """Each file as one part, in the order of their names. Nothing else may find files."""
        return [
            SourcePart(path, {"path": str((base / path).absolute())}) for path in self._roots.files(self.path, base)
        ]

    @contextmanager
    def opened(self, part: SourcePart) -> Iterator[BinaryIO]:
        """The file of a part, checked again when it is opened. Nothing else may open files."""
        with self._roots.opened(Path(part.spec["path"]), part.name) as file:
            yield file
