"""`python -m penstock.serving.server`: the local model server as its own process.

It holds no keys and checks none: it stands behind the gateway, on loopback.
"""

import argparse
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from penstock.serving.allowed_folders import AllowedFolders
from penstock.serving.application import build_application
from penstock.serving.engine import Engine


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="penstock.serving.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8701, help="0 takes a free one")
    parser.add_argument(
        "--allow", type=Path, action="append", required=True, help="directory whose folders may be served; may be repeated"
    )
    parser.add_argument("--max-batch", type=int, default=64, help="most sequences generated side by side")
    parser.add_argument("--max-models", type=int, default=4, help="most checkpoints held in memory")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; 0 leaves it to torch")
    parser.add_argument("--port-file", type=Path, help="file to write the port into, once it is listening")
    return parser.parse_args(arguments)


def main() -> None:
    """Listen, say where, serve until told to stop."""
    options = parse_arguments()
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    folders = AllowedFolders(options.allow)
    engine = Engine(folders, max_batch=options.max_batch, max_models=options.max_models, threads=options.threads)
    listener = socket.create_server((options.host, options.port), backlog=1024)
    if options.port_file:
        partial = options.port_file.with_name(options.port_file.name + ".tmp")
        partial.write_text(str(listener.getsockname()[1]))
        partial.rename(options.port_file)
    config = uvicorn.Config(
        build_application(engine, folders),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
