"""Metrics of a mirror.

Duty: families for ``/metrics``. Not its duty: counting (``mirror``, ``fetching``).
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tensorhub.hub.mirror import Mirror


def collect_mirror(mirror: Mirror) -> Iterator[Metric]:
    """Give what a mirror is doing and did."""
    running = mirror.running()
    counts = [fetch.counts for fetch in running]
    yield GaugeMetricFamily(
        "tensorhub_mirror_fetches", "Revisions that are being fetched.", value=len(running)
    )
    yield GaugeMetricFamily(
        "tensorhub_mirror_left_files",
        "Files that are still to come.",
        value=sum(item.left_files for item in counts),
    )
    yield GaugeMetricFamily(
        "tensorhub_mirror_left_bytes", "Bytes of these.", value=sum(item.left_nbytes for item in counts)
    )
    yield CounterMetricFamily(
        "tensorhub_mirror_fetched_files",
        "Files that came.",
        value=mirror.fetched_files + sum(item.fetched_files for item in counts),
    )
    yield CounterMetricFamily(
        "tensorhub_mirror_fetched_bytes",
        "Bytes of these.",
        value=mirror.fetched_nbytes + sum(item.fetched_nbytes for item in counts),
    )
    yield CounterMetricFamily(
        "tensorhub_mirror_failed_files", "Files that did not come.", value=mirror.failed_files
    )
    yield GaugeMetricFamily(
        "tensorhub_mirror_upstream_up",
        "Whether the other hub answered when it was asked last.",
        value=0 if mirror.is_down else 1,
    )
