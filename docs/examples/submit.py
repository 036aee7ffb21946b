#!/usr/bin/python3
"""Submits a container task, follows its log, and exits with its exit code.

    make the stubs: protoc with grpc_python_plugin, on proto/jarvis/v1/*.proto, then
    docs/examples/submit.py localhost:7070 busybox echo hello
"""

import sys
import uuid

import grpc
from jarvis.v1 import scheduler_pb2, scheduler_pb2_grpc, task_pb2


def main():
    server, image, *command = sys.argv[1:]
    stub = scheduler_pb2_grpc.SchedulerStub(grpc.insecure_channel(server))
    # A request id makes it safe to send the same request again after a lost answer.
    spec = task_pb2.TaskSpec(image=image, command=command, request_id=str(uuid.uuid4()))
    try:
        task = stub.SubmitTask(scheduler_pb2.SubmitTaskRequest(spec=spec), wait_for_ready=True).task
        for part in stub.GetTaskLogs(scheduler_pb2.GetTaskLogsRequest(id=task.id, follow=True)):
            out = sys.stdout if part.chunk.stream == task_pb2.LOG_STREAM_STDOUT else sys.stderr
            out.buffer.write(part.chunk.data)
            out.flush()
        done = stub.WaitTask(scheduler_pb2.WaitTaskRequest(id=task.id)).task
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    if done.status.state != task_pb2.TASK_STATE_SUCCEEDED:
        print(f"{task.id}: {done.status.message}", file=sys.stderr)
    sys.exit(done.status.exit_code)


main()
