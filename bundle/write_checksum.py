"""Write the SHA-256 of the bundle into server.json, as a release does: write_checksum.py BUNDLE SERVER_JSON."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def main(bundle: Path, registry_file: Path) -> None:
    server = json.loads(registry_file.read_text(encoding="utf-8"))
    (package,) = [one for one in server["packages"] if one["registryType"] == "mcpb"]
    package["fileSha256"] = hashlib.sha256(bundle.read_bytes()).hexdigest()
    registry_file.write_text(json.dumps(server, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
