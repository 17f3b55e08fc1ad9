"""`python -m torchtf.serving`: the model server, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from torchtf.serving import _options


def main(arguments: list[str]) -> int:
    """Serves until a signal ends it; returns the exit status."""
    options, notes = _options.parse(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname).1s %(message)s")
    log = logging.getLogger("torchtf.serving")
    log.setLevel(logging.INFO)
    for note in notes:
        log.warning("%s", note)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    from torchtf.core import errors
    from torchtf.serving._server import ModelServer

    try:
        server = ModelServer(options)
    except (errors.OpError, OSError, RuntimeError) as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr, flush=True)
        return 1
    log.info("Serving %s", ", ".join(server.addresses))
    ended.wait()
    log.info("Ending; the requests under way are answered")
    server.close()
    log.info("Ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
