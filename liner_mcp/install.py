"""Adding this server to an assistant's configuration: which file, which entry, what changes in it, and the writing.

Whatever is not ours in the file stays and is never shown: other servers keep their secrets there too. Of our own entry
only what cannot be secret is shown. The file is touched in one step, in `write`, after its old content was put beside
it; anything that is not understood is refused instead. Printing and asking belong to the command line.
"""

from __future__ import annotations

import difflib
import itertools
import json
import os
import re
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, cast, get_args

from pydantic import SecretStr

from liner_mcp.errors import SetupError
from liner_mcp.settings import ACCOUNT, PREFIX, Settings

Json = dict[str, Any]

MASK = "•••"
NAME, DEMO_NAME = "liner", "liner-demo"  # of our entries in a host's file


@dataclass(frozen=True, slots=True)
class Host:
    """What tells one assistant's configuration from another's."""

    title: str
    then: str  # what a person does next, so that the host reads its file again
    key: str = "mcpServers"
    typed: bool = False  # whether an entry says "type": "stdio"


HOSTS = {
    "claude-desktop": Host("Claude Desktop", "Quit Claude Desktop completely and start it again."),
    "claude-code": Host("Claude Code", "Start a new session of Claude Code; /mcp lists its servers.", typed=True),
    "vscode": Host("VS Code", "Run 'MCP: List Servers' in VS Code and start it there.", key="servers", typed=True),
    "cursor": Host("Cursor", "Restart Cursor."),
}

_SETTINGS = {f"{PREFIX}{field.upper()}": info for field, info in Settings.model_fields.items()}
_SECRET = {name for name, info in _SETTINGS.items() if SecretStr in (info.annotation, *get_args(info.annotation))}
_TOKEN_FILE = "LINER_API_TOKEN_FILE"  # noqa: S105 - the name of a variable
_TOKENS = {"LINER_API_TOKEN", _TOKEN_FILE}
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


def launch(program: str) -> list[str]:
    """How to start this very installation from anywhere, for hosts know no PATH. `program` is `sys.argv[0]`."""
    own = str(Path(program).absolute()) if Path(program).stem == "liner-mcp" else None
    # `which` also finds the .exe of Windows, which argv[0] leaves out.
    script = (own and shutil.which(own)) or shutil.which("liner-mcp", path=sysconfig.get_path("scripts"))
    return [script] if script else [sys.executable, "-m", "liner_mcp"]


def entry(program: str, environment: Mapping[str, str], *, demo: bool, host: Host) -> tuple[str, Json]:
    """The name of our entry and the entry. The environment must have passed `read_settings`."""
    command, *before = launch(program)
    made: Json = {"type": "stdio"} if host.typed else {}
    made |= {"command": command, "args": [*before, "serve", *(["--demo"] if demo else [])]}
    if found := variables(environment, demo=demo):
        made["env"] = found
    return (DEMO_NAME if demo else NAME), made


def variables(environment: Mapping[str, str], *, demo: bool) -> dict[str, str]:
    """Our settings that are set, by their full names; the demo needs no host and no token."""
    given = {name.upper(): value.strip() for name, value in environment.items()}  # names in any case, as Settings does
    left_out = {_DEMO, *_ACCOUNT} if demo else {_DEMO}
    found = {name: given[name] for name in _SETTINGS if given.get(name) and name not in left_out}
    if _TOKEN_FILE in found:  # the host starts us in another folder, perhaps without a HOME
        found[_TOKEN_FILE] = str(Path(found[_TOKEN_FILE]).expanduser().absolute())
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to one file."""

    path: Path
    before: bytes | None  # None: there is no file yet
    after: bytes
    diff: list[str]  # for a person to read: without secrets and without what is not ours


def change(
    path: Path, before: bytes | None, host: Host, name: str, made: Json, *, remove: str | None = None
) -> Change | None:
    """Put the entry into the file's content and take out the entry `remove`; None when there is nothing to do.

    Raises: SetupError when the content is not what the host documents.
    """
    old = None if before is None else _document(path, before)
    new = _merged(path, old or {}, host, name, made)
    new[host.key] = {key: value for key, value in new[host.key].items() if key != remove}
    if new == old:
        return None
    names = [name] if remove is None else [name, remove]
    diff = difflib.unified_diff(
        _picture(old, host, names), _picture(new, host, names, old), str(path), str(path), lineterm="", n=99
    )
    return Change(path, before, _encoded(new, before or b""), list(diff))


def holds(path: Path, content: bytes | None, host: Host, name: str) -> bool:
    """Whether the file has an entry of this name.

    Raises: SetupError when the content is not what the host documents.
    """
    return content is not None and name in _object(path, _document(path, content), host.key)


def _document(path: Path, content: bytes) -> Json:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SetupError(f"{path} is not UTF-8 text (line {line}). {_UNTOUCHED}") from None
    if not text.strip():
        return {}
    try:
        found = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise SetupError(
            f"{path} is not plain JSON (line {error.lineno}); comments and trailing commas cannot be kept. {_UNTOUCHED}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise SetupError(f"{path} cannot be rewritten without loss: {reason}. {_UNTOUCHED}") from None
    if not isinstance(found, dict):
        raise SetupError(f"{path} does not hold a JSON object (line 1). {_UNTOUCHED}")
    return cast("Json", found)


_UNTOUCHED = "Nothing was changed. Mend the file, or add the entry by hand as the README shows."


def _without_twins(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("one object in it has the same name twice")
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError("it holds a number that JSON does not have")


def _finite(text: str) -> float:
    return number if abs(number := float(text)) != float("inf") else _refuse(text)


def _merged(path: Path, document: Json, host: Host, name: str, made: Json) -> Json:
    servers = _object(path, document, host.key)
    old = _object(path, servers, name)
    ours: dict[str, str] = made.get("env", {})
    # A token in the other variable would make two, which the server refuses.
    stale = {_DEMO, *_TOKENS} if _TOKENS & set(ours) else {_DEMO}
    kept = {key: value for key, value in _object(path, old, "env").items() if key not in stale}
    new = {**old, **made}
    if "env" in new:
        new["env"] = {**kept, **ours}
    return {**document, host.key: {**servers, name: new}}


def _object(path: Path, parent: Json, key: str) -> Json:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise SetupError(f'"{key}" in {path} is not a JSON object. {_UNTOUCHED}')
    return cast("Json", found)


def _encoded(document: Json, before: bytes) -> bytes:
    """In the file's own manner: its indentation and its line ends."""
    indent = re.search(rb"\n([ \t]+)\"", before)
    text = json.dumps(document, ensure_ascii=False, indent=indent[1].decode() if indent else 2) + "\n"
    # Half of a cut emoji, as JavaScript programs leave it, is no UTF-8; its escape is JSON.
    text = re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    return text.replace("\n", "\r\n" if b"\r\n" in before else "\n").encode()


# shown --------------------------------------------------------------------------------------------------------------


def _picture(document: Json | None, host: Host, names: list[str], old: Json | None = None) -> list[str]:
    """The lines of the file that are ours; the rest is only counted. With `old`, a changed secret says so."""
    if document is None:
        return []
    lines = ["{", *_rest("  ", len(set(document) - {host.key}), "setting")]
    if host.key in document:
        servers: Json = document[host.key]
        lines += [f'  "{host.key}": {{', *_rest("    ", len(set(servers) - set(names)), "server")]
        for name in filter(servers.__contains__, names):
            earlier: Json = (old or {}).get(host.key, {}).get(name, {})
            shown = json.dumps({name: _masked(servers[name], earlier)}, ensure_ascii=False, indent=2)
            lines += [f"  {line}" for line in shown.splitlines()[1:-1]]
        lines.append("  }")
    return [*lines, "}"]


def _rest(indent: str, count: int, noun: str) -> list[str]:
    return [f"{indent}… {count} other {noun}{'' if count == 1 else 's'}, kept and not shown"] if count else []


def _masked(ours: Json, old: Json) -> Json:
    """Our entry with everything hidden that could be a secret: what we write is known, what was there is not."""
    shown = {key: value if key in ("type", "command") else MASK for key, value in ours.items()}
    if isinstance(arguments := ours.get("args"), list):
        shown["args"] = [one if one in _ARGUMENTS else MASK for one in cast("list[Any]", arguments)]
    if isinstance(values := ours.get("env"), dict):
        before: Json = old.get("env", {})
        shown["env"] = {name: _masked_variable(name, one, before) for name, one in cast("Json", values).items()}
    return shown


def _masked_variable(name: str, value: Any, before: Json) -> Any:
    if name in _SETTINGS and name not in _SECRET:
        return value
    return f"{MASK} (changed)" if name in before and before[name] != value else MASK


# files --------------------------------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """The content, or None when there is no file yet.

    Raises: SetupError.
    """
    try:
        if path.exists() and not path.is_file():
            raise SetupError(f"{path} is {'a folder' if path.is_dir() else 'not a file'}. Name a file with --file.")
        return path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise SetupError(
                f"{path} is a link to a file that does not exist. "
                "Make that file or remove the link, then run this again."
            ) from None
        return None
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {_reason(error)}.") from None


def write(planned: Change, now: datetime) -> Path | None:
    """Put the new content in place of the old in one step; the backup's path, when there was something to keep.

    Raises: SetupError, and then the file is as it was.
    """
    try:
        return _replace(planned, planned.path.resolve(), now)  # a link stays a link
    except OSError as error:
        raise SetupError(f"{planned.path} cannot be written: {_reason(error)}. It is as it was.") from None


def _replace(planned: Change, target: Path, now: datetime) -> Path | None:
    mode = 0o600  # a new file: it may hold a token
    if planned.before is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    else:
        mode = stat.S_IMODE(target.stat().st_mode)
        if not mode & stat.S_IWUSR or not os.access(target, os.W_OK):
            raise SetupError(f"{planned.path} is read-only. Make it writable, then run this again.")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(planned.after)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        if read(target) != planned.before:
            raise SetupError(f"{planned.path} was changed by another program meanwhile. Run this again.")
        backup = _back_up(target, planned.before, mode, now) if planned.before else None
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return backup


def _back_up(target: Path, content: bytes, mode: int, now: datetime) -> Path:
    name = f"{target.name}.backup-{now:%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        backup = target.with_name(name if number == 1 else f"{name}-{number}")
        try:
            backup.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        backup.write_bytes(content)
        backup.chmod(mode)
        return backup
    raise AssertionError("unreachable")


def _reason(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else "the system refuses"
