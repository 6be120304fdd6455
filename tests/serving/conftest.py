"""A checkpoint small enough to make in a second, its folder, and a model server that really listens."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import uvicorn

from penstock.serving.allowed_folders import AllowedFolders
from penstock.serving.application import build_application
from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.engine import Engine
from penstock.training.recipe_config import Architecture
from penstock.training.recipes.checkpoint_folder import build_model, train_tokenizer

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

SMALL = Architecture(hidden_size=32, layers=2, heads=2, key_value_heads=1, head_dim=16, intermediate_size=64, vocabulary=266)


def write_checkpoint(folder: Path, seed: int) -> Path:
    """Weights that nobody trained, sharpened so that some tokens are much likelier than others."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(["tab: abcd", "rev: dcba"], SMALL)
    model = build_model(tokenizer, SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An allowed directory with the checkpoints `one` and `two`, and one that is broken."""
    directory = tmp_path_factory.mktemp("checkpoints")
    torch.set_num_threads(1)
    write_checkpoint(directory / "one", 1)
    write_checkpoint(directory / "two", 2)
    write_checkpoint(directory / "broken", 3)
    (directory / "broken" / "model.safetensors").write_bytes(b"not weights")
    return directory


@pytest.fixture(scope="session")
def model(checkpoints: Path) -> CheckpointModel:
    """The checkpoint `one` in memory."""
    return CheckpointModel(checkpoints / "one")


@contextlib.contextmanager
def serve(directory: Path, *, max_batch: int = 8, max_models: int = 2) -> Iterator[str]:
    """A model server on a free port of this process; gives its URL up to and with /v1."""
    folders = AllowedFolders([directory])
    engine = Engine(folders, max_batch=max_batch, max_models=max_models, threads=1)
    server = uvicorn.Server(uvicorn.Config(build_application(engine, folders), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def server_url(checkpoints: Path) -> Iterator[str]:
    """A server that all tests share; it keeps no state but loaded checkpoints."""
    with serve(checkpoints) as url:
        yield url
