#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets: `fuzz/make_corpus.py`.

How each target reads its input is said in `src/testing/fuzzing/`. What a fuzzer finds is added by hand, with a
name that says what it was.
"""

import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).parent / "corpus"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FINAL = 0x80

REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: foo.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(first, payload=b"", key=None):
    """A frame with the shortest length; masked when there is a key."""
    mask_bit = 0 if key is None else 0x80
    if len(payload) < 126:
        header = struct.pack(">BB", first, mask_bit | len(payload))
    elif len(payload) < 65536:
        header = struct.pack(">BBH", first, mask_bit | 126, len(payload))
    else:
        header = struct.pack(">BBQ", first, mask_bit | 127, len(payload))
    if key is None:
        return header + payload
    return header + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def conversations(key):
    """What a peer may send, by name; right and wrong."""
    wrong_key = b"\1\2\3\4" if key is None else None
    mask_bit = 0 if key is None else 0x80
    text = "é€😀 mixed".encode()

    def of(*frames):
        return b"".join(frame(first, payload, key) for first, payload in frames)

    return {
        "empty": b"",
        "text": of((FINAL | TEXT, b"Hello")),
        "text_of_all_widths": of((FINAL | TEXT, text)),
        "binary": of((FINAL | BINARY, bytes(range(256)))),
        "long_length": of((FINAL | BINARY, b"x" * 66_000)),
        "empty_messages": of((FINAL | TEXT, b""), (FINAL | BINARY, b"")),
        "fragments": of((TEXT, text[:1]), (CONTINUATION, b""), (CONTINUATION, text[1:7]), (FINAL, text[7:])),
        "control_frames_between": of(
            (BINARY, b"ab"), (FINAL | PING, b"ping"), (CONTINUATION, b"cd"), (FINAL | PONG, b""), (FINAL, b"ef")
        ),
        "many_messages": of(*[(FINAL | TEXT, b"%d" % number) for number in range(40)]),
        "many_fragments": of((TEXT, b"1"), *[(CONTINUATION, b"1")] * 20, (FINAL, b"1")),
        "pings": of(*[(FINAL | PING, b"p" * length) for length in (0, 1, 125)]),
        "close": of((FINAL | TEXT, b"before"), (FINAL | CLOSE, b"\x03\xe8bye"), (FINAL | TEXT, b"behind")),
        "close_without_code": of((FINAL | CLOSE, b"")),
        "close_with_half_a_code": of((FINAL | CLOSE, b"\x03")),
        "close_with_a_forbidden_code": of((FINAL | CLOSE, b"\x03\xed")),
        "close_with_a_broken_reason": of((FINAL | CLOSE, b"\x03\xe8\xff")),
        "close_inside_a_message": of((TEXT, b"a"), (FINAL | CLOSE, b"\x03\xe9")),
        "invalid_text": of((FINAL | TEXT, b"fine \xff")),
        "invalid_text_in_fragments": of((TEXT, b"\xed"), (FINAL, b"\xa0\x80")),
        "text_that_ends_in_a_character": of((TEXT, b"\xf0\x9f"), (FINAL, b"\x98")),
        "reserved_bits": of((FINAL | 0x40 | TEXT, b"a")),
        "reserved_opcode": of((FINAL | 3, b"")),
        "fragmented_ping": of((PING, b"a")),
        "long_ping": of((FINAL | PING, b"a" * 126)),
        "nothing_to_continue": of((FINAL | CONTINUATION, b"a")),
        "message_inside_another": of((TEXT, b"a"), (FINAL | TEXT, b"b")),
        "wrongly_masked": frame(FINAL | TEXT, b"a", wrong_key),
        "long_encoding_of_16_bits": bytes([FINAL | TEXT, mask_bit | 126, 0, 5]),
        "long_encoding_of_64_bits": bytes([FINAL | TEXT, mask_bit | 127]) + struct.pack(">Q", 5),
        "top_bit_of_the_length": bytes([FINAL | BINARY, mask_bit | 127]) + struct.pack(">Q", 1 << 63),
        "too_big": bytes([FINAL | BINARY, mask_bit | 127]) + struct.pack(">Q", 1 << 40),
        "cut_in_the_header": of((FINAL | BINARY, b"x" * 300))[:3],
        "cut_in_the_payload": of((FINAL | TEXT, text))[:-3],
    }


def frames(key):
    """The bytes behind the third choose limits, reads and frame size; the limits matter to some."""
    table = {}
    for number, (name, wire) in enumerate(conversations(key).items()):
        table[name] = bytes([0, number, 7]) + wire
    for limits in (1, 2, 3):
        for name in ("fragments", "binary", "many_fragments"):
            table[f"{name}_with_limits_{limits}"] = bytes([limits, 0, 0]) + conversations(key)[name]
    return table


def heads():
    """Requests, right and wrong; the first byte says how they are cut."""

    def changed(old, new):
        assert old in REQUEST
        return REQUEST.replace(old, new, 1)

    def more(*lines):
        return changed(b"\r\n\r\n", b"".join(b"\r\n" + line for line in lines) + b"\r\n\r\n")

    table = {
        "least": REQUEST,
        "frames_behind": REQUEST + frame(FINAL | TEXT, b"Hello", b"\1\2\3\4"),
        "empty_line_before": b"\r\n" + REQUEST,
        "two_empty_lines_before": b"\r\n\r\n" + REQUEST,
        "absolute_target": changed(b"/chat", b"ws://user@foo.com:80/chat?a=b"),
        "absolute_target_without_path": changed(b"/chat", b"ws://foo.com?a=b"),
        "target_to_escape": changed(b"/chat", b'/"<>\\^`{|}'),
        "asterisk": changed(b"/chat", b"*"),
        "fragment": changed(b"/chat", b"/chat#here"),
        "browser": more(
            b"Origin: https://foo.com",
            b"Sec-WebSocket-Protocol: chat, superchat",
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            b"User-Agent: Mozilla/5.0",
            b"Cookie: a=b",
        ),
        "two_connection_lines": changed(b"Connection: Upgrade", b"Connection: keep-alive\r\nconnection: UPGRADE"),
        "token_lists": changed(b"Upgrade: websocket", b"Upgrade: h2c , , WebSocket"),
        "ipv6_host": changed(b"foo.com", b"[::1]:8080"),
        "no_host": changed(b"Host: foo.com\r\n", b""),
        "two_hosts": more(b"Host: bar.com"),
        "short_key": changed(b"dGhl", b""),
        "two_keys": more(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "version_8": changed(b"13\r\n", b"8\r\n"),
        "version_013": changed(b"13\r\n", b"013\r\n"),
        "post": changed(b"GET", b"POST"),
        "head": changed(b"GET", b"HEAD"),
        "http_1_0": changed(b"HTTP/1.1", b"HTTP/1.0"),
        "http_2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "plain_http": b"GET / HTTP/1.1\r\nHost: foo.com\r\n\r\n",
        "body": more(b"Content-Length: 5"),
        "chunked": more(b"Transfer-Encoding: chunked"),
        "empty_bodies": more(b"Content-Length: 0", b"Content-Length: 00"),
        "folded_line": more(b"X: a", b" b"),
        "space_before_colon": more(b"X : a"),
        "bare_lf": REQUEST.replace(b"\r\n", b"\n"),
        "bare_cr": more(b"X: a\rb"),
        "nul": more(b"X: a\0b"),
        "latin_1": more(b"X: caf\xe9"),
        "empty_values": more(b"X:", b"Y: \t "),
        "protocol_twice": more(b"Sec-WebSocket-Protocol: a, b, a"),
        "cut": REQUEST[:-1],
        "most_headers": more(*[b"X: a"] * 95),
        "one_header_too_many": more(*[b"X: a"] * 96),
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "utf_8_in_the_target": changed(b"/chat", "/é?q=\U0001f600".encode()),
        "utf_8_that_breaks_off": changed(b"/chat", b"/\xc3"),
        "key_with_unused_bits": changed(b"dGhlIHNhbXBsZSBub25jZQ==", b"AQIDBAUGBwgJCgsMDQ4PEC=="),
        "expectation": more(b"Expect: 100-continue"),
        "longest_header": more(b"Cookie: " + b"c" * (16 * 1024 - 8)),
        "header_too_long": more(b"Cookie: " + b"c" * (16 * 1024 - 7)),
    }
    return {name: bytes([number * 7 % 256]) + head for number, (name, head) in enumerate(table.items())}


def both_roles():
    """What a client and a server send, within each of the limits."""
    table = {}
    for number, (name, wire) in enumerate(conversations(b"\x37\xfa\x21\x3d").items()):
        table[name] = bytes([number % 4, 7 * number % 256]) + wire[:8000]
    for number, (name, wire) in enumerate(conversations(None).items()):
        table[f"{name}_of_a_server"] = bytes([0x80 | (number + 1) % 4, 7 * number % 256]) + wire[:8000]
    return table


def requests_and_answers():
    """The first byte is even for a request, odd for an answer, which it also cuts into pieces."""
    good = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    answers = {
        "good": good,
        "subprotocol": good.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        "extension": good.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        "two_keys": good.replace(b"Sec-", b"Sec-WebSocket-Accept: x\r\nSec-"),
        "frames_behind": good + frame(FINAL | TEXT, b"Hello"),
        "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good,
        "folded": good.replace(b": websocket", b":\r\n websocket").replace(b": Upgrade", b": keep-alive,\n\t Upgrade "),
        "bare_lf": good.replace(b"\r\n", b"\n"),
        "bare_cr": good.replace(b"Switching ", b"Switching\r"),
        "http_1_0": good.replace(b"1.1", b"1.0"),
        "no_reason": good.replace(b" Switching Protocols", b""),
        "not_found": b"HTTP/1.1 404 Not Found\r\nServer: x\r\nX:\r\n\r\nbody",
        "cut": good[:-2],
        "not_http": b"SSH-2.0-x\r\n\r\n",
    }
    table = {name: b"\0" + head[1:8000] for name, head in heads().items()}
    for number, (name, answer) in enumerate(answers.items()):
        table[f"answer_{name}"] = bytes([number * 17 % 256 | 1]) + answer
    return table


def compressed():
    """Compressed frames; the first bytes choose role, limits, history, reads and frame size."""
    key = b"\x37\xfa\x21\x3d"
    rsv1 = 0x40
    hello, again = b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00"

    def deflate(data, flush=zlib.Z_SYNC_FLUSH, level=6):
        stream = zlib.compressobj(level, wbits=-15)
        return (stream.compress(data) + stream.flush(flush)).removesuffix(b"\0\0\xff\xff")

    chat = b'{"id":1,"text":"' + b" ".join(b"word%d" % (number % 17) for number in range(60)) + b'"}'
    wires = {
        "hello": [(FINAL | rsv1 | TEXT, hello)],
        "history": [(FINAL | rsv1 | TEXT, hello), (FINAL | TEXT, b"plain"), (FINAL | rsv1 | TEXT, again)],
        "stored": [(FINAL | rsv1 | TEXT, b"\0\5\0\xfa\xffHello\0")],
        "final_block": [(FINAL | rsv1 | TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\0\0"), (FINAL | rsv1 | TEXT, hello)],
        "two_blocks": [(FINAL | rsv1 | TEXT, b"\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0")],
        "empty": [(FINAL | rsv1 | BINARY, b"\0"), (FINAL | rsv1 | TEXT, b"")],
        "fragments": [(rsv1 | TEXT, hello[:2]), (FINAL | PING, b"p"), (0, hello[2:4]), (FINAL, hello[4:])],
        "bit_in_continuation": [(rsv1 | TEXT, hello[:2]), (FINAL | rsv1, hello[2:])],
        "bit_in_ping": [(FINAL | rsv1 | PING, b"")],
        "chat": [(FINAL | rsv1 | TEXT, deflate(chat))] * 3,
        "chat_fast": [(FINAL | rsv1 | TEXT, deflate(chat, level=1)), (FINAL | TEXT, chat)],
        "chat_finished": [(FINAL | rsv1 | TEXT, deflate(chat, zlib.Z_FINISH) + b"\0")] * 2,
        "chat_in_fragments": [(rsv1 | TEXT, deflate(chat)[:40]), (0, deflate(chat)[40:80]), (FINAL, deflate(chat)[80:])],
        "bomb": [(FINAL | rsv1 | BINARY, deflate(bytes(200_000)))],
        "violation_behind": [(FINAL | rsv1 | BINARY, deflate(bytes(200_000))), (FINAL | 0x20 | TEXT, b"")],
        "cut": [(FINAL | rsv1 | TEXT, deflate(chat)[:-9])],
        "final_blocks": [(FINAL | rsv1 | TEXT, b"\3\0" * 200)],
        "not_text": [(FINAL | rsv1 | TEXT, deflate(b"\xff" * 100))],
        "close_behind": [(FINAL | rsv1 | TEXT, hello), (FINAL | CLOSE, b"\3\xe8"), (FINAL | rsv1 | TEXT, hello)],
    }
    table = {}
    for number, (name, said) in enumerate(wires.items()):
        wire = b"".join(frame(first, payload, key) for first, payload in said)
        table[name] = bytes([0, number, 7]) + wire
        table[f"{name}_with_history"] = bytes([(number % 7 + 1) << 2, number, 90]) + wire
        server_wire = b"".join(frame(first, payload) for first, payload in said)
        table[f"{name}_of_a_server"] = bytes([0x80 | 7 << 2 | number % 3, number, 20]) + server_wire
    return table


def extensions():
    """Headers with offers or an answer; the first byte chooses the histories of server and client."""
    names = {
        b"SNC": b"server_no_context_takeover",
        b"CNC": b"client_no_context_takeover",
        b"SMB": b"server_max_window_bits",
        b"CMB": b"client_max_window_bits",
        b"PMD": b"permessage-deflate",
    }
    headers = {
        "none": b"",
        "firefox": b"PMD",
        "chromium": b"PMD; CMB",
        "own_offer": b"PMD; SNC; CNC; CMB",
        "own_offers_with_history": b"PMD; CMB; SMB=12, PMD; CMB, PMD; CNC; CMB",
        "windows": b"PMD; SMB=10; CMB=9",
        "smallest_windows": b"PMD; SMB=8, PMD; CMB=8",
        "quoted": b'PMD; SMB="10"; CMB="1\\5"',
        "spaces": b"\t PMD ;\tSMB = 15 ;CMB ,, ",
        "lines": b"foo\nPMD; SMB=9\n\nbar, PMD",
        "others": b"x-webkit-deflate-frame, permessage-bzip2; a=b, PMD; SNC",
        "doubled": b"PMD; SNC; SNC, PMD; SMB=9; SMB=9, PMD; CMB; CMB=9, PMD",
        "twice": b"PMD; SNC, PMD",
        "unknown": b"PMD; unknown, PMD; SNC=1, PMD; SMB",
        "out_of_range": b"PMD; SMB=7, PMD; SMB=16, PMD; SMB=09, PMD; CMB=256, PMD; CMB=0",
        "open_quotation": b'PMD; SMB="10',
        "quoted_separator": b'PMD; SMB="1,0"; a="b;c"',
        "empty_parameter": b"PMD;",
        "empty_value": b'PMD; SMB=, PMD; CMB=""',
        "escaped_end": b'PMD; SMB="10\\"',
        "two_names": b"PMD SNC",
        "not_ascii": b"PMD; \xc3\xa9",
    }
    table = {}
    for number, (name, header) in enumerate(headers.items()):
        for short, long in names.items():
            header = header.replace(short, long)
        table[name] = b"\0" + header
        # Histories of all sizes, and at times no budget.
        table[f"{name}_with_history"] = bytes([(number * 37 + 9) % 256]) + header
    return table


# The steps of a script, see `src/testing/fuzzing/connection_script.rs`.
ARRIVE, ARRIVE_256, ROOM, ROOM_4096, SEND_TEXT, SEND_256, SEND_PING, CLOSE_IT = range(8)
CONTROL, SEND_PREPARED, START, ADVANCE, IN_VAIN, END, FAIL_READING, FAIL_WRITING = range(8, 16)
BATCHED = 0x80
ABORT, FRAME_SIZE, FLUSH = (CONTROL, 0), (CONTROL, 1), (CONTROL, 3)
DROP_NEWEST, DROP_OLDEST, KEEP_LATEST = (CONTROL, 6), (CONTROL, 10), (CONTROL, 14)
CHECK_ALIVE = (ADVANCE, 255)
NOT_TAKEN, NO_ROOM, FRAMES, CLIENT = 0x08, 0x10, 0x20, 0x40
NOTHING, ECHO, BIG, ECHO_FLUSH, SUSPEND, ECHO_CLOSE, ABORT_IT, STREAM = range(8)


def connections():
    """Scripts with what a client may send, or a server."""
    wires = conversations(b"\x37\xfa\x21\x3d")
    server_wires = conversations(None)

    def script(wire, settings, *steps, leftover=0):
        said = (server_wires if settings & CLIENT else wires)[wire]
        return bytes([settings, leftover, len(steps)]) + b"".join(map(bytes, steps)) + said

    def slow_reader(policy, settings):
        sends = [(SEND_256, 1), (SEND_PREPARED, 1), (SEND_PING, 3), (SEND_TEXT, 200)] * 3
        return script("text", settings | NO_ROOM, (ROOM, 1), policy, *sends, (ROOM, 255), *sends, (CLOSE_IT, 0), (ROOM_4096, 9))

    table = {f"echo_{name}": script(name, ECHO) for name in wires if name != "long_length"}
    table |= {
        "echo_without_room": script("many_messages", ECHO | NO_ROOM, (ARRIVE, 100), (ROOM, 5), (ARRIVE, 200), (ROOM, 1)),
        "big_answers": script("many_messages", BIG | NO_ROOM, (ARRIVE, 255), (ROOM_4096, 5), (ROOM_4096, 50)),
        "flushed_answers": script("many_messages", ECHO_FLUSH | NO_ROOM, (ARRIVE, 100), (ROOM, 200)),
        "suspended_turns": script("many_messages", SUSPEND, (ARRIVE, 100), (ARRIVE, 100)),
        "closing_slot": script("many_messages", ECHO_CLOSE, (ARRIVE, 30)),
        "aborting_slot": script("many_messages", ABORT_IT, (ARRIVE, 30)),
        "stream": script("pings", STREAM | NO_ROOM, (SEND_TEXT, 1), (ROOM, 9), (ROOM_4096, 9), (ARRIVE, 50), (ROOM_4096, 50)),
        "stream_to_the_end": script("text", STREAM, (ARRIVE, 255)),
        "leftover": script("many_messages", ECHO, leftover=100),
        "leftover_before_it_is_taken": script("close", ECHO | NOT_TAKEN, (ARRIVE, 5), (START, 0), leftover=7),
        "never_taken": script("text", ECHO | NOT_TAKEN, (ARRIVE, 255), (CLOSE_IT, 0)),
        "sends": script("empty", NO_ROOM, (SEND_TEXT, 9), (SEND_PING, 4), (SEND_256, 70), FLUSH, (ROOM_4096, 1)),
        "sends_in_one_batch": script("text", ECHO, (SEND_256 | BATCHED, 63), (SEND_256 | BATCHED, 65), (SEND_TEXT, 1)),
        "pings_without_room": script("pings", NO_ROOM, (SEND_256, 1), (ARRIVE, 255), (ROOM, 100), (ROOM_4096, 1)),
        "closing": script("close", NOTHING, (SEND_TEXT, 3), (CLOSE_IT, 0), (ARRIVE, 255)),
        "closing_without_room": script("close", NO_ROOM, (SEND_256, 3), (CLOSE_IT, 1), (END, 0), (ROOM_4096, 9)),
        "closing_times_out": script("text", NOTHING, (CLOSE_IT, 0), (ADVANCE, 49), (ADVANCE, 1)),
        "writing_times_out": script("text", NO_ROOM, (SEND_TEXT, 9), (ADVANCE, 99), (ROOM, 1), (ADVANCE, 99), (ADVANCE, 1)),
        "draining_times_out": script("close", NOTHING, (ARRIVE, 255), (ADVANCE, 19), (ADVANCE, 1)),
        "room_in_batches": script("empty", NO_ROOM, *[(SEND_256 | BATCHED, 255), (ROOM_4096 | BATCHED, 8)] * 31),
        "abort": script("many_messages", ECHO, (ARRIVE, 30), (CONTROL | BATCHED, 0), (ARRIVE, 30)),
        "end_inside_a_message": script("cut_in_the_payload", ECHO, (ARRIVE, 12), (END, 0)),
        "reading_fails": script("many_messages", ECHO, (ARRIVE, 30), (FAIL_READING, 0)),
        "reading_fails_while_closing": script("many_messages", ECHO, (CLOSE_IT, 0), (ARRIVE, 30), (FAIL_READING, 2)),
        "writing_fails": script("many_messages", ECHO, (ARRIVE, 30), (FAIL_WRITING, 4), (ARRIVE, 255)),
        "writing_fails_at_once": script("many_messages", BIG, (FAIL_WRITING | BATCHED, 9), (ARRIVE, 30)),
        "interruptions": script("many_messages", ECHO, (IN_VAIN, 3), (ARRIVE, 30), (IN_VAIN, 1), FLUSH),
        "frames": script("fragments", ECHO | FRAMES, (ARRIVE, 9), (ARRIVE, 20)),
        "frames_with_pings": script("control_frames_between", ECHO | FRAMES),
        "prepared": script("text", NO_ROOM, (SEND_PREPARED, 1), (SEND_PREPARED, 70), (ROOM, 100), (SEND_PREPARED, 70), (ROOM_4096, 50)),
        "short_frames": script("text", ECHO, FRAME_SIZE, (SEND_256, 70), (SEND_PREPARED, 1), (ARRIVE, 255)),
        "keepalive": script("text", ECHO, *[CHECK_ALIVE] * 6, (ARRIVE, 255), *[CHECK_ALIVE] * 10),
        "late_pong_and_close": script("pings", NO_ROOM, (SEND_256, 1), (ARRIVE, 255), (CLOSE_IT, 0), (ROOM, 200), (ROOM_4096, 9)),
        "late_pong_and_both_close": script("close", NO_ROOM, (SEND_256, 1), (ARRIVE, 255), (ROOM, 200), (ROOM_4096, 9)),
        "news_in_vain": script("many_messages", ECHO | NO_ROOM, (IN_VAIN, 0), (ARRIVE, 30), (IN_VAIN, 0), (ROOM, 9)),
    }
    table |= {f"client_{name}": script(name, ECHO | CLIENT, (ARRIVE, 30)) for name in wires if name != "long_length"}
    table |= {
        "client_sends": script("empty", NO_ROOM | CLIENT, (SEND_TEXT, 9), (SEND_256, 70), FRAME_SIZE, (SEND_256, 70), (ROOM_4096, 1)),
        "drop_newest": slow_reader(DROP_NEWEST, NOTHING),
        "drop_oldest": slow_reader(DROP_OLDEST, NOTHING),
        "keep_latest": slow_reader(KEEP_LATEST, NOTHING),
        "client_drop_oldest": slow_reader(DROP_OLDEST, CLIENT),
    }
    return table


def proxy_headers():
    """Headers of load balancers, and those of HTTP proxies; the first byte chooses, and cuts."""
    signature = b"\r\n\r\n\0\r\nQUIT\n"

    def binary(command, family, addresses, *fields):
        rest = addresses + b"".join(struct.pack(">BH", kind, len(value)) + value for kind, value in fields)
        return signature + struct.pack(">BBH", command, family, len(rest)) + rest

    ipv4 = b"\1\1\1\1\2\2\2\2\0\x50\1\xbb"
    ipv6 = b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1" + b"\0" * 15 + b"\1" + b"\0\x50\1\xbb"
    headers = {
        "line": b"PROXY TCP4 1.1.1.1 2.2.2.2 80 443\r\n" + REQUEST,
        "line_ipv6": b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n",
        "line_mapped": b"PROXY TCP6 ::ffff:1.1.1.1 ::1 1 2\r\nG",
        "line_unknown": b"PROXY UNKNOWN\r\nGET",
        "line_unknown_with_addresses": b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
        "line_longest": b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n",
        "line_too_long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
        "line_with_plus": b"PROXY TCP4 1.1.1.1 2.2.2.2 +80 443\r\n",
        "line_with_spaces": b"PROXY TCP4 1.1.1.1  2.2.2.2 80 443\r\n",
        "line_cut": b"PROXY TCP4 1.1.1.1 2.2",
        "binary": binary(0x21, 0x11, ipv4) + REQUEST,
        "binary_ipv6": binary(0x21, 0x21, ipv6),
        "binary_with_fields": binary(0x21, 0x11, ipv4, (4, b""), (2, b"chat.example"), (0x20, b"\0" * 8)),
        "binary_with_a_broken_field": binary(0x21, 0x11, ipv4 + b"\2\xff\xff"),
        "binary_local": binary(0x20, 0, b"") + REQUEST,
        "binary_local_with_addresses": binary(0x20, 0x11, ipv4),
        "binary_unspecified": binary(0x21, 0, b"\0" * 7),
        "binary_unix": binary(0x21, 0x31, b"/" * 216),
        "binary_datagram": binary(0x21, 0x12, ipv4),
        "binary_short": binary(0x21, 0x11, ipv4[:11]),
        "binary_version_1": binary(0x11, 0x11, ipv4),
        "binary_command_2": binary(0x22, 0x11, ipv4),
        "binary_longest": binary(0x20, 0, b"\0" * 4080),
        "binary_too_long": binary(0x20, 0, b"\0" * 4081),
        "binary_cut": binary(0x21, 0x11, ipv4)[:-1],
        "request": REQUEST,
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "nothing": b"",
    }
    lines = {
        "list": b"X-Forwarded-For: 9.9.9.9, 1.1.1.1, 10.0.0.2",
        "lines": b"X-Forwarded-For: unknown\r\nx-forwarded-for: [2001:db8::1]:443\r\nX-Forwarded-For: 10.0.0.2:1",
        "forwarded": b'Forwarded: for=9.9.9.9;proto=https, For="[2001:db8::1]:_port";by=10.0.0.1',
        "forwarded_quoted": b'Forwarded: for="9.9.9.9, for=\\"1.1.1.1";host="a,b;c", for="10.0.0.2:80"',
        "forwarded_unfinished": b'Forwarded: for="9.9.9.9, for=1.1.1.1\r\nForwarded: for=10.0.0.2',
        "forwarded_twice": b"Forwarded: for=1.1.1.1;for=2.2.2.2",
        "hidden": b"Forwarded: for=1.1.1.1, for=_hidden",
        "both": b"Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 1.1.1.1",
        "contradiction": b"X-Forwarded-For: 2.2.2.2\r\nForwarded: for=1.1.1.1",
        "empty": b"X-Forwarded-For: , ,\r\nForwarded:",
        "mapped": b"X-Forwarded-For: ::ffff:1.1.1.1, ::ffff:10.0.0.2",
        "not_ascii": b"X-Forwarded-For: 1.1.1.1\xe9",
        "none": b"X-Real-IP: 1.1.1.1",
    }
    table = {name: bytes([number * 5 % 128]) + header for number, (name, header) in enumerate(headers.items())}
    return table | {f"http_{name}": b"\x80" + text for name, text in lines.items()}


def channel_messages():
    """Messages of a page with a web channel; right and wrong."""
    call = b'{"type":6,"object":"chat","method":"send","args":%s,"id":1}'
    return {
        "init": b'{"type":3,"id":0}',
        "idle": b'{"type":4}',
        "debug": b'{"type":5,"data":"a text"}',
        "call": call % b'["ann",1.5,{"a":[null,true]}]',
        "call_by_index": b'{"type":6,"object":"chat","method":3,"args":[],"id":{"a":1}}',
        "call_escaped": b'{"type":6,"object":"ch\\u0061t","method":"a\\"b","id":"x"}',
        "reference": call % b'[{"id":"chat","__QObject*__":true}]',
        "forged": call % b'[[{"a":{"__QObject*__":true,"id":"x","data":{}}}]]',
        "forged_escaped": call % b'[{"\\u005f_QObject*__":true,"id":"x"}]',
        "forged_twice": call % b'[{"__QObject*__":true,"__QObject*__":false}]',
        "connect": b'{"type":7,"object":"chat","signal":1}',
        "disconnect": b'{"type":8,"object":"chat","signal":1}',
        "write": b'{"type":9,"object":"chat","property":0,"value":"new"}',
        "numbers": call % b"[1e308,-0.0,18446744073709551615,-9223372036854775808,1E-400]",
        "deep": call % (b"[" * 130 + b"]" * 130),
        "not_json": b"{",
    }


def main():
    corpora = {
        "head": heads(),
        "compressed": compressed(),
        "extensions": extensions(),
        "frames_server": frames(b"\x37\xfa\x21\x3d"),
        "frames_client": frames(None),
        "connection": connections(),
        "proxy_header": proxy_headers(),
        "httparse": requests_and_answers(),
        "tungstenite": both_roles(),
        "webchannel": channel_messages(),
    }
    for target, files in corpora.items():
        directory = CORPUS / target
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)


main()
