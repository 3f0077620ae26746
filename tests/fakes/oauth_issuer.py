"""A small OAuth 2 issuer: keys that it publishes and rotates, and tokens that it signs, right and wrong."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "https://calls.example/mcp"
ISSUER = "https://auth.example"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@cache
def _made(kind: str, number: int) -> Any:  # noqa: ARG001 - the number only tells keys apart
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind))


def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return _made(str(bits), number)


def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return _made("EC", number)


def public_jwk(key: PrivateKey, **more: Any) -> dict[str, Any]:
    """The public half of a key as a JSON Web Key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        made = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(public, as_dict=True)
    made.pop("key_ops", None)
    return {**made, **more}


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def claims(**more: Any) -> dict[str, Any]:
    """The claims of a good token; None takes a claim out."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna",
        "client_id": "assistant",
        "scope": "openid calls:read",
        "iat": now,
        "exp": now + 600,
        **more,
    }
    return {name: value for name, value in made.items() if value is not None}


def signed(
    payload: dict[str, Any],
    key: Any = None,
    algorithm: str = "ES256",
    kid: str | None = "k1",
    header: dict[str, Any] | None = None,
) -> str:
    """A token; the default key is the issuer's first."""
    named = {**({} if kid is None else {"kid": kid}), **(header or {})}
    return jwt.encode(payload, ec_key() if key is None else key, algorithm, headers=named)


class LocalIssuer:
    """An ASGI application that publishes metadata and keys. Its attributes may be changed while it runs.

    `requested_paths` lists the paths of the requests that came; `failing` makes it answer 500.
    """

    def __init__(
        self, issuer: str = ISSUER, metadata_paths: tuple[str, ...] = ("/.well-known/openid-configuration",)
    ) -> None:
        self.issuer = issuer
        self.metadata_paths = metadata_paths
        self.jwks: dict[str, Any] = {"keys": [public_jwk(ec_key(), kid="k1", alg="ES256", use="sig")]}
        self.metadata: dict[str, Any] = {}
        self.requested_paths: list[str] = []
        self.failing = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        path: str = scope["path"]
        self.requested_paths.append(path)
        if self.failing:
            status, found = 500, {}
        elif path in self.metadata_paths:
            status, found = 200, {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **self.metadata}
        elif path.endswith("/keys"):
            status, found = 200, self.jwks
        else:
            status, found = 404, {}
        content = json.dumps(found).encode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": content})
