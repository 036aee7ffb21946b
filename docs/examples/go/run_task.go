// Runs one container task on a Jarvis server: submits it, follows its log, waits for its end.
//
//	run_task [--request-id ID] [--deadline DURATION] SERVER IMAGE [COMMAND [ARGUMENT...]]
//
// Exits with the exit code of the task; 124 if the deadline has passed, 125 if there is no exit code.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"jarvis.dev/api/jarvis/v1"
)

const (
	callTime     = 10 * time.Second // for a call that is answered at once
	tries        = 10
	exitUsage    = 64
	exitDeadline = 124
	exitNone     = 125
)

// retrying asks again after 0.1 s, 0.2 s, ... 3.2 s: the server was away, or is busy starting.
func retrying(ctx context.Context, call func() error) error {
	for attempt := 0; ; attempt++ {
		err := call()
		if status.Code(err) != codes.Unavailable || attempt == tries-1 {
			return err
		}
		doublings := attempt
		if doublings > 5 {
			doublings = 5
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-time.After(100 * time.Millisecond << doublings):
		}
	}
}

// submit may be repeated at will: the request id makes the second submission the first.
func submit(ctx context.Context, client jarvisv1.SchedulerClient,
	spec *jarvisv1.TaskSpec) (*jarvisv1.Task, error) {
	var task *jarvisv1.Task
	err := retrying(ctx, func() error {
		once, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		answer, err := client.SubmitTask(once, &jarvisv1.SubmitTaskRequest{Spec: spec})
		task = answer.GetTask()
		return err
	})
	return task, err
}

// follow prints the log; a call that breaks is followed by one from where it broke.
func follow(ctx context.Context, client jarvisv1.SchedulerClient, id string) error {
	request := &jarvisv1.GetTaskLogsRequest{Id: id, Follow: true}
	return retrying(ctx, func() error {
		stream, err := client.GetTaskLogs(ctx, request)
		for err == nil {
			var part *jarvisv1.GetTaskLogsResponse
			if part, err = stream.Recv(); err != nil {
				break
			}
			chunk := part.Chunk
			request.Attempt = chunk.Attempt
			request.Offset = chunk.Offset + int64(len(chunk.Data))
			out := os.Stdout
			if chunk.Stream == jarvisv1.LogStream_LOG_STREAM_STDERR {
				out = os.Stderr
			}
			if _, err := out.Write(chunk.Data); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		return err
	})
}

func wait(ctx context.Context, client jarvisv1.SchedulerClient,
	id string) (*jarvisv1.Task, error) {
	var task *jarvisv1.Task
	err := retrying(ctx, func() error {
		answer, err := client.WaitTask(ctx, &jarvisv1.WaitTaskRequest{Id: id})
		task = answer.GetTask()
		return err
	})
	return task, err
}

// explain says what went wrong in words: the status, and the fields that are at fault.
func explain(err error) string {
	problem := status.Convert(err)
	lines := []string{fmt.Sprintf("%v: %s", problem.Code(), problem.Message())}
	for _, detail := range problem.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				lines = append(lines, fmt.Sprintf("  %s: %s", v.Field, v.Description))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// run returns the exit code of the program.
func run(ctx context.Context, client jarvisv1.SchedulerClient,
	spec *jarvisv1.TaskSpec) (int, error) {
	task, err := submit(ctx, client, spec)
	if err != nil {
		return exitNone, err
	}
	if err = follow(ctx, client, task.Id); err != nil {
		return exitNone, err
	}
	if task, err = wait(ctx, client, task.Id); err != nil {
		return exitNone, err
	}
	if task.Status.State == jarvisv1.TaskState_TASK_STATE_SUCCEEDED {
		return 0, nil
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", task.Id, task.Status.Message)
	if task.Status.ExitCode != 0 {
		return int(task.Status.ExitCode), nil
	}
	return exitNone, nil
}

func runAt(server string, deadline time.Duration, spec *jarvisv1.TaskSpec) (int, error) {
	connection, err := grpc.Dial(server, grpc.WithInsecure())
	if err != nil {
		return exitNone, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return run(ctx, jarvisv1.NewSchedulerClient(connection), spec)
}

func newRequestID() string {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", id)
}

func main() {
	requestID := flag.String("request-id", newRequestID(), "identifies this submission")
	deadline := flag.Duration("deadline", time.Hour, "by which the task must have ended")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: run_task [OPTION...] SERVER IMAGE [COMMAND...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(exitUsage)
	}
	code, err := runAt(flag.Arg(0), *deadline, &jarvisv1.TaskSpec{
		Image: flag.Arg(1), Command: flag.Args()[2:], RequestId: *requestID})
	if err != nil {
		fmt.Fprintln(os.Stderr, explain(err))
		if status.Code(err) == codes.DeadlineExceeded {
			code = exitDeadline
		}
	}
	os.Exit(code)
}
