"""``/metrics``: what the hub does, for Prometheus.

Duty: count exchanges; read the other counts where they are kept when somebody asks. Not its duty: keeping those.
Invariants: a registry for each hub, so that several live in one process; labels are route patterns and methods of
the hub, never what a caller wrote, so that their number is bounded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

import tensorhub
from tensorhub.errors import ForbiddenError
from tensorhub.hub.config import is_loopback
from tensorhub.hub.exchange import Exchange
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import FORWARDED, HubRequest
from tensorhub.hub.routes import Route

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_TOTALS_S = 30.0  # a walk over the store's files is not done more often, however often somebody asks

MoreMetrics = Callable[[], Iterator[Metric]]


@dataclass(frozen=True, slots=True)
class DiskTotals:
    """What lies in the hub directory, counted at a time."""

    at_s: float
    packs: int
    packs_nbytes: int
    repositories: int
    staged_files: int
    staged_nbytes: int
    free_nbytes: int


class HubMetrics:
    """Counts exchanges (an observer) and collects everything else when asked.

    Parameters
    ----------
    hub
        Whose.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._more: list[MoreMetrics] = []
        self._totals: DiskTotals | None = None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tensorhub_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tensorhub_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ("route", "method"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._received = Counter(
            "tensorhub_received_bytes", "Bytes of request bodies.", ("route",), registry=self._registry
        )
        self._sent = Counter(
            "tensorhub_sent_bytes", "Bytes of response bodies.", ("route",), registry=self._registry
        )
        self._registry.register(self)

    def __call__(self, exchange: Exchange) -> None:
        """Count an exchange."""
        route = exchange.pattern or "none"
        method = exchange.method if exchange.method in _METHODS else "other"
        status = str(exchange.status) if exchange.status else "left"
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route, method).observe(exchange.duration_s)
        self._received.labels(route).inc(exchange.received_nbytes)
        self._sent.labels(route).inc(exchange.sent_nbytes)

    def add(self, more: MoreMetrics) -> None:
        """Collect more whenever somebody asks."""
        self._more.append(more)

    def render(self) -> bytes:
        """Give all metrics in Prometheus' text format; blocks for a walk over the store's files now and then."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Give nothing: what is collected depends on the time (``prometheus_client``'s protocol)."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give what is counted elsewhere (``prometheus_client``'s protocol)."""
        yield _gauge_of("tensorhub_build_info", "Always 1.", 1, {"version": tensorhub.__version__})
        yield from self._collect_reading()
        yield from self._collect_work()
        yield from self._collect_totals()
        for more in self._more:
            yield from more()

    def _collect_reading(self) -> Iterator[Metric]:
        counts, streams = self._hub.store.reader.counts, self._hub.streams
        yield _counter("tensorhub_stored_read_bytes", "Coded bytes read from packs.", counts.stored_nbytes)
        yield _counter("tensorhub_decoded_bytes", "Bytes decoded.", counts.decoded_nbytes)
        yield _counter("tensorhub_decode_seconds", "Time of decoding, in all threads.", counts.decode_s)
        looked_up = CounterMetricFamily(
            "tensorhub_chunk_cache", "Look-ups of decoded chunks in memory.", labels=("result",)
        )
        looked_up.add_metric(("hit",), counts.hits)
        looked_up.add_metric(("miss",), counts.misses)
        yield looked_up
        yield _gauge_of("tensorhub_active_streams", "Files that are being sent.", streams.active)
        yield _counter("tensorhub_streamed_bytes", "Bytes of files sent.", streams.sent_nbytes)

    def _collect_work(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily(
            "tensorhub_pool_jobs", "Jobs that run or wait, by thread pool.", labels=("pool",)
        )
        for pool in (self._hub.reads, self._hub.meta, self._hub.writes):
            jobs.add_metric((pool.name,), pool.busy)
        yield jobs
        progress = self._hub.digests.progress
        left = max(0, progress.nbytes - progress.done_nbytes)
        yield _gauge_of("tensorhub_sha256_files", "Files whose SHA-256 is still unknown.", progress.files)
        yield _gauge_of("tensorhub_sha256_bytes", "Bytes still to be hashed.", left)
        yield _gauge_of(
            "tensorhub_sha256_failed_files", "Files that cannot be read to be hashed.", progress.failed_files
        )

    def _collect_totals(self) -> Iterator[Metric]:
        totals = self._disk_totals()
        yield _gauge_of("tensorhub_repositories", "Repositories in the store.", totals.repositories)
        yield _gauge_of("tensorhub_packs", "Packs in the store.", totals.packs)
        yield _gauge_of("tensorhub_packs_bytes", "Bytes of all packs.", totals.packs_nbytes)
        yield _gauge_of("tensorhub_staged_files", "Uploads that no commit took up yet.", totals.staged_files)
        yield _gauge_of("tensorhub_staged_bytes", "Bytes of these.", totals.staged_nbytes)
        yield _gauge_of("tensorhub_disk_free_bytes", "Free on the store's file system.", totals.free_nbytes)

    def _disk_totals(self) -> DiskTotals:
        present = self._totals
        if present is not None and time.monotonic() - present.at_s < _TOTALS_S:
            return present
        layout = self._hub.store.layout
        packs, packs_nbytes = _count_files(str(layout.packs))
        staged, staged_nbytes = _count_files(str(layout.uploads))
        self._totals = DiskTotals(
            time.monotonic(),
            packs,
            packs_nbytes,
            len(self._hub.store.ref_store.repositories()),
            staged,
            staged_nbytes,
            shutil.disk_usage(layout.root).free,
        )
        return self._totals


def _count_files(folder: str) -> tuple[int, int]:
    files = nbytes = 0
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    files += 1
                    nbytes += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue  # gone while it was looked at, or never made
    return files, nbytes


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge_of(name: str, text: str, value: float, labels: dict[str, str] | None = None) -> Metric:
    family = GaugeMetricFamily(name, text, labels=tuple(labels or ()))
    family.add_metric(tuple((labels or {}).values()), value)
    return family


def may_read(request: HubRequest) -> bool:
    """Say whether who asks may read metrics, by what the server was told.

    This machine counts as such only where the request bears no trace of a proxy: behind one on the same machine
    everybody comes from a loopback address.
    """
    setting = request.hub.config.metrics
    if setting == "all" or request.identity.is_admin:
        return True
    client = request.raw.scope.get("client")
    host = request.raw.url.hostname or ""
    return (
        setting == "local"
        and client is not None
        and is_loopback(str(client[0]))
        and is_loopback(host)
        and not any(name in request.headers for name in FORWARDED)
    )


def metrics_route(metrics: HubMetrics) -> Route:
    """Make the route that shows metrics."""

    async def answer(request: HubRequest) -> Response:
        if not may_read(request):
            raise ForbiddenError(
                "metrics",
                expected="an administrator's token, or a request from this machine",
                found=request.identity.user or "nobody known",
                action="Use a token of an administrator, or start the server with --metrics all.",
            )
        body = await request.hub.meta.run(metrics.render)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    return Route("GET", "/metrics", answer)
