"""The no-op task, for the worker and for who sends it."""

import os

from celery import Celery

URL = "redis+socket://" + os.environ["PEERS_REDIS"]
app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop():
    return None
