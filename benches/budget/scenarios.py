"""What is counted: the options of the client and the server, and what a round consists of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    name: str
    # What the client does.
    work: str
    clients: int
    rounds: int
    size: int = 20
    deep: int = 1
    server: tuple = ()

    @property
    def units(self):
        """Messages, recipients or connections of a round."""
        return self.clients * self.deep

    @property
    def is_secure(self):
        return "--tls" in self.server

    def client_options(self, rounds):
        options = {"clients": self.clients, "size": self.size, "deep": self.deep, "rounds": rounds}
        return [self.work, *(f"--{name}={value}" for name, value in options.items())]


SCENARIOS = [
    Scenario("20B-1", "echo", clients=1, rounds=1000),
    Scenario("20B-200", "echo", clients=200, rounds=12),
    Scenario("1KiB-200", "echo", clients=200, rounds=10, size=1 << 10),
    Scenario("16KiB-50", "echo", clients=50, rounds=20, size=16 << 10),
    Scenario("20B-200-16deep", "echo", clients=200, rounds=4, deep=16),
    Scenario("fan-out-200", "fan-out", clients=200, rounds=15, server=("--broadcast",)),
    Scenario("open", "open", clients=20, rounds=10),
    Scenario("open-and-close", "open-and-close", clients=20, rounds=10),
    Scenario("wss-1KiB-32", "echo", clients=32, rounds=60, size=1 << 10, server=("--tls",)),
    Scenario("idle", "idle", clients=10_000, rounds=1),
]
