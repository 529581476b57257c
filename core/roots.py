"""Files that people name: found and opened below some folders, and nowhere else."""

import errno
import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NoReturn

from core.errors import SourceMissing, SourceUnavailable, SourceUnreadable

MOST_ENTRIES = 100_000  # files and folders that one glob may look at

_SYSTEM = tuple(map(Path, ("/proc", "/sys", "/dev", "/run/secrets", "/var/run/secrets")))
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}  # renamed, or replaced by a link, since it was seen
# without O_NONBLOCK, opening a FIFO that took the place of a file would wait for ever
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True)
class Roots:
    """The folders that files are read from. Nothing in `closed` is read, even below such a folder.

    A file that has a second name as a hard link cannot be recognised: it is read under the name it has here.
    """

    folders: tuple[Path, ...] = ()
    closed: tuple[Path, ...] = ()

    def files(self, path: str, base: Path) -> list[str]:
        """The path itself, or the paths of all files that a glob finds, in order; each file once.

        Raises SourceUnreadable if one leads out of the roots, SourceMissing if a glob finds nothing.
        """
        fixed, pattern = self.check(path, base)
        if not pattern:
            return [path]
        found: dict[str, str] = {}
        for written in sorted(self._matching(path, fixed, pattern, base)):
            found.setdefault(self._real(base / written, written), written)
        if not found:
            raise SourceMissing(f"No file matches `{path}`.", hint=f"Looked in `{base}`.")
        return list(found.values())

    def check(self, path: str, base: Path) -> tuple[str, list[str]]:
        """The fixed beginning of a path and the steps of its glob; none if it is the path of one file.

        Raises SourceUnreadable if the path leads out of the roots; whether it exists makes no difference.
        """
        steps = path.split("/")
        magic = next((number for number, step in enumerate(steps) if glob.has_magic(step)), len(steps))
        fixed, pattern = "/".join(steps[:magic]), [step for step in steps[magic:] if step not in ("", ".")]
        fixed = fixed or ("/" if path.startswith("/") and magic else "")
        self._real(base / fixed, path)
        if ".." in pattern:
            raise SourceUnreadable(f"`{path}` has `..` after a wildcard.", hint="Write the path without `..`.")
        if pattern and os.path.lexists(base / path):  # a file may be called a[1].csv
            fixed, pattern = path, []
        if not pattern:
            self._real(base / path, path)
        return fixed, pattern

    @contextmanager
    def opened(self, path: Path, name: str) -> Iterator[BinaryIO]:
        """The regular file at a path. Raises an error of a source that calls it `name`."""
        try:
            with os.fdopen(self._open(self._real(path, name), name), "rb") as file:
                yield file
        except FileNotFoundError as error:
            raise SourceMissing(f"There is no file `{name}`.", hint=f"Looked for `{path}`.") from error
        except IsADirectoryError as error:
            raise SourceUnreadable(
                f"`{name}` is a folder, not a file.", hint=f"To read every CSV in it: `{name.rstrip('/')}/*.csv`."
            ) from error
        except PermissionError as error:
            raise SourceUnreadable(
                f"`{name}` may not be read by this user.", hint=f"Allow it: chmod +r {path}"
            ) from error
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP):
                raise SourceMissing(f"There is no file `{name}`.", hint=f"Looked for `{path}`.") from error
            raise SourceUnavailable(f"`{name}` cannot be read: {os.strerror(error.errno or 0)}.") from error

    def _real(self, path: Path, name: str) -> str:
        """Where a path leads when every link is followed. Raises SourceUnreadable if that is out of bounds."""
        real = os.path.realpath(path)
        self._root(real, name)
        return real

    def _root(self, real: str, name: str) -> str:
        root = next((folder for folder in self._bounds[0] if _below(real, folder)), None)
        if root is None or self._is_closed(real):
            self._refuse(name)
        return root

    def _is_closed(self, real: str) -> bool:
        return any(_below(real, folder) for folder in self._bounds[1])

    @cached_property
    def _bounds(self) -> tuple[list[str], list[str]]:
        """The roots and what is closed, with every link followed."""
        return list(map(os.path.realpath, self.folders)), list(map(os.path.realpath, (*self.closed, *_SYSTEM)))

    def _refuse(self, name: str) -> NoReturn:
        allowed = ", ".join(f"`{folder}`" for folder in self.folders) or "none"
        raise SourceUnreadable(
            f"`{name}` is not in a folder that may be read.",
            hint=f"Allowed: {allowed}. Put the file there, or name its folder in ATLAS_DATA. Atlas's own folder and "
            "secrets are never read.",
        )

    def _open(self, real: str, name: str) -> int:
        """The descriptor of a regular file. No step from its root is followed if it has become a link meanwhile."""
        parent, last = os.path.split(real)
        folder = self._folder(parent if last else real, name)
        try:
            _only_regular(
                os.stat(last or ".", dir_fd=folder, follow_symlinks=False), name
            )  # opening may act on a device
            file = os.open(last, _FILE, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            opened = os.fstat(file)
            _only_regular(opened, name)
            if (opened.st_dev, opened.st_ino) in self._never():
                self._refuse(name)
        except BaseException:
            os.close(file)
            raise
        return file

    def _folder(self, real: str, name: str) -> int:
        root = self._root(real, name)
        at = os.open(root, _FOLDER)
        never = self._never()
        try:
            for step in Path(real).relative_to(root).parts:
                inner = os.open(step, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = inner
                known = os.fstat(at)
                if (known.st_dev, known.st_ino) in never:  # by another name: a mount, or other capital letters
                    self._refuse(name)
        except BaseException:
            os.close(at)
            raise
        return at

    def _never(self) -> set[tuple[int, int]]:
        found = set()
        for path in (*self.closed, *_SYSTEM):
            try:
                known = path.stat()
            except OSError:
                continue
            found.add((known.st_dev, known.st_ino))
        return found

    def _matching(self, path: str, fixed: str, pattern: list[str], base: Path) -> Iterator[str]:
        left, seen, entries = [(fixed, 0)], set(), 0
        while left:
            written, at = left.pop()
            real = self._real(base / written, written or path)
            if (real, at) in seen or not os.path.isdir(real):  # noqa: PTH112 (a link in a circle is no folder)
                continue
            seen.add((real, at))
            step, last = pattern[at], at == len(pattern) - 1
            deep = step == "**"
            if deep and not last:
                left.append((written, at + 1))
            fits = re.compile(fnmatch.translate("*" if deep else step)).match
            folder = self._listed(real, path)
            entries += len(folder)
            if entries > MOST_ENTRIES:
                raise SourceUnreadable(
                    f"`{path}` looks at more than {MOST_ENTRIES:,} files and folders.",
                    hint="Write a path that leads closer to the files.",
                )
            for name, is_folder, is_link in folder:
                if not fits(name) or (name.startswith(".") and not step.startswith(".")):
                    continue
                inner = f"{written.rstrip('/')}/{name}" if written else name
                if not is_folder:
                    if last:
                        yield inner
                elif is_link if deep else last:
                    continue
                elif is_link or not self._is_closed(f"{real}/{name}"):
                    left.append((inner, at if deep else at + 1))

    def _listed(self, real: str, name: str) -> list[tuple[str, bool, bool]]:
        """What is in a folder: names, and whether each is a folder and a link."""
        try:
            at = self._folder(real, name)
        except OSError as error:
            if error.errno in _GONE:
                return []
            raise
        try:
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
        except PermissionError:
            return []
        finally:
            os.close(at)
        try:
            with os.scandir(folder) as entries:
                return [(entry.name, _is_folder(entry), entry.is_symlink()) for entry in entries]
        finally:
            os.close(folder)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a folder that is closed to us
        return False


def _only_regular(known: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(known.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(known.st_mode):
        raise SourceUnreadable(
            f"`{name}` is not a regular file, but a pipe, a socket or a device.", hint="Write the data to a file first."
        )
