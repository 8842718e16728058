"""A proxy that breaks connections in the middle of answers, as networks do.

Duty: pass bytes both ways, remember which ranges were asked for, close a connection once so many bytes of an answer
to GET went by. Not its duty: HTTP beyond the first lines of a request.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit


class CuttingProxy:
    """Pass connections on to a server, and cut the first GETs after so many bytes each.

    Attributes
    ----------
    cuts
        Bytes after which the next downloads break; each is used once.
    range_headers
        The Range header of every GET of a file, or an empty text.
    """

    def __init__(self, target: str, cuts: list[int]) -> None:
        parts = urlsplit(target)
        self.target = (str(parts.hostname), int(parts.port or 80))
        self.cuts = list(cuts)
        self.range_headers: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> CuttingProxy:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            budget: list[int] = []
            self._start(self._pass_requests, client, server, budget)
            self._start(self._pass_answers, client, server, budget)

    def _pass_requests(self, client: socket.socket, server: socket.socket, budget: list[int]) -> None:
        """Pass what the client says, and decide whether the answer will break."""
        try:
            while data := client.recv(1 << 16):
                if re.match(rb"GET \S*/resolve/", data):
                    found = re.search(rb"^range: *(\S+)", data, re.I | re.M)
                    self.range_headers.append(found.group(1).decode() if found else "")
                    if self.cuts:
                        budget.append(self.cuts.pop(0))
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            server.close()

    def _pass_answers(self, client: socket.socket, server: socket.socket, budget: list[int]) -> None:
        """Pass what the server says, until there is a budget and it is used up."""
        try:
            while data := server.recv(1 << 16):
                if budget:
                    data = data[: budget[0]]
                    budget[0] -= len(data)
                client.sendall(data)
                if budget and budget[0] <= 0:
                    break
        except OSError:
            pass
        finally:
            for side in (client, server):
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
                side.close()
