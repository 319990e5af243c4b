"""llmock at a free port. It prints its address, and ends when its standard input does."""

import socket
import sys
import threading

import uvicorn
from llmock.main import create_app


def main() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    # Whoever connects from now on waits until the server is up.
    listening.listen(128)
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))

    def end_with_input() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_input, daemon=True).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run(sockets=[listening])


main()
