"""A mail server that takes everything and throws it away, as fast as Python can.

python -m benchmarks.sink      (prints its port)
"""

from __future__ import annotations

import asyncio


class Sink(asyncio.Protocol):
    """Enough SMTP for smtplib, without the checks of a real server."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer, self.in_data = b"", False
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end, size = (b"\r\n.\r\n", 5) if self.in_data else (b"\r\n", 2)
            at = self.buffer.find(end)
            if at < 0:
                # Only what may hold the end of the text is kept.
                self.buffer = self.buffer[-4:] if self.in_data else self.buffer
                return
            line, self.buffer = self.buffer[:at], self.buffer[at + size :]
            self.answer(line)

    def answer(self, line: bytes) -> None:
        if self.in_data:
            self.in_data = False
            reply = b"250 taken\r\n"
        elif line[:4].upper() == b"DATA":
            self.in_data, reply = True, b"354 go\r\n"
        elif line[:4].upper() == b"QUIT":
            reply = b"221 bye\r\n"
        else:
            reply = b"250 ok\r\n"
        self.transport.write(reply)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
