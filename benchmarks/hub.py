"""Measures the hub over real sockets: download, upload, a thousand slow readers, the first page (issue 4).

The server is a process of its own, started as a user starts it; clients are this process and its threads or
children, so two processors hold both. Download is compared with ``tensorhub get`` from the same store in the same
round, upload through the default Hugging Face client with a plain PUT of the same file to a server that writes it to
the same disk. Memory is the server's peak of resident memory (VmHWM). Run::

    python -m benchmarks.hub --json benchmarks/records/hub.json
    python -m benchmarks.hub --only download
"""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import shutil
import socket
import threading
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.hub_server import fetch, run_client, serving, timed, wait_until_ready
from benchmarks.record import arguments, machine, print_table, spread, write_record
from benchmarks.store_folder import SHARED_MEMORY, temporary_folder
from benchmarks.synthetic import write_model
from tensorhub import Store, add_folder, restore
from tensorhub.schema.names import parse_ref, parse_repository
from tensorhub.schema.records import CommitReference

TENSOR_SHAPE = (8192, 4096)  # 64 MiB of BF16
TENSORS, QUICK_TENSORS = 15, 1  # 1.007 GB
PARTS = ("download", "upload", "slow", "ways", "page")
WAYS = {1: 8, 16: 8, 64: 4, 256: 4, 1024: 1}  # MiB a file -> files
ROUNDS = 3
MANY_CLIENTS = 8
SLOW_CLIENTS, QUICK_SLOW_CLIENTS = 1000, 50
SLOW_RECEIVE_NBYTES = 4096  # of a slow reader's socket buffer: it takes hardly more than it reads
REPOSITORIES, QUICK_REPOSITORIES = 10_000, 200
# What is asked for: share of get's speed, MB/s of upload, MiB of server memory, ms of the first page.
TARGETS = {"download": 0.7, "upload": 60.0, "memory": 512.0, "page": 100.0}
REPOSITORY = "bench/model"
FILE = "model.safetensors"


def file_url(path: str = FILE) -> str:
    """Give the path of a file of the measured repository."""
    return f"/{REPOSITORY}/resolve/main/{path}"


def client_download(url: str, repository: str, home: Path) -> None:
    """Download with the default Hugging Face client, in a process and a cache of its own."""
    run_client(f"from huggingface_hub import snapshot_download as d; d({repository!r})", url, home)
    shutil.rmtree(home)


def measure_ways(work: Path, rounds: int, sizes: dict[int, int]) -> dict[str, Any]:
    """Let the Hugging Face client download files of each size through plain HTTP and through Xet, in turn."""
    store = work / "ways"
    for mib, count in sizes.items():
        folder = work / f"ways-{mib}"
        folder.mkdir()
        for index in range(count):
            write_model(folder / f"{index}.safetensors", {"weight": (mib << 9, 1024)}, index)
        with Store.open(store, create=True) as opened:
            add_folder(opened, folder, f"bench/ways-{mib}")
        shutil.rmtree(folder)
    found: dict[str, Any] = {}
    with serving(store, "--xet-download", "none") as plain, serving(store, "--xet-download", "all") as xet:
        for mib, count in sizes.items():
            repository = f"bench/ways-{mib}"
            took: dict[str, list[float]] = {"plain HTTP": [], "Xet": []}
            for server in (plain, xet):
                wait_until_ready(server, f"/{repository}/resolve/main/{count - 1}.safetensors")
            for _ in range(rounds):
                for name, server in (("plain HTTP", plain), ("Xet", xet)):
                    took[name].append(timed(client_download, server.url, repository, work / "client"))
            found[f"{count} of {mib} MiB"] = {f"{name}, s": spread(values) for name, values in took.items()}
    shutil.rmtree(store)
    return found


def measure_download(store: Path, work: Path, rounds: int) -> dict[str, Any]:
    """Measure one client, eight clients, the Hugging Face client, beside ``get`` (number 2)."""
    names = ("get", "one client", f"{MANY_CLIENTS} clients", "Hugging Face client")
    speeds: dict[str, list[float]] = {name: [] for name in names}
    context = multiprocessing.get_context("spawn")
    with serving(store) as server, ProcessPoolExecutor(MANY_CLIENTS, mp_context=context) as clients:
        wait_until_ready(server, file_url())
        *_, nbytes = clients.map(fetch, [server.port] * MANY_CLIENTS, [file_url()] * MANY_CLIENTS)
        server.forget_peak()
        for _ in range(rounds):
            with Store.open(store) as opened:
                took = timed(restore, opened, REPOSITORY, work / "out")
            shutil.rmtree(work / "out")
            speeds["get"].append(nbytes / took / 1e9)
            for count, name in ((1, "one client"), (MANY_CLIENTS, f"{MANY_CLIENTS} clients")):
                began = time.perf_counter()
                total = sum(clients.map(fetch, [server.port] * count, [file_url()] * count))
                speeds[name].append(total / (time.perf_counter() - began) / 1e9)
            speeds["Hugging Face client"].append(
                nbytes / timed(client_download, server.url, REPOSITORY, work / "client") / 1e9
            )
        peak = server.peak_mib()
    record = {"nbytes": nbytes, "gb_per_s": {name: spread(speeds[name]) for name in names}}
    return {**record, "server_peak_mib": round(peak, 1)}


class _PlainServer(http.server.BaseHTTPRequestHandler):
    """Writes what is PUT to a folder; nothing else."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        with (self.folder / "plain").open("wb") as file:
            while left:
                piece = self.rfile.read(min(left, 1 << 20))
                file.write(piece)
                left -= len(piece)
            file.flush()
            os.fsync(file.fileno())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class has this name
        """Say nothing."""


def plain_upload(file: Path, work: Path) -> float:
    """Upload to a plain file server on the same disk; gives seconds."""
    handler = type("Handler", (_PlainServer,), {"folder": work})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        began = time.perf_counter()
        with file.open("rb") as body:
            size = {"Content-Length": str(file.stat().st_size)}
            httpx.put(
                f"http://127.0.0.1:{server.server_port}/x", content=body, headers=size
            ).raise_for_status()
        took = time.perf_counter() - began
        server.shutdown()
    (work / "plain").unlink()
    return took


def measure_upload(file: Path, work: Path, rounds: int) -> dict[str, Any]:
    """Measure the default client to an empty hub, and a plain PUT of the same file (number 3)."""
    nbytes = file.stat().st_size
    hub, plain, peaks, left = [], [], [], []
    for _ in range(rounds):
        plain.append(nbytes / plain_upload(file, work) / 1e6)
        store = work / "upload-store"
        Store.create(store).close()
        with serving(store) as server:
            code = (
                "from huggingface_hub import HfApi; a = HfApi(); "
                f"a.create_repo({REPOSITORY!r}); "
                f"a.upload_file(path_or_fileobj={str(file)!r}, path_in_repo={FILE!r}, repo_id={REPOSITORY!r})"
            )
            hub.append(nbytes / timed(run_client, code, server.url, work / "client") / 1e6)
            peaks.append(server.peak_mib())
        uploads = store / "uploads"
        left.append(sum(path.stat().st_size for path in uploads.rglob("*") if path.is_file()))
        with Store.open(store) as opened:
            restore(opened, REPOSITORY, work / "out")
        if (work / "out" / FILE).read_bytes() != file.read_bytes():
            raise ValueError("the file did not come back")
        for folder in (work / "out", store, work / "client"):
            shutil.rmtree(folder)
    return {
        "nbytes": nbytes,
        "mb_per_s": {"hub, default client": spread(hub, 1), "plain file server, PUT": spread(plain, 1)},
        "server_peak_mib": round(max(peaks), 1),
        "left_behind_nbytes": max(left),
    }


def measure_slow(store: Path, clients: int) -> dict[str, Any]:
    """Hold so many readers that take next to nothing, while another client downloads the file (number 4)."""
    slow: list[socket.socket] = []
    with serving(store) as server:
        wait_until_ready(server, file_url())
        alone = [timed(fetch, server.port, file_url()) for _ in range(3)]
        server.forget_peak()
        try:
            for index in range(clients):
                connection = socket.socket()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_NBYTES)
                connection.connect(("127.0.0.1", server.port))
                start = index * 977
                request = f"GET {file_url()} HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes={start}-\r\n\r\n"
                connection.sendall(request.encode())
                slow.append(connection)
            stop = time.monotonic() + 10
            while time.monotonic() < stop:
                for connection in slow:
                    connection.recv(256)
            served = [timed(fetch, server.port, file_url()) for _ in range(3)]
            head = [timed(_head, server.url + file_url()) for _ in range(20)]
            peak = server.peak_mib()
        finally:
            for connection in slow:
                connection.close()
    return {
        "slow_clients": clients,
        "download_s": {"alone": spread(alone), "beside them": spread(served)},
        "head_ms": spread([value * 1e3 for value in head], 2),
        "server_peak_mib": round(peak, 1),
    }


def _head(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="HEAD")).close()


def make_many(folder: Path, count: int) -> None:
    """Make a store of many small repositories: refs on one commit each of a few, written as a store writes them."""
    with Store.create(folder) as store:
        references: list[CommitReference] = []
        for index in range(10):
            with store.begin_commit(f"seed/model-{index}") as transaction:
                transaction.put_file("config.json", json.dumps({"index": index}).encode())
                transaction.publish("first")
                if transaction.last_commit is not None:
                    references.append(transaction.last_commit)
        for index in range(count - 10):
            repository = parse_repository(f"team-{index % 100}/model-{index}")
            store.ref_store.create_repository(repository)
            reference = references[index % 10]
            path = store.layout.ref(repository, parse_ref("main"))
            path.parent.mkdir(parents=True)
            path.write_text(f"{reference.commit_id} {reference.digest}\n")


def measure_page(work: Path, count: int, rounds: int) -> dict[str, Any]:
    """Measure the first page with many repositories (number 5)."""
    folder = work / "many"
    make_many(folder, count)
    with (
        serving(folder) as server,
        httpx.Client(base_url=server.url, headers={"Accept": "text/html"}) as client,
    ):
        began = time.perf_counter()
        client.get("/").raise_for_status()
        first = (time.perf_counter() - began) * 1e3
        times = {"home": [], "search": [], "list (API)": []}  # type: dict[str, list[float]]
        for _ in range(max(10, rounds)):
            for name, path in (
                ("home", "/"),
                ("search", "/?q=model-77"),
                ("list (API)", "/api/models?limit=100"),
            ):
                began = time.perf_counter()
                client.get(path).raise_for_status()
                times[name].append((time.perf_counter() - began) * 1e3)
        peak = server.peak_mib()
    return {
        "repositories": count,
        "first_request_ms": round(first, 1),
        "ms": {name: spread(values, 2) for name, values in times.items()},
        "server_peak_mib": round(peak, 1),
    }


def main() -> None:
    """Run the parts that are asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    parts = options.only or list(PARTS)
    rounds = 1 if options.quick else ROUNDS
    record: dict[str, Any] = {"what": "the hub over loopback", "machine": machine(), "targets": TARGETS}
    with temporary_folder(options.work or SHARED_MEMORY) as work:
        folder, store = work / "source", work / "store"
        folder.mkdir()
        file = folder / FILE
        tensors = QUICK_TENSORS if options.quick else TENSORS
        write_model(file, {f"layers.{index}.weight": TENSOR_SHAPE for index in range(tensors)}, 1)
        if "download" in parts or "slow" in parts:
            with Store.create(store) as opened:
                add_folder(opened, folder, REPOSITORY)
        if "download" in parts:
            record["download"] = measure_download(store, work, rounds)
        if "slow" in parts:
            record["slow"] = measure_slow(store, QUICK_SLOW_CLIENTS if options.quick else SLOW_CLIENTS)
        if "upload" in parts:
            record["upload"] = measure_upload(file, work, rounds)
        if "ways" in parts:
            record["ways"] = measure_ways(work, rounds, {1: 2} if options.quick else WAYS)
        if "page" in parts:
            record["page"] = measure_page(work, QUICK_REPOSITORIES if options.quick else REPOSITORIES, rounds)
    rows: list[tuple[object, ...]] = [("what", "value")]
    for part in parts:
        rows += [(f"{part}: {name}", json.dumps(value)) for name, value in record[part].items()]
    print_table(rows)
    write_record(record, options.json)


if __name__ == "__main__":
    main()
