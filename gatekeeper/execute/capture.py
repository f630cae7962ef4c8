"""What a gate prints: kept to the head and the tail of each stream."""

KEEP = 64 * 1024


class Capture:
    """The first and the last `KEEP` bytes of a stream, in constant memory."""

    __slots__ = ("head", "size", "tail")

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = KEEP - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail += data
            if len(self.tail) > 4 * KEEP:
                del self.tail[:-KEEP]

    @property
    def dropped(self) -> int:
        """How many bytes are missing from the middle."""
        return max(0, self.size - 2 * KEEP)

    def text(self) -> str:
        """What was kept, as UTF-8 with backslashreplace."""
        if not self.size:
            return ""
        tail = bytes(self.tail[-KEEP:])
        gap = f"\n… {self.dropped} bytes cut …\n".encode() if self.dropped else b""
        return (bytes(self.head) + gap + tail).decode("utf-8", "backslashreplace")
