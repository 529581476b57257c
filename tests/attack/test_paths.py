"""A source reads no file outside its roots, whatever its path looks like and whatever is swapped meanwhile."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors import csv
from core import pipeline_file
from core.errors import AtlasError, Misconfigured, SourceUnreadable
from core.kept import Kept
from core.secrets import Secret
from core.settings import Settings, load
from engine.check import check_text
from engine.navigate import models
from tests.attack.attempts import Attempts, Guard

ROOTS = "core/roots.py"
GUARDS = [
    Guard(ROOTS, "(folder for folder in self._bounds[0] if _below(real, folder)), None)",
          "(folder for folder in ['/']), None)", "test_paths.py::test_no_spelling_of_a_path_leads_out_of_the_roots"),
    Guard(ROOTS, "if root is None or self._is_closed(real):", "if root is None:",
          "test_paths.py::test_what_belongs_to_atlas_is_closed_below_a_root_too"),
    Guard("core/settings.py", "closed = [self.home, *", "closed = [*",
          "test_paths.py::test_what_belongs_to_atlas_is_closed_below_a_root_too"),
    Guard("core/settings.py", "                closed.append(file.parent)", "                pass",
          "test_paths.py::test_what_belongs_to_atlas_is_closed_below_a_root_too"),
    Guard(ROOTS, "_FILE = os.O_RDONLY | os.O_NOFOLLOW |", "_FILE = os.O_RDONLY |",
          "test_paths.py::test_what_is_swapped_between_check_and_open_is_not_read"),
    Guard(ROOTS, "_FOLDER | os.O_NOFOLLOW, dir_fd", "_FOLDER, dir_fd",
          "test_paths.py::test_what_is_swapped_between_check_and_open_is_not_read"),
    Guard(ROOTS, "os.O_NOFOLLOW | os.O_NONBLOCK |", "os.O_NOFOLLOW |",
          "test_paths.py::test_what_is_swapped_between_check_and_open_is_not_read"),
    Guard(ROOTS, "            _only_regular(opened, name)\n", "",
          "test_paths.py::test_a_pipe_that_comes_between_look_and_open_is_not_read"),
    Guard(ROOTS, "            _only_regular(\n", "            (\n",
          "test_paths.py::test_a_device_or_pipe_is_not_even_opened"),
    Guard(ROOTS, "if (opened.st_dev, opened.st_ino) in self._never():", "if False:",
          "test_paths.py::test_a_second_name_of_a_file_of_secrets_is_told_by_its_identity"),
    Guard("core/pipeline_file.py", "Roots((path.parent,))", 'Roots((Path("/"),))',
          "test_paths.py::test_pipeline_files_and_models_are_not_read_through_links"),
]  # fmt: skip

CANARY = "canary-5f0c2a"
FILE = "name: x\nowner: web\nsource: {{connector: csv, path: {}}}\n"
MOST_SECONDS = 60


class House:
    """An installation with data in its root, and canaries wherever no source may read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "pipelines"
        self.data = self.root / "data"
        self.outside = folder / "outside"
        self.data.mkdir(parents=True)
        self.outside.mkdir()
        (folder / "home" / "keys").mkdir(parents=True)
        (folder / "mounted" / "shop").mkdir(parents=True)
        (folder / "vault").mkdir()
        (self.data / "good.csv").write_text("id\n1\n")
        self.secrets = {
            "a file beside": self.outside / "people.csv",
            "the masking key": folder / "home" / "keys" / "masking.key",
            "the database": folder / "home" / "atlas.db",
            "a mounted secret": folder / "mounted" / "shop" / "DSN",
            "a file of a setting": folder / "vault" / "masking.key",
            "its neighbour": folder / "vault" / "other.key",
        }
        for path in self.secrets.values():
            path.write_text(f"{CANARY * 3}\n")

    def settings(self, **more: str) -> Settings:
        return load({
            "ATLAS_HOME": str(self.folder / "home"), "ATLAS_PIPELINES": str(self.root),
            "ATLAS_SECRETS": str(self.folder / "mounted"),
            "ATLAS_MASKING_KEY_FILE": str(self.folder / "vault" / "masking.key"), **more,
        })  # fmt: skip

    def read(self, path: str, settings: Settings | None = None, **more: Any) -> str:
        """All that a source with this path tells: its rows, or the error."""
        given = {"connector": "csv", "path": path, "header": False, **more}
        try:
            source = csv.Source.model_validate(given, context=settings or self.settings())
            parts = list(csv.parts(source, self.root))
            return str(
                [batch if isinstance(batch, list) else str(batch) for p in parts for batch in csv.read(source, p)]
            )
        except AtlasError as error:
            return f"refused: {error.message} {error.hint}"
        except ValidationError:
            return "refused: the path is not one"

    def held(self, path: str, settings: Settings | None = None, **more: Any) -> bool:
        told = self.read(path, settings, **more)
        return told.startswith("refused: ") and CANARY not in told


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def spellings(target: Path, base: Path) -> dict[str, str]:
    """Paths that lead to a file outside of the folder `base`, or might on some system."""
    climb, absolute = os.path.relpath(target, base), str(target)
    above, name = os.path.split(absolute)
    return {
        "absolute": absolute,
        "two slashes": f"/{absolute}",
        "three slashes": f"//{absolute}",
        "relative climb": climb,
        "climb from a folder": f"data/../{climb}",
        "climb from a folder that is not there": f"gone/../{climb}",
        "climb from a file": f"data/good.csv/../../{climb}",
        "climb beyond the top": "../" * 40 + absolute.lstrip("/"),
        "dots between": absolute.replace("/", "/./"),
        "slashes between": absolute.replace("/", "//"),
        "there and back": f"{above}/../{Path(above).name}/{name}",
        "long": "data/../" * 400 + climb,
        "too long": "./" * 3000 + climb,
        "by its folder's wildcard": f"{above}/*",
        "by a question mark": f"{above}/?{name[1:]}",
        "by a set": f"{above}/[{name[0]}]{name[1:]}",
        "by two stars": f"{above}/**",
        "by a climb and a star": f"{Path(climb).parent}/*",
        "climb after a star": f"*/../{climb}",
        "climb after two stars": f"**/../../{climb}",
        "as a URL": f"file://{absolute}",
        "as a short URL": f"file:{absolute}",
        "from a home folder": f"~/../../../../../../../../{absolute}",
        "from a variable": f"$PWD/{climb}",
        "percent": climb.replace("..", "%2e%2e"),
        "percent twice": climb.replace("..", "%252e%252e"),
        "backslashes": climb.replace("/", "\\"),
        "leader dots": climb.replace("..", "\u2024\u2024"),
        "full-width dots": climb.replace("..", "\uff0e\uff0e"),
        "full-width slashes": climb.replace("/", "\uff0f"),
        "two-dot leader": climb.replace("..", "\u2025"),
        "division slash": climb.replace("/", "\u2215"),
        "a zero byte": f"data/good.csv\0{absolute}",
        "a zero byte after": f"{absolute}\0.csv",
        "a space before": f" {absolute}",
        "a line end after": f"{absolute}\n",
        "by this process": f"/proc/self/root{absolute}",
        "by this process's folder": f"/proc/self/cwd/{'../' * 40}{absolute.lstrip('/')}",
        "by this thread": f"/proc/thread-self/root{absolute}",
    }  # fmt: skip


def test_no_spelling_of_a_path_leads_out_of_the_roots(house: House, attempts: Attempts) -> None:
    assert "1" in house.read("data/good.csv")
    for what, target in house.secrets.items():
        for how, path in spellings(target, house.root).items():
            attempts.tried("path", f"{what}: {how}", held=house.held(path))
    for path in (
        "/etc/passwd", "/etc/shadow", "/etc/hosts", "/proc/self/environ", "/proc/self/cmdline", "/proc/self/maps",
        "/proc/self/mem", "/proc/1/environ", "/proc/self/task/self/environ", "/proc/version",
        "/sys/kernel/uevent_seqnum", "/dev/zero", "/dev/random", "/dev/stdin", "/dev/fd/0", "/dev/null", "/dev/tty",
        "/run/secrets/x", "/", ".", "..", "../", "data", "data/", "data/.", "", "*", "/*", "/**/passwd", "/e*/passwd",
        "/proc/*/environ", "/dev/*",
    ):  # fmt: skip
        attempts.tried("path", f"of the system: {path!r}", held=house.held(path))
        attempts.tried("path", f"of the system, as UTF-16: {path!r}", held=house.held(path, encoding="utf-16-le"))
    opened = os.open(house.secrets["a file beside"], os.O_RDONLY)
    for path in (f"/proc/self/fd/{opened}", f"/dev/fd/{opened}", f"/proc/{os.getpid()}/fd/{opened}", "/proc/self/fd/*"):
        attempts.tried("path", f"of an open file: {path}", held=house.held(path))
    os.close(opened)


def test_no_link_leads_out_of_the_roots(house: House, attempts: Attempts) -> None:
    for number, (what, target) in enumerate(house.secrets.items()):
        links = {
            "a link": (house.data / f"a{number}.csv", target),
            "a relative link": (house.data / f"b{number}.csv", Path(os.path.relpath(target, house.data))),
            "a link to its folder": (house.data / f"c{number}", target.parent),
            "a link to the top": (house.data / f"d{number}", Path("/")),
            "a link to a process's top": (house.data / f"e{number}", Path("/proc/self/root")),
        }
        for link, to in links.values():
            link.symlink_to(to)
        (house.data / f"f{number}.csv").symlink_to(f"a{number}.csv")
        (house.data / f"g{number}").symlink_to(house.data / f"c{number}")
        tries = {
            "a link": f"data/a{number}.csv", "a relative link": f"data/b{number}.csv",
            "a link in the middle": f"data/c{number}/{target.name}", "a link of a link": f"data/f{number}.csv",
            "a folder's link of a link": f"data/g{number}/{target.name}",
            "a link to the top": f"data/d{number}{target}", "a process's top": f"data/e{number}{target}",
            "a link, then up": f"data/c{number}/../{target.parent.name}/{target.name}",
            "a glob that finds a link": f"data/a{number}*", "a glob through a link": f"data/c{number}/*",
            "a glob that finds a folder's link": f"data/[c]{number}/{target.name}",
            "two stars through a link": f"data/c{number}/**/{target.name}",
            "two stars that end at a link": f"data/**/a{number}.csv",
        }  # fmt: skip
        for how, path in tries.items():
            attempts.tried("link", f"{what}: {how}", held=house.held(path))
    for name, to in {"self": "self", "one": "two", "two": "one", "gone": "nowhere.csv"}.items():
        (house.data / f"{name}.csv").symlink_to(f"{to}.csv" if to != "nowhere.csv" else to)
        attempts.tried("link", f"a link in a circle or to nothing: {name}", held=house.held(f"data/{name}.csv"))


def test_what_belongs_to_atlas_is_closed_below_a_root_too(house: House, attempts: Attempts) -> None:
    (house.folder / "plain.csv").write_text("id\n1\n")
    wide = house.settings(ATLAS_DATA=f"{house.folder}:{house.outside}")
    assert "refused" not in house.read(str(house.folder / "plain.csv"), wide)
    assert CANARY in house.read(str(house.secrets["a file beside"]), wide)
    assert "plain.csv" in str(csv.Source.model_validate(
        {"connector": "csv", "path": "../**/*.csv"}, context=wide).files(house.root))  # fmt: skip
    everything = house.settings(ATLAS_DATA="/")
    for settings, root in ((wide, "wide"), (everything, "the top")):
        for what, target in house.secrets.items():
            if what == "a file beside":
                continue
            for how, path in spellings(target, house.root).items():
                attempts.tried("closed", f"{root}, {what}: {how}", held=house.held(path, settings))
            told = check_text(house.root, "x", FILE.format(json.dumps(str(target))), settings.roots)
            attempts.tried("closed", f"{root}, {what}: in the check", held=[m.line for m in told] == [3])
    for path in ("/proc/self/environ", "/proc/self/cmdline", "/dev/zero", "/sys/kernel/uevent_seqnum", "/dev/fd/0"):
        attempts.tried("closed", f"the top: {path}", held=house.held(path, everything))
    database = house.folder / "elsewhere.db"
    moved = house.settings(ATLAS_DATA=str(house.folder), ATLAS_DATABASE_URL=f"sqlite:///{database}")
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{database}{ending}").write_text(CANARY)
        attempts.tried("closed", f"the database elsewhere {ending}", held=house.held(f"{database}{ending}", moved))


def test_a_second_name_of_a_file_of_secrets_is_told_by_its_identity(house: House, attempts: Attempts) -> None:
    """Of any other file a hard link cannot be told: a file with two names is the same under both."""
    os.link(house.secrets["a file of a setting"], house.data / "key.csv")
    attempts.tried("link", "a hard link of a file of a setting", held=house.held("data/key.csv"))
    os.link(house.secrets["a file beside"], house.data / "beside.csv")
    assert CANARY in house.read("data/beside.csv")


class Swap:
    """Does something at the moment when a name is opened for the nth time; Python tells it just before."""

    def __init__(self) -> None:
        self.at, self.times, self.then = "", 0, lambda: None
        sys.addaudithook(self._told)

    def _told(self, event: str, arguments: Any) -> None:
        if event == "open" and self.at and arguments[0] == self.at:
            self.times -= 1
            if not self.times:
                self.at = ""
                self.then()

    def when(self, name: str, times: int, then: Callable[[], Any]) -> None:
        self.at, self.times, self.then = name, times, then


def replace(path: Path, make: Callable[[Path], Any]) -> Callable[[], Any]:
    def swap() -> None:
        path.rename(path.with_name(f"{path.name}.before"))
        make(path)

    return swap


def filled(path: Path) -> None:
    """A FIFO out of which something can be read."""
    os.mkfifo(path)
    os.write(os.open(path, os.O_RDWR | os.O_NONBLOCK), CANARY.encode())


@pytest.mark.timeout(MOST_SECONDS, method="signal")
def test_what_is_swapped_between_check_and_open_is_not_read(house: House, attempts: Attempts) -> None:
    swap = Swap()
    kinds: dict[str, Callable[[Path], Callable[[Path], Any]]] = {
        "a link": lambda target: lambda path: path.symlink_to(target),
        "a FIFO": lambda _: os.mkfifo,
        "a FIFO with a writer": lambda _: filled,
        "a folder": lambda _: Path.mkdir,
        "a socket": lambda _: lambda path: socket.socket(socket.AF_UNIX).bind(os.path.relpath(path)),
        "nothing": lambda _: lambda path: None,
    }
    for what, target in house.secrets.items():
        for kind, make in kinds.items():
            for where, times in product(("the file", "its folder", "the folder above"), (1, 2)):
                (house.data / "in" / "ner").mkdir(parents=True)
                file = house.data / "in" / "ner" / "rows.csv"
                file.write_text("id\n1\n")
                (house.outside / "ner").mkdir(exist_ok=True)
                for other in (house.outside / "ner" / "rows.csv", house.outside / "rows.csv"):
                    other.write_text(CANARY)
                aim = {"the file": target, "its folder": house.outside / "ner", "the folder above": house.outside}[
                    where
                ]
                victim = {"the file": file, "its folder": file.parent, "the folder above": file.parent.parent}[where]
                swap.when(victim.name, times, replace(victim, make(aim)))
                attempts.tried(
                    "swap", f"{where} by {kind} at opening {times} ({what})", held=house.held("data/in/ner/rows.csv")
                )
                assert swap.at == "", "it was opened in another way"
                house.data.rename(house.data.with_name(f"used {what} {kind} {where} {times}"))
                house.data.mkdir()
                (house.data / "good.csv").write_text("id\n1\n")


def test_a_glob_over_a_folder_that_is_replaced_meanwhile_reads_nothing_of_it(house: House, attempts: Attempts) -> None:
    swap = Swap()
    kinds: dict[str, Callable[[Path], Any]] = {
        "a link": lambda path: path.symlink_to(house.outside),
        "a file": lambda path: path.write_text(CANARY),
        "nothing": lambda path: None,
    }
    (house.outside / "rows.csv").write_text(CANARY)
    for (kind, make), pattern in product(kinds.items(), ("data/in/*.csv", "data/**/*.csv")):
        (house.data / "in").mkdir()
        (house.data / "in" / "rows.csv").write_text("id\n1\n")
        swap.when("in", 1, replace(house.data / "in", make))
        attempts.tried("swap", f"{pattern}, its folder by {kind}", held=house.held(pattern))
        assert swap.at == "", "it was opened in another way"
        house.data.rename(house.data.with_name(f"used {kind} {pattern.count('*')}"))
        house.data.mkdir()


def test_a_pipe_that_comes_between_look_and_open_is_not_read(house: House, attempts: Attempts) -> None:
    swap, file = Swap(), house.data / "good.csv"
    swap.when(file.name, 1, replace(file, filled))
    with pytest.raises(SourceUnreadable, match="not a regular file"), house.settings().roots.opened(file, "good.csv"):
        attempts.tried("swap", "the file by a FIFO with a writer, read at once", held=False)
    attempts.tried("swap", "the file by a FIFO with a writer, read at once", held=True)


@pytest.fixture
def odd(house: House) -> Iterator[dict[str, str]]:
    """Names in the root that are no regular files."""
    os.mkfifo(house.data / "pipe.csv")
    listening = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(house.data)  # the address of a socket is short
    listening.bind("socket.csv")
    os.chdir(before)
    (house.data / "link.csv").symlink_to("pipe.csv")
    (house.data / "zero.csv").symlink_to("/dev/zero")
    (house.data / "folder.csv").mkdir()
    names = {name: f"data/{name}.csv" for name in ("pipe", "socket", "link", "zero", "folder")}
    yield names | {f"a glob that finds {name}": f"data/{name[:2]}*.csv" for name in names}
    listening.close()


@pytest.mark.timeout(MOST_SECONDS, method="signal")
def test_a_device_or_pipe_is_not_even_opened(house: House, odd: dict[str, str], attempts: Attempts) -> None:
    opened: list[str] = []
    sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
    for what, path in odd.items():
        held = house.held(path) and not any(name in opened for name in ("pipe.csv", "socket.csv", "zero.csv"))
        attempts.tried("kind of file", what, held=held)


@pytest.mark.timeout(MOST_SECONDS, method="signal")
def test_pipeline_files_and_models_are_not_read_through_links(house: House, attempts: Attempts) -> None:
    (house.root / "navigate").mkdir()
    for number, (what, target) in enumerate(house.secrets.items()):
        for how, make in {
            "a link": lambda path, to=target: path.symlink_to(to), "a FIFO": lambda path, to=None: os.mkfifo(path),
        }.items():  # fmt: skip
            name = f"{how[2:].lower()}{number}"
            yml, sql = house.root / f"{name}.yml", house.root / "navigate" / f"{name}.sql"
            make(yml)
            make(sql)
            pipeline, mistakes = pipeline_file.check(yml)
            attempts.tried(
                "definition",
                f"a pipeline that is {how}: {what}",
                held=pipeline is None and "holds no keys" not in str(mistakes) and CANARY not in str(mistakes),
            )
            found, wrong = models.read(sql.parent, set())
            attempts.tried(
                "definition",
                f"a model that is {how}: {what}",
                held=not found and CANARY not in str(wrong) and str(wrong).count("not a") >= len(wrong),
            )


def test_a_check_says_the_same_whether_a_file_outside_is_there_or_not(house: House, attempts: Attempts) -> None:
    """A draft is checked for everybody who may see pipelines: it tells nothing of files elsewhere."""

    def told(path: str) -> str:
        mistakes = check_text(house.root, "x", FILE.format(json.dumps(path)))
        return str([(m.line, m.message.replace(path, "")) for m in mistakes])

    for number, (what, target) in enumerate(house.secrets.items()):
        gone = target.with_name("gone")
        assert "(3, " in told(str(target))
        for how, path in spellings(target, house.root).items():
            other = spellings(gone, house.root)[how]
            if "\0" not in path:
                attempts.tried("oracle", f"{what}: {how}", held=told(path) == told(other))
        (house.data / f"there{number}").symlink_to(target)
        (house.data / f"gone{number}").symlink_to(gone)
        attempts.tried("oracle", f"{what}: a link", held=told(f"data/there{number}") == told(f"data/gone{number}"))


@pytest.mark.parametrize(
    "option",
    ["passfile", "service", "servicefile", "sslcrldir", "sslkeylogfile", "options", "krbsrvname", "gsslib",
     "sslcertmode", "replication", "fallback_application_name", "ssl_min_protocol_version"],
)  # fmt: skip
def test_an_address_of_postgresql_names_no_file_beside_those_of_tls(option: str, attempts: Attempts) -> None:
    from connectors._postgres_address import address

    dsn = Secret("DSN", Kept(SecretStr(f"postgresql://kim@127.0.0.1/crm?{option}=/etc/passwd")))
    try:
        address(dsn)
        held = False
    except Misconfigured as error:
        held = "passwd" not in f"{error.message} {error.hint}"
    attempts.tried("option of a DSN", option, held=held)
