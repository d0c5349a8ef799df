"""Runs a server under callgrind and strace, with its client beside it."""

import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import build
import callgrind

# glibc would copy long buffers with one instruction, which callgrind counts for each byte, but only
# on processors that do that fast.
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM"}
# Seconds for one run of a server and its client.
PATIENCE = 300


@dataclass(frozen=True)
class Functions:
    """What a unit of the scenario takes, by function and by system call."""
    costs: dict
    calls: dict
    system_calls: dict

    @property
    def allocations(self):
        names = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")
        return sum(self.calls.get(name, 0) for name in names)


def count(server, client, scenario):
    """Returns the scenario's counts, each for one unit."""
    if scenario.work == "idle":
        return {"bytes": int(talk(server, client, scenario, [], 1))}
    functions, _ = profile(server, client, scenario)
    return {
        "instructions": sum(functions.costs.values()),
        "allocations": functions.allocations,
        "system calls": sum(functions.system_calls.values()),
    }


def profile(server, client, scenario):
    """Returns the functions, and the file of the longer run for callgrind_annotate."""
    folder = build.TARGET / "budget"
    folder.mkdir(parents=True, exist_ok=True)
    costs, calls, system_calls = [], [], []
    for rounds in (scenario.rounds, 2 * scenario.rounds):
        out = folder / f"{scenario.name}.callgrind"
        talk(server, client, scenario,
             ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"], rounds)
        for kept, read in zip((costs, calls), callgrind.read(out)):
            kept.append(read)
        table = folder / f"{scenario.name}.strace"
        talk(server, client, scenario, ["strace", "-f", "-c", "-o", table], rounds)
        system_calls.append(read_strace(table))
    units = scenario.rounds * scenario.units
    return Functions(*(per_unit(*pair, units) for pair in (costs, calls, system_calls))), out


def talk(server, client, scenario, tool, rounds):
    """Runs the server below `tool` and the client; returns what the client prints."""
    with tempfile.TemporaryDirectory() as folder:
        options = scenario.client_options(rounds)
        if scenario.is_secure:
            options.append(f"--tls={folder}")
            run_client(client, ["certificate", f"--tls={folder}", "--port=0", "--process=0"])
        command = [*tool, server, *scenario.server]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder,
                              env=ENVIRONMENT) as process:
            number = process.pid
            try:
                port = process.stdout.readline().rstrip("/\n").rsplit(":", 1)[-1]
                number = traced(process) if "strace" in tool else number
                return run_client(client, [*options, f"--port={port}", f"--process={number}"])
            finally:
                end(process, number)


def run_client(client, options):
    return subprocess.run([client, *options], check=True, text=True, timeout=PATIENCE,
                          stdout=subprocess.PIPE).stdout


def traced(process):
    """Returns the id of strace's child."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(children.read_text(encoding="utf-8").split()[0])


def end(process, number):
    """Ends the server; the tools write what they have counted when it is gone."""
    if process.poll() is None:
        # To the server itself, stopped or not: strace ignores it.
        for number_of_signal in (signal.SIGTERM, signal.SIGCONT):
            os.kill(number, number_of_signal)
    process.wait(PATIENCE)


def read_strace(table):
    calls = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    return calls


def per_unit(short, long, units):
    names = short.keys() | long.keys()
    return {name: (long.get(name, 0) - short.get(name, 0)) / units for name in names}
