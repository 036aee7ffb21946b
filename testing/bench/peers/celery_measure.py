"""Sends no-op tasks and prints a row of the table: celery_measure.py NAME"""

import statistics
import sys
import time

from celery_tasks import noop

TASKS = 3000


def main():
    noop.delay().get(timeout=60)
    begun = time.monotonic()
    results = []
    latencies = []
    for _ in range(TASKS):
        before = time.monotonic()
        results.append(noop.delay())
        latencies.append(time.monotonic() - before)
    sent = time.monotonic()
    for result in results:
        result.get(timeout=120)
    ended = time.monotonic()
    print(
        f"| {sys.argv[1]} | {TASKS / (ended - begun):.0f} | {TASKS / (sent - begun):.0f} "
        f"| {1000 * statistics.median(latencies):.2f} ms | |"
    )


main()
