"""Access tokens: JWTs signed with Ed25519, good for minutes, each naming the key that signed it."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)  # fmt: skip

from core.errors import Misconfigured
from core.settings import Settings
from engine.store.database import locked

ALGORITHM = "EdDSA"
LASTS = timedelta(minutes=15)
RETIRED = timedelta(days=1)  # a key that a newer one replaced so long ago has no token out
AUDIENCE = "atlas-api"
KIND = "at+jwt"  # RFC 9068


@dataclass(frozen=True)
class Access:
    """What an access token says."""

    user: int
    sign_in: int
    generation: int


class SigningKeys:
    """The keys of a folder, `KID.pem` each: the newest signs, all verify. Read anew when the folder has changed."""

    def __init__(self, folder: Path, issuer: str, *, make: bool) -> None:
        """With `make` the first key is made when it is needed; without, it must be there."""
        self.folder, self.issuer, self._make = folder, issuer, make
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._seen = -1

    def sign(self, what: Access) -> str:
        """An access token. Raises Misconfigured if there is no key."""
        import jwt  # here: a terminal signs nobody in

        self._look()
        if not self._keys and self._make:
            with locked(self.folder.with_suffix(".lock")):
                if not any(self.folder.glob("*.pem")):
                    rotate(self.folder)
            self._look()
        if not self._keys:
            raise Misconfigured("There is no key to sign access tokens with.", hint="atlas keys rotate")
        kid, now = max(self._keys), datetime.now(UTC)
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": str(what.user), "sid": str(what.sign_in),
            "gen": what.generation, "iat": now, "nbf": now, "exp": now + LASTS, "jti": secrets.token_hex(8),
        }  # fmt: skip
        return jwt.encode(claims, self._keys[kid], ALGORITHM, {"kid": kid, "typ": KIND})

    def verify(self, token: str) -> Access | None:
        """What a token says that one of these keys signed for this API and that has not ended; None for any other."""
        import jwt

        self._look()
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None  # a name to look up, never a path
            if key is None or header.get("typ") != KIND:
                return None
            claims = jwt.decode(
                token, key.public_key(), algorithms=[ALGORITHM], audience=AUDIENCE, issuer=self.issuer,
                leeway=5,  # seconds by which the clocks of two servers may differ
                options={"require": ["exp", "iat", "nbf", "sub", "sid", "gen", "jti", "iss", "aud"]},
            )  # fmt: skip
            return Access(int(claims["sub"]), int(claims["sid"]), int(claims["gen"]))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None

    def _look(self) -> None:
        try:
            changed = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed != self._seen:
            self._keys = {path.stem: _read(path) for path in self.folder.glob("*.pem")}
            self._seen = changed


def folder(settings: Settings) -> Path:
    """Where the keys of an installation lie."""
    return settings.signing_keys or settings.keys / "signing"


def rotate(folder: Path) -> str:
    """A new key, which signs from now on; keys that no token can need any more are removed. Returns its name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    now = datetime.now(UTC)
    kid = f"{now:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replaced = sorted(folder.glob("*.pem"))
    draft = folder / f"{kid}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    draft.rename(folder / f"{kid}.pem")  # whole or not at all
    for path, successor in pairwise(replaced):
        if now.timestamp() - successor.stat().st_mtime > RETIRED.total_seconds():
            path.unlink()
    return kid


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(f"`{path.name}` in the folder of signing keys cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"`{path.name}` in the folder of signing keys is no Ed25519 key.", hint="atlas keys rotate")
    return key
