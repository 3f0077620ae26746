"""The worked example of `docs/authentication-and-access.md`: its settings let in the tokens that its commands ask for.

No Keycloak runs here. A local issuer signs tokens with the claims that Keycloak's mappers and scopes give.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.settings import read_settings
from tests.fakes.oauth_issuer import LocalIssuer, claims, public_jwk, rsa_key, signed
from tests.http_server.support import PATIENCE, result, serve
from tests.support.asgi_server import serve_app

PAGE = (Path(__file__).parents[2] / "docs" / "authentication-and-access.md").read_text(encoding="utf-8")
REALM = "/realms/calls"


def block(name: str) -> str:
    return PAGE.split(f"<!-- {name} -->\n```sh\n", 1)[1].split("```", 1)[0]


def environment() -> dict[str, str]:
    words = shlex.split(block("keycloak server"))
    return dict(word.split("=", 1) for word in words if word.startswith("LINER_"))


def test_the_commands_and_the_settings_of_the_example_name_the_same_things(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    commands = block("keycloak")
    server = re.search(r"--server (\S+)", commands)
    assert server
    assert settings.mcp_oauth_issuer == f"{server[1]}{REALM}"
    assert set(re.findall(r" -r (\S+)", commands)) == {REALM.rpartition("/")[2]}
    assert f'"included.custom.audience"={settings.mcp_oauth_audience}' in commands
    assert f"name={settings.mcp_oauth_scope} " in commands
    assert commands.count(f'"{settings.mcp_oauth_scope}"]') == commands.count("clientId=")
    assert block("keycloak test").startswith(f"TOKEN=$(curl -s {settings.mcp_oauth_issuer}/protocol/")
    assert f"curl -i {settings.mcp_oauth_audience} " in block("keycloak test")
    port = re.search(r"localhost:(\d+)/callback", commands)
    assert port
    assert f"--client-id claude-code --callback-port {port[1]} liner {settings.mcp_oauth_audience}" in PAGE


def test_the_server_of_the_example_accepts_the_token_of_a_registered_client_over_a_real_socket(
    liner: DemoLiner,
) -> None:
    local = LocalIssuer(metadata_paths=(f"{REALM}/.well-known/openid-configuration",))
    local.jwks = {"keys": [public_jwk(rsa_key(), kid="k1", alg="RS256", use="sig")]}
    chosen = environment()
    with serve_app(local) as origin:
        local.issuer = f"{origin}{REALM}"
        settings: dict[str, Any] = {
            "mcp_oauth_issuer": local.issuer,
            "mcp_oauth_audience": chosen["LINER_MCP_OAUTH_AUDIENCE"],
            "mcp_oauth_scope": chosen["LINER_MCP_OAUTH_SCOPE"],
            "mcp_allowed_hosts": chosen["LINER_MCP_ALLOWED_HOSTS"],
        }
        token = signed(
            # As Keycloak makes it: the client in `azp`, and a `typ` claim.
            claims(
                iss=local.issuer,
                aud=[chosen["LINER_MCP_OAUTH_AUDIENCE"], "account"],
                azp="nightly",
                client_id=None,
                scope=chosen["LINER_MCP_OAUTH_SCOPE"],
                typ="Bearer",
            ),
            rsa_key(),
            "RS256",
        )
        with serve(liner, **settings) as server, httpx.Client(base_url=server, timeout=PATIENCE) as http:
            answer = http.post("/mcp", **documented_request(token))
            assert "find_calls" in {tool["name"] for tool in result(answer)["tools"]}
            assert http.post("/mcp", **documented_request("x")).status_code == 401


def documented_request(token: str) -> dict[str, Any]:
    """The request of the second curl in the example, for an HTTP client's `post`."""
    words = shlex.split(block("keycloak test").replace("\\\n", " ").splitlines()[1])
    assert words[:3] == ["curl", "-i", environment()["LINER_MCP_OAUTH_AUDIENCE"]]
    options = list(zip(words[3::2], words[4::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    (body,) = (value for name, value in options if name == "-d")
    headers["Authorization"] = headers["Authorization"].replace("$TOKEN", token)
    host = httpx.URL(words[2]).host
    return {"headers": {**headers, "Host": host}, "json": json.loads(body)}
