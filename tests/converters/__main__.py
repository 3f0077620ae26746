"""Feeds `tools/list` through the code that real function-calling clients convert tools with. Offline, without a key.

    .venv/bin/python -m tests.converters
    .venv/bin/python -m tests.converters google-genai --tools tools.json

Each converter has an environment of its own, because their requirements collide. They are kept in `.venv/converters`,
so only the first run needs a network. A converter that cannot be installed is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from tests.converters.comparing import BOUNDS, differences
from tests.support import snapshots

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENTS = ROOT / ".venv" / "converters"
AT_ONCE = 2  # installing is work for a processor too, and small machines have two
INSTALL_SECONDS = 300  # the largest takes half a minute; a network that drops packets must not hold a build up
CONVERT_SECONDS = 120  # the slowest takes five
SHOWN = 300  # characters of a fault: some libraries quote the whole schema


@dataclass(frozen=True, slots=True)
class Converter:
    """A package, its version, and per way of converting the keywords that it never keeps, whatever the schema is."""

    name: str
    requirement: str
    ways: dict[str, frozenset[str]]

    @property
    def module(self) -> str:
        return f"tests.converters.convert_{self.name.replace('-', '_')}"

    @property
    def python(self) -> Path:
        return ENVIRONMENTS / self.name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


ALL: frozenset[str] = frozenset()  # every keyword is kept
# The versions are exact, so that a build fails for a change of ours. Raise them together with a look at what changed.
CONVERTERS = (
    Converter(
        "google-genai",
        "google-genai==3.6.1",
        {"mcp_to_gemini_tool": frozenset({"minItems", "maxItems"}), "Schema.from_json_schema": ALL},
    ),
    Converter("openai-agents", "openai-agents==0.24.0", {"strict": ALL, "not strict": ALL}),
    Converter(
        "langchain-google-genai",
        "langchain-google-genai==4.4.3",
        {"OpenAI": ALL, "Gemini": frozenset(BOUNDS)},
    ),
    Converter("litellm", "litellm==1.110.2", {"Gemini": ALL, "Anthropic": ALL, "Bedrock": ALL}),
    Converter(
        "pydantic-ai",
        "pydantic-ai-slim==2.68.0",
        {"Gemini": ALL, "Gemini Live": ALL, "OpenAI": ALL, "OpenAI strict": ALL},
    ),
)


def install(converter: Converter) -> str:
    """Make the environment of a converter unless it is there; why it could not be made, else an empty text."""
    folder = ENVIRONMENTS / converter.name
    done, made_of = folder / "made_of", f"{converter.requirement} {sys.version} {sys.base_prefix}"
    if done.is_file() and done.read_text(encoding="utf-8") == made_of:
        return ""
    pip = [sys.executable, "-m", "pip", "--python", str(converter.python), "install", "-q", "--no-compile"]
    network = ["--retries", "1", "--timeout", "30", "--disable-pip-version-check", "--no-input"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)],
        [*pip, *network, converter.requirement],
    ):
        try:
            _run(command, "", INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            return (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        except subprocess.TimeoutExpired:
            return f"not installed within {INSTALL_SECONDS} s"
    done.write_text(made_of, encoding="utf-8")
    return ""


def check(converter: Converter, tools: list[dict[str, Any]]) -> list[str]:
    """What goes wrong when `tools` are converted, one line for each fault."""
    try:
        made = json.loads(_run([str(converter.python), "-m", converter.module], json.dumps(tools), CONVERT_SECONDS))
    except subprocess.CalledProcessError as error:
        return [f"the conversion ended with an error: {error.stderr.strip()[-1_000:]}"]
    except subprocess.TimeoutExpired:
        return [f"the conversion took over {CONVERT_SECONDS} s"]
    faults = [f"{way}: not tried" for way in converter.ways if way not in made]
    for way, results in made.items():
        for tool in tools:
            result = results[tool["name"]]
            wrong = [result["error"]] if "error" in result else result["complaints"]
            if "definition" in result:
                wrong = [*wrong, *differences(tool, result["definition"], converter.ways[way])]
            faults += [f"{way}, {tool['name']}: {fault[:SHOWN]}" for fault in wrong]
    return faults


def _run(command: list[str], given: str, seconds: float) -> str:
    environment = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or litellm asks for a remote list of prices at import
        "PYTHONDONTWRITEBYTECODE": "",  # compiled code makes the second run three times as fast
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
        check=True,
    )
    return done.stdout


async def _listed() -> list[dict[str, Any]]:
    return (await snapshots.surface())["tools"]


def main() -> int:
    """Check the converters that were named, else all; 1 if one of them loses a part of a tool."""
    parser = argparse.ArgumentParser(description="Check that real converters keep every tool and parameter.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="converters; all without a name")
    parser.add_argument("--tools", type=Path, help="a JSON file with the tools of a tools/list, instead of ours")
    chosen = parser.parse_args()
    known = {converter.name: converter for converter in CONVERTERS}
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"there is no converter {', '.join(unknown)}; there are {', '.join(known)}")
    asked = [known[name] for name in chosen.names or known]
    tools = json.loads(chosen.tools.read_text(encoding="utf-8")) if chosen.tools else anyio.run(_listed)
    parameters = sum(len(tool["inputSchema"]["properties"]) for tool in tools)
    print(f"Converting {len(tools)} tools with {parameters} parameters:")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(partial(_tried, tools), asked))
    print("\n".join(line for lines, _ in outcomes for line in lines))
    return 1 if any(faulty for _, faulty in outcomes) else 0


def _tried(tools: list[dict[str, Any]], converter: Converter) -> tuple[list[str], bool]:
    """What there is to say of a converter, and whether it loses anything."""
    if reason := install(converter):
        return [f"skipped {converter.requirement}: {reason}"], False
    faults = check(converter, tools)
    state = "FAILED" if faults else "passed"
    ways = ", ".join(converter.ways)
    return [f"{state}  {converter.requirement} ({ways})", *(f"        {fault}" for fault in faults)], bool(faults)


if __name__ == "__main__":
    sys.exit(main())
