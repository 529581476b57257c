"""Keeping people out by failing in their name, and guessing passwords from many networks."""

import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api.main import create_app
from core.errors import BadInput, TooMany
from core.settings import load
from engine.access import sign_in
from engine.home import Home, open_home
from engine.store import access
from tests.api.live import Live, live
from tests.attack.attempts import Attempts, Guard
from tests.homes import prepare

GUARDS = [
    Guard(
        "engine/access/sign_in.py",
        "    if not known:\n            limits +=",
        "    if True:\n            limits +=",
        "test_lockout.py::test_no_failures_elsewhere_keep_a_known_network_out",
    ),
    Guard(
        "engine/access/sign_in.py",
        "limits = [Limit(_here(name, near), *HERE)]",
        "limits: list[Limit] = [Limit(_here(name, near), 10**6, HERE[1])]",
        "test_lockout.py::test_a_guesser_is_slowed",
    ),
    Guard(
        "engine/access/sign_in.py",
        "Limit(_network(address), *NETWORK), ",
        "",
        "test_lockout.py::test_a_guesser_is_slowed",
    ),
    Guard(
        "engine/access/sign_in.py",
        ", Limit(_anywhere(name), *ANYWHERE, after=FRESH)]",
        "]",
        "test_lockout.py::test_a_guesser_is_slowed",
    ),
    Guard(
        "engine/access/sign_in.py",
        'unicodedata.normalize("NFC", name).casefold()',
        "name",
        "test_lockout.py::test_a_guesser_is_slowed",
    ),
    Guard("core/networks.py", "ip_network((int(found), 64), False)", "found",
          "test_lockout.py::test_a_guesser_is_slowed"),
    Guard("engine/store/access.py", "if not USER_NAME.fullmatch(name):", "if not name:",
          "test_lockout.py::test_a_name_that_looks_like_another_is_refused"),
    Guard("api/routes/auth.py", "limiter=FROM_KNOWN if known else FROM_UNKNOWN", "limiter=FROM_UNKNOWN",
          "test_lockout.py::test_a_hundred_tries_at_once_hold_nobody_up"),
]  # fmt: skip
PASSWORD = "rødgrød med fløde"
AT_HOME, TRAVELLING = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    prepare(tmp_path / "home")
    opened = open_home(load({
        "ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(tmp_path), "ATLAS_TRUSTED_PROXIES": "127.0.0.1",
        "ATLAS_LIMIT_SIGN_IN": "1000/minute",
    }))  # fmt: skip
    with opened.database.write() as db:
        for name, memory in (("anna", 8), ("åse", 19_456)):  # cheap ones, for a test that checks hundreds
            hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=memory, parallelism=1),))
            access.set_password(db, access.add_user(db, name, "admin"), hasher.hash(PASSWORD))
    yield opened
    opened.database.close()


@pytest.fixture
def server(home: Home) -> Iterator[Live]:
    with live(create_app(home, lambda: None), home.settings) as running:
        yield running


def signs_in(server: Live, address: str, password: str = PASSWORD, user: str = "anna") -> httpx.Response:
    """As the proxy in front of Atlas passes it on."""
    return httpx.post(f"{server.url}/api/v1/auth/token", json={"user": user, "password": password},
                      headers={"X-Forwarded-For": address}, timeout=60)  # fmt: skip


def fresh(number: int) -> str:
    """An address of a network of its own."""
    if number % 3 == 0:
        return f"2001:db8:{number:x}::1"
    return f"10.{number // 200}.{number % 200}.1"


def let(home: Home, address: str, name: str = "anna") -> bool:
    try:
        sign_in.let_try(home, name, address)
    except TooMany:
        return False
    return True


def known(home: Home, address: str = AT_HOME) -> None:
    from engine.store import sign_ins

    with home.database.write() as db:
        from core import networks

        sign_ins.remember_network(db, access.user(db, "anna"), networks.near(address))


def test_fifty_wrong_tries_and_more_from_fresh_addresses_keep_nobody_out(server: Live, attempts: Attempts) -> None:
    assert signs_in(server, AT_HOME).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: signs_in(server, fresh(n), "wrong password"), range(50)))
    for number in range(15):
        signs_in(server, fresh(100 + number), "wrong password")
        held = signs_in(server, AT_HOME).status_code == 200
        attempts.tried(
            "lock-out", f"right sign-in {number + 1} from home, after wrong ones from fresh networks", held=held
        )
    # a new network has three tries of its own, whatever others do; then it is known
    assert signs_in(server, TRAVELLING).status_code == 200


def test_no_failures_elsewhere_keep_a_known_network_out(home: Home, attempts: Attempts) -> None:
    """Any sequence of tries from other networks, near ones too, by any spelling of the name."""
    known(home)
    chance = random.Random(11)
    near = ["198.51.100.6", "198.51.100.8", "::ffff:198.51.100.9", "198.51.101.7", "unknown", "", "::1", "fe80::1%eth0"]
    for sequence in range(25):
        names = ["anna", "ANNA", "åse", "nobody"]
        for _ in range(chance.randrange(5, 25)):
            address = chance.choice([*near, fresh(chance.randrange(3000))])
            let(home, address, chance.choice(names))
        attempts.tried("lock-out", f"sequence {sequence} of failures from other networks", held=let(home, AT_HOME))
        from engine.store import sign_ins

        with home.database.write() as db:
            sign_ins.succeeded(db, f"here {AT_HOME} anna")  # as the right password does


SPELLINGS = ["anna", "ANNA", "Anna", "aNNa", "anNA"]


@pytest.mark.parametrize(
    ("how", "tries", "most"),
    [
        ("one address", [(AT_HOME, "anna")] * 30, 5),
        ("one address, other spellings", [(AT_HOME, SPELLINGS[n % 5]) for n in range(30)], 5),
        ("one address, written as IPv6", [(f"::ffff:{AT_HOME}" if n % 2 else AT_HOME, "anna") for n in range(30)], 5),
        ("one /64", [(f"2001:db8::{n:x}", "anna") for n in range(30)], 5),
        ("one /64, with zones", [(f"2001:db8::1%e{n}", "anna") for n in range(30)], 5),
        ("composed and not", [(AT_HOME, "åse" if n % 2 else "a\u030ase") for n in range(30)], 5),
        ("one /48", [(f"2001:db8:0:{n:x}::1", "anna") for n in range(60)], 20),
        ("one /48, other names", [(f"2001:db8:0:{n:x}::1", f"name{n}") for n in range(60)], 20),
        ("one /24", [(f"192.0.2.{n}", "anna") for n in range(60)], 20),
        ("one /24, other names", [(f"192.0.2.{n}", f"name{n}") for n in range(60)], 20),
        ("no address", [("unknown", f"name{n}") for n in range(60)], 20),
        ("forty networks, five tries each", [(fresh(n % 40), "anna") for n in range(200)], 3 * 40 + 50),
    ],
)
def test_a_guesser_is_slowed(home: Home, attempts: Attempts, how: str, tries: list[tuple[str, str]], most: int) -> None:
    begun = time.monotonic()
    through = sum(let(home, address, name) for address, name in tries)
    waited = math.log2((time.monotonic() - begun) / 2 + 1)  # waits of 2, 4, 8 … seconds that have ended meanwhile
    attempts.tried("guessing", how, held=1 <= through <= most + waited)


@pytest.mark.parametrize("address", [AT_HOME, TRAVELLING])
def test_the_answers_do_not_say_which_users_there_are(
    server: Live, home: Home, attempts: Attempts, address: str
) -> None:
    """Not when the name was tried from everywhere before, and not when somebody has signed in from there."""
    known(home)
    answers = {}
    for user in ("anna", "nobody", "åse"):
        for number in range(60):
            let(home, fresh(number % 12), user)
        told = signs_in(server, address, "wrong password", user)
        answers[user] = (told.status_code, told.json()["detail"], [let(home, address, user) for _ in range(6)])
    for user in ("nobody", "åse"):
        attempts.tried("enumeration", f"{user} from {address}", held=answers[user] == answers["anna"])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "Via"]
)
def test_without_a_trusted_proxy_a_guesser_has_one_network(home: Home, attempts: Attempts, header: str) -> None:
    settings = home.settings.model_copy(update={"trusted_proxies": None})
    with live(create_app(Home(settings, home.database), lambda: None), settings) as server, httpx.Client() as client:
        statuses = [
            client.post(f"{server.url}/api/v1/auth/token", json={"user": "anna", "password": "wrong password"},
                        headers={header: f"for={fresh(n)}" if header == "Forwarded" else fresh(n)}).status_code
            for n in range(6)
        ]  # fmt: skip
    attempts.tried("guessing", f"another {header} with each try", held=statuses == [401] * 5 + [429])


def test_a_hundred_tries_at_once_hold_nobody_up(server: Live, attempts: Attempts) -> None:
    assert signs_in(server, AT_HOME).status_code == 200
    with ThreadPoolExecutor(100) as pool:
        tries = [pool.submit(signs_in, server, f"10.9.{n}.1", "wrong password", "åse") for n in range(100)]
        while not any(one.done() for one in tries):
            time.sleep(0.01)
        begun = time.perf_counter()
        healthy = httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
        alive = time.perf_counter() - begun
        right = signs_in(server, AT_HOME).status_code == 200
        through = sum(one.done() for one in tries)
    attempts.tried("100 at once", "the API answers", held=healthy and alive < 10)
    attempts.tried("100 at once", "a known network signs in before the others are through", held=right and through < 80)


LOOKS_LIKE = [
    "аnna", "аnnа", "annа", "ɑnna", "anոa", "αnna", "ａｎｎａ", "anna\u200b", "\u202eanna", "an\u00adna", "anna\u2060",
    "åsе", "ǻse", "а", "bо", "k1m\u0335", "kіm", "ⅰda", "іda", "ıda", "ĸim", "ℓars", "lаrs", "ḷars", "ⲟle", "οle",
    "оle", "𝐚𝐧𝐧𝐚", "anna ", " anna", "an  na", "an\tna", "an\nna", "anna\u00a0", "anna\u3000", "an\u2010na",
    "an\uff0ena", "an·na", "ønska\u0337", "ᴀnna", "🅰nna", "",
]  # fmt: skip


def test_a_name_that_looks_like_another_is_refused(home: Home, attempts: Attempts) -> None:
    for name in LOOKS_LIKE:
        try:
            with home.database.write() as db:
                access.add_user(db, name, "viewer")
            held = False
        except BadInput:
            held = True
        attempts.tried("look-alike names", ascii(name), held=held)
    for number, good in enumerate(["Åse Ærø", "o'neill", "kim.holm@firma.dk", "FIRMA\\bo", "bo-2", "m+x", "Jürgen"]):
        with home.database.write() as db:
            assert access.add_user(db, good, "viewer").name == good, number
