"""Adding this server to an assistant's configuration: which file, which entry, what changes in it, and the writing.

Whatever is not ours in the file stays and is never shown: other servers keep their secrets there too. Of our own entry
only what cannot be secret is shown. The file is touched in one step, in `write`, after its old content was put beside
it; anything that is not understood is refused instead. Printing and asking belong to the command line.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr

from liner_mcp.errors import SetupError
from liner_mcp.files import reason, write_atomically
from liner_mcp.settings import ACCOUNT, PREFIX, Settings

Json = dict[str, Any]

MASK = "•••"
NAME, DEMO_NAME = "liner", "liner-demo"  # of our entries in a host's file


@dataclass(frozen=True, slots=True)
class Host:
    """What tells one assistant's configuration from another's."""

    title: str
    next_step: str  # what a person does next, so that the host reads its file again
    key: str = "mcpServers"
    has_type: bool = False  # whether an entry says "type": "stdio"


HOSTS = {
    "claude-desktop": Host("Claude Desktop", "Quit Claude Desktop completely and start it again."),
    "claude-code": Host("Claude Code", "Start a new session of Claude Code; /mcp lists its servers.", has_type=True),
    "vscode": Host("VS Code", "Run 'MCP: List Servers' in VS Code and start it there.", key="servers", has_type=True),
    "cursor": Host("Cursor", "Restart Cursor."),
}

_SETTINGS = {f"{PREFIX}{field.upper()}": info for field, info in Settings.model_fields.items()}
_SECRET = {name for name, info in _SETTINGS.items() if SecretStr in (info.annotation, *get_args(info.annotation))}
_PATHS = {name for name, info in _SETTINGS.items() if Path in (info.annotation, *get_args(info.annotation))}
_TOKENS = {"LINER_API_TOKEN", "LINER_API_TOKEN_FILE"}
_ARGUMENTS = ("-m", "liner_mcp", "serve", "--demo")  # all that we ever write
_ACCOUNT = {f"{PREFIX}{field.upper()}" for field in ACCOUNT}
_DEMO = "LINER_MCP_DEMO"  # never written: the arguments of an entry say whether it is the demo


# where --------------------------------------------------------------------------------------------------------------


def host_file(host: str, *, platform: str, home: Path, environment: Mapping[str, str]) -> Path:
    """The file in which `host` keeps a user's servers; `platform` is as in `sys.platform`.

    Raises: SetupError when there are several and none is plainly the right one.
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
    """Where Windows puts the AppData of Claude Desktop when it came as a package, as its installer does since 2026.

    Such a program does not see %APPDATA%: https://github.com/anthropics/claude-code/issues/26073
    """
    found = sorted(local.glob("Packages/Claude_*/LocalCache"))
    if len(found) > 1:
        raise SetupError(
            f"There are {len(found)} packages of Claude Desktop in {local / 'Packages'}. "
            "Name the file of the right one with --file."
        )
    return found[0] / "Roaming" if found else None


# what ---------------------------------------------------------------------------------------------------------------


def launch_command(program: str) -> list[str]:
    """How to start this very installation from anywhere, for hosts know no PATH. `program` is `sys.argv[0]`."""
    own = str(Path(program).absolute()) if Path(program).stem == "liner-mcp" else None
    # `which` also finds the .exe of Windows, which argv[0] leaves out.
    script = (own and shutil.which(own)) or shutil.which("liner-mcp", path=sysconfig.get_path("scripts"))
    return [script] if script else [sys.executable, "-m", "liner_mcp"]


def build_entry(program: str, environment: Mapping[str, str], *, demo: bool, host: Host) -> tuple[str, Json]:
    """The name of our entry and the entry. The environment must have passed `read_settings`."""
    command, *before = launch_command(program)
    made: Json = {"type": "stdio"} if host.has_type else {}
    made |= {"command": command, "args": [*before, "serve", *(["--demo"] if demo else [])]}
    if found := entry_environment(environment, demo=demo):
        made["env"] = found
    return (DEMO_NAME if demo else NAME), made


def entry_environment(environment: Mapping[str, str], *, demo: bool) -> dict[str, str]:
    """Our settings that are set, by their full names; the demo needs no host and no token."""
    given = {name.upper(): value.strip() for name, value in environment.items()}  # names in any case, as Settings does
    left_out = {_DEMO, *_ACCOUNT} if demo else {_DEMO}
    found = {name: given[name] for name in _SETTINGS if given.get(name) and name not in left_out}
    # The host starts us in another folder, perhaps without a HOME.
    return {name: str(Path(one).expanduser().absolute()) if name in _PATHS else one for name, one in found.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to one file."""

    path: Path
    before: bytes | None  # None: there is no file yet
    after: bytes
    diff: list[str]  # for a person to read: without secrets and without what is not ours


def plan_change(
    path: Path, before: bytes | None, host: Host, name: str, made: Json, *, remove: str | None = None
) -> Change | None:
    """Put the entry into the file's content and take out the entry `remove`; None when there is nothing to do.

    Raises: SetupError when the content is not what the host documents.
    """
    old = _document(path, before)
    servers = _object(path, old, host.key)
    new = {key: value for key, value in servers.items() if key != remove}
    new[name] = _merged(path, _object(path, servers, name), made)
    if new == servers:
        return None
    ours = {name} if remove is None else {name, remove}
    diff = [
        *difflib.unified_diff(_display_name(servers, ours, {}), _display_name(new, ours, servers), lineterm="", n=99)
    ][3:]
    diff.append(f"Everything else in the file is kept (other servers: {len(set(servers) - ours)}).")
    content = json.dumps({**old, host.key: new}, ensure_ascii=False, indent=2) + "\n"
    # JavaScript programs leave halves of a cut emoji. UTF-8 cannot hold them, but a JSON escape can.
    return Change(path, before, content.encode("utf-8", "backslashreplace"), diff)


def holds(path: Path, content: bytes | None, host: Host, name: str) -> bool:
    """Whether the file has an entry of this name.

    Raises: SetupError when the content is not what the host documents.
    """
    return name in _object(path, _document(path, content), host.key)


def _document(path: Path, content: bytes | None) -> Json:
    try:
        text = (content or b"").decode("utf-8-sig")
        found: object = json.loads(text, object_pairs_hook=_unique) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise SetupError(
            f"{path} is not plain JSON in UTF-8 ({error}); comments and trailing commas cannot be kept. {_UNTOUCHED}"
        ) from None
    if not isinstance(found, dict):
        raise SetupError(f"{path} does not hold a JSON object. {_UNTOUCHED}")
    return cast("Json", found)


_UNTOUCHED = "Nothing was changed. Correct the file, or add the entry by hand as the README shows."


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):  # json.loads would drop all but the last one
        raise ValueError("one object has the same name twice")
    return found


def _merged(path: Path, old: Json, made: Json) -> Json:
    ours: dict[str, str] = made.get("env", {})
    # A token in the other variable would make two, which the server refuses.
    stale = {_DEMO, *_TOKENS} if _TOKENS & set(ours) else {_DEMO}
    env = {key: value for key, value in _object(path, old, "env").items() if key not in stale} | ours
    return {**old, **made, **({"env": env} if env or "env" in old else {})}


def _object(path: Path, parent: Json, key: str) -> Json:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise SetupError(f'"{key}" in {path} is not a JSON object. {_UNTOUCHED}')
    return cast("Json", found)


# shown --------------------------------------------------------------------------------------------------------------


def _display_name(servers: Json, names: set[str], earlier: Json) -> list[str]:
    """Our entries as lines of JSON without secrets; a secret that differs from the one in `earlier` says so."""
    ours = {name: _masked(servers[name], earlier.get(name, {}).get("env", {})) for name in servers if name in names}
    return json.dumps(ours, ensure_ascii=False, indent=2).splitlines()[1:-1]


def _masked(ours: Any, earlier: Json) -> Any:
    """The entry with everything hidden that could be a secret: what we write is known, what was there is not."""
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
    return f"{MASK} (changed)" if earlier.get(name, value) != value else MASK


# files --------------------------------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """The content, or None when there is no file yet.

    Raises: SetupError.
    """
    try:
        if path.is_file():
            return path.read_bytes()
        if not os.path.lexists(path):
            return None
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {reason(error)}.") from None
    raise SetupError(f"{path} is not a file (but a folder or a broken link, for example). Name a file with --file.")


def write(planned: Change, now: datetime) -> Path | None:
    """Put the new content in place of the old in one step; the backup's path, when there was something to keep.

    Raises: SetupError, and then the file is as it was.
    """
    try:
        target = planned.path.resolve()  # the backup belongs beside the file, not beside a link to it
        if planned.before is not None and not target.stat().st_mode & stat.S_IWUSR:
            raise SetupError(f"{planned.path} is read-only. Make it writable, then run this again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = target.with_name(f"{target.name}.backup-{now:%Y%m%d-%H%M%S-%f}") if planned.before else None
        write_atomically(target, planned.after, before=planned.before, backup=backup)
    except OSError as error:
        raise SetupError(f"{planned.path} cannot be written: {reason(error)}. It is as it was.") from None
    return backup
