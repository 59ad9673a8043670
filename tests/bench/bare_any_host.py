"""A page of any host without a server and without a helper: what `scripts/bench hostile` compares a helper's CPU with.

The package `sluice` in a process of its own, in which extractors that take any host may run, and a loop.

    pyenv/python tests/bench/bare_any_host.py --proxy http://127.0.0.1:8080 --ca-file ca.pem

On a connection to the port that it prints, a line with an address and a count has it extracted so often, and is
answered by `done` or by what went wrong.
"""

import argparse
import json
import socket
import sys

import sluice

TIMEOUT = 30  # seconds, as YTDLP_TIMEOUT's default


def main() -> None:
    """Serve one line after the other, until killed."""
    parser = argparse.ArgumentParser(description="A loop of extractions of any host's pages, without a server")
    parser.add_argument("--proxy", required=True, help="http://host:port")
    parser.add_argument("--ca-file", required=True, help="PEM roots trusted in addition")
    arguments = parser.parse_args()
    config = {"proxy": arguments.proxy, "ca_file": arguments.ca_file, "cookies_path": None}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"listening on 127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        # From here on it can say nothing.
        sluice.start(json.dumps({**config, "socket_timeout": TIMEOUT, "any_host": True}))
        session = sluice.Session()
        session.warm()
        session.warm_embeds()
        while True:
            client, _ = listener.accept()
            with client, client.makefile("rw") as lines:
                for line in lines:
                    url, count = line.split()
                    lines.write(f"{extract(session, url, int(count))}\n")
                    lines.flush()


def extract(session: sluice.Session, url: str, count: int) -> str:
    """Extract the page so often; says how it went."""
    state, options = json.dumps({"url": url, "cookies": []}), json.dumps({"timeout": TIMEOUT})
    for _ in range(count):
        answer = json.loads(session.resume(state, options))
        session.settle()
        if not answer.get("ok", {}).get("formats"):
            return json.dumps(answer)
    return "done"


if __name__ == "__main__":
    main()
