"""A real Chromium for tests: Debian's, without a window, and pages of any origin to open in it."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, sync_playwright


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start it, and stop it at the end; skip the test where it is not installed.

    While it runs, its event loop is that of this thread: no test beside it may be asynchronous.
    """
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("install Debian's chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class PageServer:
    """Serves one page of HTML at every path; at localhost it is one origin, at 127.0.0.1 another."""

    def __init__(self, port: int) -> None:
        self.html = ""
        self.origin = f"http://localhost:{port}"
        self.other_origin = f"http://127.0.0.1:{port}"


@contextmanager
def serving_pages() -> Iterator[PageServer]:
    """A web server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.html.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        pages = PageServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield pages
        finally:
            server.shutdown()
            thread.join()
