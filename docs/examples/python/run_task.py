#!/usr/bin/python3
"""Runs one container task on a Jarvis server: submits it, follows its log, waits for its end.

    run_task.py [--request-id ID] [--deadline SECONDS] SERVER IMAGE [COMMAND [ARGUMENT...]]

Exits with the exit code of the task; 124 if the deadline has passed, 125 if there is no exit code.
"""

import argparse
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from jarvis.v1 import scheduler_pb2, scheduler_pb2_grpc, task_pb2

CALL_SECONDS = 10  # for a call that is answered at once
TRIES = 10
EXIT_DEADLINE = 124
EXIT_NONE = 125


class Client:
    """A server, and the time by which all calls must have ended."""

    def __init__(self, server, deadline_seconds):
        self.stub = scheduler_pb2_grpc.SchedulerStub(grpc.insecure_channel(server))
        self.deadline = time.monotonic() + deadline_seconds

    def left(self, at_most=float("inf")):
        return max(0, min(at_most, self.deadline - time.monotonic()))

    def retrying(self, call):
        """The server was away, or is busy starting: asks again, after 0.1 s, 0.2 s, ... 3.2 s."""
        for attempt in range(TRIES):
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == TRIES - 1:
                    raise
            time.sleep(self.left(0.1 * 2 ** min(attempt, 5)))
        return None

    def submit(self, spec):
        """May be repeated at will: the request id makes the second submission the first."""
        request = scheduler_pb2.SubmitTaskRequest(spec=spec)
        return self.retrying(
            lambda: self.stub.SubmitTask(request, timeout=self.left(CALL_SECONDS))).task

    def follow(self, task_id, write):
        """Calls write(stream, bytes); a call that breaks is followed by one from where it broke."""
        request = scheduler_pb2.GetTaskLogsRequest(id=task_id, follow=True)

        def read():
            for part in self.stub.GetTaskLogs(request, timeout=self.left()):
                request.attempt = part.chunk.attempt
                request.offset = part.chunk.offset + len(part.chunk.data)
                write(part.chunk.stream, part.chunk.data)
        self.retrying(read)

    def wait(self, task_id):
        request = scheduler_pb2.WaitTaskRequest(id=task_id)
        return self.retrying(lambda: self.stub.WaitTask(request, timeout=self.left())).task


def explain(error):
    """What went wrong in words: the status, and the fields that are at fault."""
    lines = [f"{error.code().name}: {error.details()}"]
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                lines += [f"  {v.field}: {v.description}" for v in bad.field_violations]
    return "\n".join(lines)


def write(stream, data):
    out = sys.stderr if stream == task_pb2.LOG_STREAM_STDERR else sys.stdout
    out.buffer.write(data)
    out.flush()


def run(client, spec):
    """The exit code of the program."""
    task = client.submit(spec)
    client.follow(task.id, write)
    status = client.wait(task.id).status
    if status.state == task_pb2.TASK_STATE_SUCCEEDED:
        return 0
    print(f"{task.id}: {status.message}", file=sys.stderr)
    return status.exit_code or EXIT_NONE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--request-id", default=str(uuid.uuid4()))
    parser.add_argument("--deadline", type=float, default=3600, metavar="SECONDS")
    parser.add_argument("server")
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    spec = task_pb2.TaskSpec(
        image=arguments.image, command=arguments.command, request_id=arguments.request_id)
    try:
        return run(Client(arguments.server, arguments.deadline), spec)
    except grpc.RpcError as error:
        print(explain(error), file=sys.stderr)
        return EXIT_DEADLINE if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED else EXIT_NONE


sys.exit(main())
