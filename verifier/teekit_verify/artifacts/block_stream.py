"""What frames of compressed blocks have in common, however a block is packed."""

from __future__ import annotations


class BlockStream:
    """A decompressor like those of the standard library. A subclass takes blocks from `_input` to `_output` in `_step`."""

    def __init__(self) -> None:
        self._input, self._output = bytearray(), bytearray()
        self.eof = self._ended = False
        self.unused_data = b""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most `max_length` bytes. Raises ValueError."""
        self._input += data
        while not self._output and not self._ended and self._step():
            pass
        size = len(self._output) if max_length < 0 else max_length
        found = bytes(self._output[:size])
        del self._output[:size]
        self.eof = self._ended and not self._output
        self.unused_data = bytes(self._input) if self.eof else b""
        self.needs_input = not found and not self.eof  # there may be whole blocks left
        return found

    def _step(self) -> bool:
        """Take a header or a block from the input; False if there is not enough of it, or no more to come."""
        raise NotImplementedError
