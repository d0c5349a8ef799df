"""The messages that a page sends to both channels, and how their answers are made comparable."""

from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

# Answers come within this time, in seconds; Qt sends property updates after 50 ms.
QUIET = 0.3

RESPONSE, SIGNAL, UPDATE = 10, 1, 2


class Page:
    """A page, by its messages: names in the place of indices, whose values differ."""

    def __init__(self, exchange: Callable[[Message], list[Message]]) -> None:
        self._exchange = exchange
        self._classes: dict[str, Message] = {}
        # Ids are random.
        self._item = ""
        self._next_id = 0

    def run(self) -> dict[str, list[Any]]:
        """Takes all steps; returns what came after each."""
        call = self._call
        return {
            "init": self._send(type=3, id=self._id()),
            "idle": self._send(type=4),
            "a call": call("chat", "add", 2, 3),
            "a void call": call("chat", "nothing"),
            "a call by index": call("chat", self._method("nothing")),
            "too few arguments": call("chat", "add", 2),
            "an unknown method": call("chat", "none"),
            "an unknown object": call("none", "add", 2, 3),
            "a signal that is not connected": call("chat", "say", "hello"),
            "connecting": self._send(type=7, object="chat", signal=self._signal("said")),
            "a signal": call("chat", "say", "hello"),
            "disconnecting": self._send(type=8, object="chat", signal=self._signal("said")),
            "a signal that is disconnected": call("chat", "say", "hello"),
            "a write": self._write("topic", "new"),
            "idle after a write": self._send(type=4),
            "a refused write": self._write("topic", ""),
            "idle after a refused write": self._send(type=4),
            "a write of a constant": self._write("version", "2.0"),
            "idle after a constant": self._send(type=4),
            "three changes": call("chat", "countTo", 3),
            "changes of a busy client": call("chat", "countTo", 5),
            "its idle": self._send(type=4),
            "idle again": self._send(type=4),
            "an object": call("chat", "makeItem", "ann"),
            "a call of the object": call(self._item, "shout"),
            "its end": call(self._item, "deleteLater"),
            "a registered object's end": call("chat", "deleteLater"),
            "broken": self._send(type=99),
            "a text": self._send(type=5, data="a text"),
        }

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _call(self, target: str, called: str | int, *args: object) -> list[Any]:
        message = {"object": target, "method": called, "args": args}
        return self._send(type=6, id=self._id(), **message)

    def _write(self, name: str, value: object) -> list[Any]:
        properties = self._classes["chat"]["properties"]
        index = next(index for index, other, *_ in properties if other == name)
        return self._send(type=9, object="chat", property=index, value=value)

    def _method(self, name: str) -> int:
        return dict(self._classes["chat"]["methods"])[name]

    def _signal(self, name: str) -> int:
        return dict(self._classes["chat"]["signals"])[name]

    def _send(self, **message: object) -> list[Any]:
        return [self._named(answer) for answer in self._exchange(message)]

    def _named(self, answer: Message) -> Any:
        if answer["type"] == RESPONSE:
            if answer["id"] != self._next_id:
                return ["answer to something else", answer]
            return ["answer", self._value(answer["data"])] if "data" in answer else ["rejection"]
        if answer["type"] == SIGNAL:
            name = self._signal_name(answer["object"], answer["signal"])
            return ["signal", self._name(answer["object"]), name, self._arguments(name, answer)]
        if answer["type"] == UPDATE:
            return ["update", *map(self._update, answer["data"])]
        return ["unknown", answer]

    def _arguments(self, name: str, answer: Message) -> Any:
        # That of Qt's `destroyed` is the object, which is gone.
        return [] if name == "destroyed" else answer.get("args", [])

    def _update(self, data: Message) -> Any:
        target = data["object"]
        signals = {self._signal_name(target, int(it)): args for it, args in data["signals"].items()}
        names = {index: name for index, name, *_ in self._classes[target]["properties"]}
        values = {names[int(index)]: value for index, value in data["properties"].items()}
        return [self._name(target), signals, values]

    def _signal_name(self, target: str, index: int) -> str:
        info = self._classes[target]
        names = {index: name for name, index in reversed(info["signals"])}
        for _, name, notify, _ in info["properties"]:
            if notify:
                names[notify[1]] = f"{name}Changed" if notify[0] == 1 else notify[0]
        return names[index]

    def _name(self, target: str) -> str:
        return "item" if target == self._item else target

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict) and "chat" in value:
            return {name: self._class(name, info) for name, info in value.items()}
        if isinstance(value, dict) and "__QObject*__" in value:
            self._item = value["id"]
            return ["object", self._class(value["id"], value["data"])]
        return value

    def _class(self, target: str, info: Message) -> Any:
        self._classes[target] = info
        return {
            "signals": sorted({name for name, _ in info["signals"]}),
            "methods": sorted({name for name, _ in info["methods"]}),
            "properties": {
                name: [f"{name}Changed" if notify and notify[0] == 1 else notify, value]
                for _, name, notify, value in info["properties"]
            },
            "enums": info.get("enums", {}),
        }
