"""A line between two network namespaces: this process carries each packet, or does not.

The kernel's own emulation of bad lines (netem) is not in every kernel; a TUN device is.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
NEAR, FAR = "10.9.0.1", "10.9.0.2"


class Link:
    """Carries packets both ways; its qualities may be changed at any time."""

    def __init__(self, near, far, seed):
        self.ends = (near, far)
        self.random = random.Random(seed)
        self.loss, self.delay, self.jitter = 0.0, 0.0, 0.0
        self.largest, self.is_up = 1500, True
        self.under_way = []
        threading.Thread(target=self.carry, daemon=True).start()

    def set(self, loss=0.0, delay=0.0, jitter=0.0, largest=1500, is_up=True):
        """Without arguments, a good line: packets have a delay in seconds, and a size in bytes."""
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.largest, self.is_up = largest, is_up

    def carry(self):
        number = 0
        while True:
            wait = max(0.0, self.under_way[0][0] - time.monotonic()) if self.under_way else 1.0
            for source in select.select(self.ends, [], [], wait)[0]:
                packet = os.read(source, 65536)
                is_lost = self.random.random() < self.loss or len(packet) > self.largest
                if is_lost or not self.is_up:
                    continue
                number += 1
                due = time.monotonic() + self.delay + self.random.uniform(-1, 1) * self.jitter
                target = self.ends[source == self.ends[0]]
                heapq.heappush(self.under_way, (due, number, target, packet))
            while self.under_way and self.under_way[0][0] <= time.monotonic():
                _, _, target, packet = heapq.heappop(self.under_way)
                if self.is_up:
                    os.write(target, packet)


def open_end(address, other):
    """Makes a TUN device in the namespace of this process, and returns its descriptor."""
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
    for command in (["link", "set", "lo", "up"], ["addr", "add", address, "peer", other, "dev", "line"],
                    ["link", "set", "line", "up", "mtu", "1500"]):
        subprocess.run(["ip", *command], check=True)
    return end
