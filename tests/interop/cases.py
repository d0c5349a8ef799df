"""The messages, pings and closes that every peer tries."""

from dataclasses import dataclass

Payload = str | bytes
"""A text message or a binary message."""

Close = tuple[int, str]
"""A close code and a close reason."""


@dataclass(frozen=True)
class Message:
    """A message to be echoed."""

    name: str
    payload: Payload
    fragment_size: int = 0
    """The size of its fragments in bytes; with 0 the peer frames it as it likes."""


def _repeated_to(size: int, text: str) -> str:
    """Returns the text again and again, filled up with dots to exactly `size` bytes of UTF-8."""
    copies = size // len(text.encode())
    return (text * copies) + "." * (size - copies * len(text.encode()))


MIB = 1024 * 1024
ALL_BYTES = bytes(range(256))
WORDS = "Grüße, Ελλάδα, 你好, مرحبا"
BEYOND_BMP = "🦀𝄞👩‍🚀"
# 64 KiB and 512 KiB, the sizes at which stacks like to cut, fall within characters of it.
MIB_TEXT = _repeated_to(MIB, WORDS + BEYOND_BMP + WORDS)
MIB_BINARY = ALL_BYTES * (MIB // len(ALL_BYTES))
# Compression makes little of it.
REPETITION = "as long as no other " * 1000

MESSAGES = (
    Message("text", "Hello, world!"),
    Message("empty text", ""),
    Message("text in other scripts", WORDS),
    Message("text beyond U+FFFF", BEYOND_BMP),
    Message("text with control characters", "one\0two\r\nthree\t\x7f\ufeff"),
    Message("every byte value", ALL_BYTES),
    Message("empty binary", b""),
    # RFC 6455 §5.2: a length up to 125 takes 7 bits, up to 65535 16 bits, from there on 64 bits.
    Message("125 bytes", b"\xa5" * 125),
    Message("126 bytes", b"\xa5" * 126),
    Message("65535 bytes", b"\xa5" * 65535),
    Message("65536 bytes", b"\xa5" * 65536),
    Message("1 MiB text", MIB_TEXT),
    Message("1 MiB binary", MIB_BINARY),
    Message("16 MiB binary", MIB_BINARY * 16),
)

FRAGMENTED_MESSAGES = (
    Message("text in fragments", "Hello, world!", 5),
    Message("text cut within its characters", WORDS + BEYOND_BMP, 1),
    Message("binary in fragments", ALL_BYTES, 100),
    Message("1 MiB text in fragments", MIB_TEXT, 65536),
    Message("1 MiB binary in fragments", MIB_BINARY, 65536),
    Message("16 MiB text in fragments", MIB_TEXT * 16, MIB),
)

BURST = tuple(bytes([number]) * number for number in range(100))

# RFC 6455 §5.5: a control frame carries at most 125 bytes.
PINGS = {
    "an empty ping": b"",
    "a ping": b"are you there?",
    "a ping of 125 bytes": ALL_BYTES[-125:],
}

# RFC 6455 §7.4.2: 3000 to 4999 belong to libraries and applications. §5.5: a reason has at most
# 123 bytes.
CLOSES: tuple[Close, ...] = (
    (1000, ""),
    (1000, "done"),
    (3000, "Grüße 🦀"),
    (4001, "bye"),
    (4999, "r" * 123),
)
