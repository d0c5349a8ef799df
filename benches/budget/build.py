"""Builds the server and its client, and installs the tools."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# The first one is compared, the others are recorded as well.
PROFILES = ("release", "plain")


def client():
    return program("budget-client", "release")


def server(profile):
    return program("budget-server", profile)


def program(name, profile):
    """Builds both, whose links are long, at the same time."""
    run(["cargo", "build", "--profile", profile, "--locked", "--quiet", "--package",
         "slotwork-budget"])
    return TARGET / profile / name


def install(packages):
    script = 'source tests/debian_packages.sh; install_debian_packages "$@"'
    run(["bash", "-c", script, "bash", *packages])


def run(command):
    subprocess.run(command, check=True, cwd=ROOT)
