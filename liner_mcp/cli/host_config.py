"""Changes to an assistant's configuration: the file, our entry, the difference to show, and the writing.

Everything else in the file stays and is never shown, because it holds the secrets of other servers. Of our entry only
values that are not secret are shown. `write` replaces the file in one step, after a backup. A file that is not as the
host documents it is refused. install.py prints and asks.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr

from liner_mcp.cli.jsonc import has_comments, without_comments, without_trailing_commas
from liner_mcp.cli.program import launch_command
from liner_mcp.errors import SetupError
from liner_mcp.files import explained, make_folders, reason, write_atomically
from liner_mcp.settings import ACCOUNT, PREFIX, Settings

Json = dict[str, Any]

MASK = "•••"
NAME, DEMO_NAME = "liner", "liner-demo"  # of our entries in a host's file


@dataclass(frozen=True, slots=True)
class Host:
    """How one assistant differs from the others."""

    title: str
    next_step: str  # for the user, so that the host reads its file again
    key: str = "mcpServers"
    has_type: bool = False  # whether an entry has "type": "stdio"


HOSTS = {
    "claude-desktop": Host("Claude Desktop", "Quit Claude Desktop completely and start it again."),
    "claude-code": Host("Claude Code", "Start a new session of Claude Code; /mcp lists its servers.", has_type=True),
    "vscode": Host("VS Code", "Run 'MCP: List Servers' in VS Code and start it there.", key="servers", has_type=True),
    "cursor": Host("Cursor", "Restart Cursor."),
}


def _types(annotation: Any) -> Generator[Any]:
    """The annotation and every type in it, such as SecretStr in `Annotated[SecretStr, ...] | None`."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


_SETTINGS = {f"{PREFIX}{field.upper()}": info for field, info in Settings.model_fields.items()}
_SECRET = {name for name, info in _SETTINGS.items() if SecretStr in _types(info.annotation)}
_PATHS = {name for name, info in _SETTINGS.items() if Path in _types(info.annotation)}
_TOKENS = {"LINER_API_TOKEN", "LINER_API_TOKEN_FILE"}
_ARGUMENTS = ("-m", "liner_mcp", "serve", "--demo")  # all that install writes
_ACCOUNT = {f"{PREFIX}{field.upper()}" for field in ACCOUNT}
_DEMO = "LINER_MCP_DEMO"  # never written: the arguments of an entry decide about the demo
# What a connection needs beside our settings, because a host passes on nothing of a user's shell.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_NETWORK = (*_CERTIFICATES, *_PROXIES, *map(str.lower, _PROXIES))


# The file ------------------------------------------------------------------------------------------------------------


def host_file(host: str, *, platform: str, home: Path, environment: Mapping[str, str]) -> Path:
    """The file with a user's servers of `host`. `platform` is as in `sys.platform`.

    Raises: SetupError if there are several.
    """
    if host == "cursor":
        return home / ".cursor" / "mcp.json"
    if host == "claude-code":
        return _folder(environment, "CLAUDE_CONFIG_DIR", home) / ".claude.json"
    if platform == "win32":
        applications = _folder(environment, "APPDATA", home / "AppData" / "Roaming")
    elif platform == "darwin":
        applications = home / "Library" / "Application Support"
    else:
        applications = _folder(environment, "XDG_CONFIG_HOME", home / ".config")
    if host == "vscode":
        return applications / "Code" / "User" / "mcp.json"
    if platform == "win32":
        applications = _store_folder(_folder(environment, "LOCALAPPDATA", home / "AppData" / "Local")) or applications
    return applications / "Claude" / "claude_desktop_config.json"


def _folder(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    return Path(environment[variable]).absolute() if environment.get(variable) else default


def _store_folder(local: Path) -> Path | None:
    """The AppData folder of Claude Desktop if it is a Windows package, as its installer makes it since 2026.

    A packaged program does not see %APPDATA%: https://github.com/anthropics/claude-code/issues/26073
    """
    found = sorted(local.glob("Packages/Claude_*/LocalCache"))
    if len(found) > 1:
        raise SetupError(
            f"There are {len(found)} packages of Claude Desktop in {local / 'Packages'}. "
            "Name the file of the right one with --file."
        )
    return found[0] / "Roaming" if found else None


# The entry -----------------------------------------------------------------------------------------------------------


def build_entry(program: str, environment: Mapping[str, str], *, demo: bool, host: Host) -> tuple[str, Json]:
    """The name and the content of our entry. The environment must be valid for `read_settings`."""
    command, *before = launch_command(program)
    made: Json = {"type": "stdio"} if host.has_type else {}
    made |= {"command": command, "args": [*before, "serve", *(["--demo"] if demo else [])]}
    if found := entry_environment(environment, demo=demo):
        made["env"] = found
    return (DEMO_NAME if demo else NAME), made


def entry_environment(environment: Mapping[str, str], *, demo: bool) -> dict[str, str]:
    """Our settings by their full names, and the variables of the network. The demo needs no account and no network."""
    given = {name.upper(): value.strip() for name, value in environment.items()}  # in any case, as Settings reads them
    left_out = {_DEMO, *_ACCOUNT} if demo else {_DEMO}
    found = {name: given[name] for name in _SETTINGS if given.get(name) and name not in left_out}
    if not demo:
        found |= {name: value for name in _NETWORK if (value := environment.get(name, "").strip())}
    # The host starts the server in another folder, perhaps without HOME.
    paths = {*_PATHS, *_CERTIFICATES}
    return {name: str(Path(one).expanduser().absolute()) if name in paths else one for name, one in found.items()}


def plain_secrets(path: Path, made: Json) -> list[str]:
    """A sentence for each secret that an entry holds as plain text, and one if others may read the file."""
    found: dict[str, str] = made.get("env", {})
    sentences: list[str] = []
    if "LINER_API_TOKEN" in found:
        sentences.append("The token will be in that file as plain text; LINER_API_TOKEN_FILE keeps it out.")
    if any(_has_credentials(found.get(name, "")) for name in _NETWORK):
        sentences.append("The password of the proxy will be in that file as plain text.")
    if sentences and os.name == "posix" and path.exists() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        sentences.append("Other users of this machine can read that file now. After the change only its owner can.")
    return sentences


def _has_credentials(proxy: str) -> bool:
    return "@" in proxy


@dataclass(frozen=True, slots=True)
class Change:
    """A planned change of one file."""

    path: Path
    before: bytes | None  # None: there is no file yet
    after: bytes
    diff: list[str]  # of our entries only, without secrets
    private: bool  # it will hold a secret as plain text


def plan_change(
    path: Path, before: bytes | None, host: Host, name: str, made: Json, *, remove: str | None = None
) -> Change | None:
    """Plan to set the entry `name` and to remove the entry `remove`; None if that changes nothing.

    Raises: SetupError if the content is not as the host documents it.
    """
    old = _document(path, before)
    servers = _object(path, old, host.key)
    new = {key: value for key, value in servers.items() if key != remove}
    new[name] = _merged(path, _object(path, servers, name), made)
    if new == servers:
        return None
    ours = {name} if remove is None else {name, remove}
    diff = list(
        difflib.unified_diff(_masked_lines(servers, ours, {}), _masked_lines(new, ours, servers), lineterm="", n=99)
    )[3:]
    diff.append(f"Everything else in the file is kept (other servers: {len(set(servers) - ours)}).")
    if has_comments((before or b"").decode("utf-8-sig")):
        diff.append("Comments in the file are not kept. The backup beside it has them.")
    content = json.dumps({**old, host.key: new}, ensure_ascii=False, indent=2) + "\n"
    # JavaScript programs may write half of an emoji (a lone surrogate). UTF-8 cannot encode it, but a JSON escape can.
    private = bool(plain_secrets(path, made))
    return Change(path, before, content.encode("utf-8", "backslashreplace"), diff, private)


def holds(path: Path, content: bytes | None, host: Host, name: str) -> bool:
    """Whether the file has this entry. Raises: SetupError if the content is not as the host documents it."""
    return name in _object(path, _document(path, content), host.key)


def _document(path: Path, content: bytes | None) -> Json:
    try:
        text = without_trailing_commas(without_comments((content or b"").decode("utf-8-sig")))
        found: object = json.loads(text, object_pairs_hook=_unique) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path} is not JSON in UTF-8 ({error}). {_UNTOUCHED}") from None
    if not isinstance(found, dict):
        raise SetupError(f"{path} does not hold a JSON object. {_UNTOUCHED}")
    return cast("Json", found)


_UNTOUCHED = "Nothing was changed. Correct the file, or add the entry by hand as docs/hosts.md shows."


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):  # json.loads keeps only the last one
        raise ValueError("one object has the same name twice")
    return found


def _merged(path: Path, old: Json, made: Json) -> Json:
    ours: dict[str, str] = made.get("env", {})
    # Only one of the token's two variables may be set, or the server refuses to start.
    stale = {_DEMO, *_TOKENS} if _TOKENS & set(ours) else {_DEMO}
    env = {key: value for key, value in _object(path, old, "env").items() if key not in stale} | ours
    return {**old, **made, **({"env": env} if env or "env" in old else {})}


def _object(path: Path, parent: Json, key: str) -> Json:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise SetupError(f'"{key}" in {path} is not a JSON object. {_UNTOUCHED}')
    return cast("Json", found)


def _masked_lines(servers: Json, names: set[str], earlier: Json) -> list[str]:
    """Our entries as lines of JSON without secrets. A secret that differs from the one in `earlier` is marked."""
    ours = {name: _masked(servers[name], earlier.get(name, {}).get("env", {})) for name in servers if name in names}
    return json.dumps(ours, ensure_ascii=False, indent=2).splitlines()[1:-1]


def _masked(ours: Any, earlier: Json) -> Any:
    """An entry without possible secrets: the values that install writes are known, others are hidden."""
    if not isinstance(ours, dict):
        return MASK
    shown: Json = {key: value if key in ("type", "command") else MASK for key, value in cast("Json", ours).items()}
    if isinstance(arguments := cast("Json", ours).get("args"), list):
        shown["args"] = [one if one in _ARGUMENTS else MASK for one in cast("list[Any]", arguments)]
    if isinstance(values := cast("Json", ours).get("env"), dict):
        shown["env"] = {name: _masked_variable(name, one, earlier) for name, one in cast("Json", values).items()}
    return shown


def _masked_variable(name: str, value: Any, earlier: Json) -> Any:
    if name in _SETTINGS and name not in _SECRET:
        return value
    if name in _NETWORK and isinstance(value, str) and not _has_credentials(value):
        return value
    return f"{MASK} (changed)" if earlier.get(name, value) != value else MASK


# Reading and writing -------------------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """The content; None if there is no file yet. Raises: SetupError."""
    with explained(f"{path} cannot be read"):
        if path.is_file():
            return path.read_bytes()
        if not os.path.lexists(path):
            return None
    raise SetupError(f"{path} is not a file (but a folder or a broken link, for example). Name a file with --file.")


def write(planned: Change, now: datetime) -> Path | None:
    """Replace the content in one step and return the path of the backup, if there was a file.

    Raises: SetupError, and then the file is unchanged.
    """
    try:
        target = planned.path.resolve()  # the backup is put beside the file and not beside a link to it
        if planned.before is not None and not target.stat().st_mode & stat.S_IWUSR:
            raise SetupError(f"{planned.path} is read-only. Make it writable, then run this again.")
        make_folders(target.parent)
        backup = target.with_name(f"{target.name}.backup-{now:%Y%m%d-%H%M%S-%f}") if planned.before else None
        write_atomically(target, planned.after, before=planned.before, backup=backup, private=planned.private)
    except OSError as error:
        raise SetupError(f"{planned.path} cannot be written: {reason(error)}. It is as it was.") from None
    return backup
