"""Builds the server and its client, and installs the tools."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# The first one is compared, the others are recorded as well.
PROFILES = ("release", "plain")


def client():
    return example("budget-client", "release")


def server(profile):
    return example("budget-server", profile)


def example(name, profile):
    run(["cargo", "build", "--profile", profile, "--locked", "--quiet", "--example", name])
    return TARGET / profile / "examples" / name


def install(packages):
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    run([*as_root, "apt-get", "update", "-qq"])
    run([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
         "--no-install-recommends", *packages])


def run(command):
    subprocess.run(command, check=True, cwd=ROOT)
