"""Takes Qt's own QWebChannel through the steps: prints what came after each, in JSON."""

import json
from enum import IntEnum

from PySide6.QtCore import (
    Property,
    QCoreApplication,
    QEventLoop,
    QJsonDocument,
    QEnum,
    QObject,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtWebChannel import QWebChannel, QWebChannelAbstractTransport

import steps


class Item(QObject):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @Property(str, constant=True)
    def name(self) -> str:
        return self._name

    @Slot(result=str)
    def shout(self) -> str:
        return self._name.upper()


class Chat(QObject):
    @QEnum
    class Level(IntEnum):
        Low = 0
        High = 7

    topicChanged = Signal(str)
    countChanged = Signal(int)
    said = Signal(str)
    ticked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._topic = "start"
        self._count = 0
        self._items: list[Item] = []

    def _get_topic(self) -> str:
        return self._topic

    def _set_topic(self, topic: str) -> None:
        if topic:
            self._topic = topic
            self.topicChanged.emit(topic)

    topic = Property(str, _get_topic, _set_topic, notify=topicChanged)

    @Property(int, notify=countChanged)
    def count(self) -> int:
        return self._count

    @Property(str, constant=True)
    def version(self) -> str:
        return "1.0"

    @Slot(int, int, result=int)
    def add(self, a: int, b: int) -> int:
        return a + b

    @Slot()
    def nothing(self) -> None:
        pass

    @Slot(str)
    def say(self, text: str) -> None:
        self.said.emit(text)

    @Slot()
    def tick(self) -> None:
        self.ticked.emit()

    @Slot(int)
    def countTo(self, end: int) -> None:
        for number in range(1, end + 1):
            self._count = number
            self.countChanged.emit(number)

    @Slot(str, result=QObject)
    def makeItem(self, name: str) -> Item:
        self._items.append(Item(name))
        return self._items[-1]


class Transport(QWebChannelAbstractTransport):
    """Keeps what the channel sends."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[steps.Message] = []

    def sendMessage(self, message: object) -> None:
        self.received.append(json.loads(QJsonDocument(message).toJson().data()))

    def exchange(self, message: steps.Message) -> list[steps.Message]:
        self.received.clear()
        document = QJsonDocument.fromJson(json.dumps(message).encode())
        self.messageReceived.emit(document.object(), self)
        waiting = QEventLoop()
        QTimer.singleShot(int(steps.QUIET * 1000), waiting.quit)
        waiting.exec()
        return list(self.received)


if __name__ == "__main__":
    application = QCoreApplication([])
    channel, chat, transport = QWebChannel(), Chat(), Transport()
    channel.registerObject("chat", chat)
    channel.connectTo(transport)
    print(json.dumps(steps.Page(transport.exchange).run()))
