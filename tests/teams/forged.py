"""Requests that Teams did not make, or not for this bot, by what is wrong with them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.mocks.teams import ELSEWHERE, KEY, OTHER_KEY, TENANT, Teams, signed

SAID = "run customers --full"  # what must never be found in a log
HOUR = 3600
Forged = tuple[dict[str, str], bytes]


def _one(**claims: Any) -> Callable[[Teams], Forged]:
    """A right activity with a token that differs."""

    def made(teams: Teams) -> Forged:
        activity = teams.activity(SAID)
        return teams.headers(activity, **claims), json.dumps(activity).encode()

    return made


def _header(value: str | None) -> Callable[[Teams], Forged]:
    def made(teams: Teams) -> Forged:
        given = {"Content-Type": "application/json"} | ({} if value is None else {"Authorization": value})
        return given, json.dumps(teams.activity(SAID)).encode()

    return made


def _activity(signed_for: str | None = None, **more: Any) -> Callable[[Teams], Forged]:
    """A right token with an activity that differs; the token is for its serviceUrl, or for another."""

    def made(teams: Teams) -> Forged:
        activity = teams.activity(SAID, **more)
        claims = {} if signed_for is None else {"serviceurl": signed_for}
        return teams.headers(activity, **claims), json.dumps(activity).encode()

    return made


def _parts(token: str) -> list[str]:
    return token.split(".")


def _b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _with_token(change: Callable[[str], str], scheme: str = "Bearer") -> Callable[[Teams], Forged]:
    def made(teams: Teams) -> Forged:
        activity = teams.activity(SAID)
        given = {"Content-Type": "application/json", "Authorization": f"{scheme} {change(signed(activity))}"}
        return given, json.dumps(activity).encode()

    return made


def _unsigned(token: str) -> str:
    return f"{_b64({'alg': 'none', 'kid': 'key-1'})}.{_parts(token)[1]}."


def _hs256(token: str) -> str:
    """Signed with what everybody knows, the public key."""
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    begin = f"{_b64({'alg': 'HS256', 'kid': 'key-1', 'typ': 'JWT'})}.{_parts(token)[1]}"
    return f"{begin}.{_b64(hmac.new(public, begin.encode(), hashlib.sha256).digest())}"


def _altered(token: str) -> str:
    head, claims, mac = _parts(token)
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return f"{head}.{_b64({**said, 'exp': said['exp'] + HOUR})}.{mac}"


def _own_key_in_it(token: str) -> str:
    """Names the address of keys of its own."""
    claims = json.loads(base64.urlsafe_b64decode(_parts(token)[1] + "=="))
    return jwt.encode(claims, OTHER_KEY, "RS256", {"kid": "key-1", "jku": "https://evil.example/keys", "x5u": "x"})


def _raw(body: bytes, kind: str = "application/json") -> Callable[[Teams], Forged]:
    def made(teams: Teams) -> Forged:
        return {**teams.headers(teams.activity(SAID)), "Content-Type": kind}, body

    return made


now = int(time.time())
EVIL = "https://evil.example/"

# name -> (what is refused, with which answers); all of these are kept out by the proof of who calls
UNPROVED: dict[str, Callable[[Teams], Forged]] = {
    "garbage for a token": _header("Bearer garbage"),
    "three parts of garbage": _header("Bearer a.b.c"),
    "no token": _header("Bearer"),
    "two tokens in one": _header("Bearer a b"),
    "another scheme": _header("Basic a2ltOnBhc3N3b3Jk"),
    "a scheme in small letters": _with_token(str, "bearer"),
    "an altered signature": _with_token(lambda token: f"{token[:-12]}{token[-12:].swapcase()}"),
    "no signature, alg none": _with_token(_unsigned),
    "HS256 with the public key": _with_token(_hs256),
    "altered claims": _with_token(_altered),
    "a signature cut off": _with_token(lambda token: token.rpartition(".")[0] + "."),
    "the address of own keys": _with_token(_own_key_in_it),
    "another key under a known name": _one(key=OTHER_KEY),
    "a name that no key has": _one(kid="key-9"),
    "no name of a key": _one(kid=None),
    "a key that is not for Teams": _one(key=OTHER_KEY, kid="not-endorsed"),
    "a key that is for nothing": _one(key=OTHER_KEY, kid="without-endorsements"),
    "another algorithm": _one(algorithm="RS512"),
    "another issuer": _one(iss="https://evil.example"),
    "no issuer": _one(iss=None),
    "the issuer of an emulator": _one(
        iss="https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/", ver="1.0",
        appid="3f0d7a52-6a10-4f3e-9d0b-7c1de2b0a001",
    ),
    "another bot's": _one(aud="00000000-0000-0000-0000-000000000000"),
    "for nobody": _one(aud=None),
    "for several": _one(aud=["3f0d7a52-6a10-4f3e-9d0b-7c1de2b0a001", "x"]),
    "over for an hour": _one(exp=now - HOUR),
    "without an end": _one(exp=None),
    "an end that is no number": _one(exp="soon"),
    "not yet good": _one(nbf=now + HOUR),
    "made in the future": _one(iat=now + HOUR),
    "for another service": _one(serviceurl="https://smba.trafficmanager.net/emea/"),
    "for no service": _one(serviceurl=None),
    "an activity of another service": _activity(signed_for="http://127.0.0.1:1/", serviceUrl="http://127.0.0.1:2/"),
}  # fmt: skip

# refused whoever calls
NOT_SERVED: dict[str, Callable[[Teams], Forged]] = {
    "no Authorization": _header(None),
    "another tenant": _activity(tenant=ELSEWHERE),
    "two tenants": _activity(channelData={"tenant": {"id": ELSEWHERE}}),
    "no tenant": _activity(channelData={}, conversation={"id": "a:1", "conversationType": "personal"}),
    "a tenant that is none": _activity(channelData={"tenant": {"id": ["72f988bf"]}}),
    "another channel than Teams": _activity(channelId="webchat"),
    "the emulator": _activity(channelId="emulator"),
    "no channel": _activity(channelId=None),
    "no serviceUrl": _activity(signed_for=EVIL, serviceUrl=None),
    "an empty serviceUrl": _activity(signed_for=EVIL, serviceUrl=""),
    "a serviceUrl that is no text": _activity(signed_for=EVIL, serviceUrl={"a": 1}),
    "a serviceUrl elsewhere": _activity(serviceUrl=EVIL),
    "a serviceUrl that begins the same": _activity(serviceUrl="https://smba.trafficmanager.net.evil.example/"),
    "a serviceUrl with a name before": _activity(serviceUrl="https://smba.trafficmanager.net@evil.example/"),
    "a serviceUrl of a person": _activity(serviceUrl="https://me@smba.trafficmanager.net/"),
    "a serviceUrl without TLS": _activity(serviceUrl="http://smba.trafficmanager.net/emea/"),
    "a serviceUrl on another port": _activity(serviceUrl="https://smba.trafficmanager.net:8443/"),
    "a serviceUrl on a port that is none": _activity(serviceUrl="https://smba.trafficmanager.net:x/"),
    "a private serviceUrl": _activity(serviceUrl="https://10.0.0.7/"),
    "the metadata of a cloud": _activity(serviceUrl="http://169.254.169.254/latest/"),
    "a serviceUrl of another kind": _activity(serviceUrl="file:///etc/passwd"),
    "nobody's": _activity(**{"from": {"id": "29:1x", "name": "Kim"}}),
    "somebody with a name that is none": _activity(**{"from": {"id": "29:1x", "aadObjectId": "a b:c"}}),
    "no id": _activity(id=""),
    "no kind": _activity(type=None),
    "a conversation that is none": _activity(conversation={"tenantId": TENANT}),
    "too large": _raw(b'{"x": "' + b"x" * 300_000 + b'"}'),
    "a form": _raw(b"text=run", "application/x-www-form-urlencoded"),
    "text": _raw(b"{}", "text/plain"),
    "not UTF-8": _raw(b'{"text": "\xff"}'),
}  # fmt: skip

# what is no activity at all
MALFORMED: dict[str, Callable[[Teams], Forged]] = {
    "no JSON": _raw(b"{"),
    "a list": _raw(b"[]"),
    "nothing": _raw(b""),
    "too deep": _raw(b"[" * 50_000),
}
