"""Builds the server and its client, and installs the tools."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# Settings of the profile, and a folder for what is built with them.
PROFILES = {
    "release": ([], TARGET),
    "lto": (['profile.release.lto="fat"', "profile.release.codegen-units=1"], TARGET / "lto"),
}


def client():
    return example("budget-client", "release")


def server(profile):
    return example("budget-server", profile)


def example(name, profile):
    settings, folder = PROFILES[profile]
    config = [part for setting in settings for part in ("--config", setting)]
    run(["cargo", "build", "--release", "--locked", "--quiet", *config, "--target-dir", folder,
         "--example", name])
    return folder / "release" / "examples" / name


def install(packages):
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    run([*as_root, "apt-get", "update", "-qq"])
    run([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
         "--no-install-recommends", *packages])


def run(command):
    subprocess.run(command, check=True, cwd=ROOT)
