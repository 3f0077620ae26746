"""How this installation is started: by a host, which has no PATH, and by a user, who types a command."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

# What a user types to install the program for good. `;` separates commands in POSIX shells and in PowerShell.
INSTALL = "uv tool install liner-mcp"


def launch_command(program: str) -> list[str]:
    """The command that starts this installation without PATH, as hosts do. `program` is `sys.argv[0]`."""
    own = str(Path(program).absolute()) if Path(program).stem == "liner-mcp" else None
    # `which` adds the .exe on Windows, which is missing in argv[0].
    script = (own and shutil.which(own)) or shutil.which("liner-mcp", path=sysconfig.get_path("scripts"))
    return [script] if script else [sys.executable, "-m", "liner_mcp"]


def shell_command(program: str) -> str:
    """The command that starts this program again, as a user types it."""
    if is_cached(Path(sys.prefix)):
        return "uvx liner-mcp"
    return " ".join(f'"{word}"' if " " in word else word for word in launch_command(program))


def install_command(program: str) -> str:
    """The beginning of a line that runs `install`. It installs a cached program first."""
    return f"{INSTALL}; liner-mcp" if is_cached(Path(sys.prefix)) else shell_command(program)


def is_cached(environment: Path) -> bool:
    """Whether this Python environment was made by uvx or `pipx run`, which may delete it at any time.

    Both store their environments in a folder with a CACHEDIR.TAG (https://bford.info/cachedir) or below `.cache`. The
    environment's own tag does not count, because uv writes one into every environment.
    """
    return any(folder.name == ".cache" or (folder / "CACHEDIR.TAG").is_file() for folder in environment.parents)
