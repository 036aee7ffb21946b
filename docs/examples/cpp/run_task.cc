// Runs one container task on a Jarvis server: submits it, follows its log, waits for its end.
//
//     run_task [--request-id ID] [--deadline SECONDS] SERVER IMAGE [COMMAND [ARGUMENT...]]
//
// Exits with the exit code of the task; 124 if the deadline has passed, 125 if there is no exit code.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "jarvis/v1/scheduler.grpc.pb.h"

namespace {

using Clock = std::chrono::system_clock;
using jarvis::v1::TaskSpec;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kCallTime(10);  // for a call that is answered at once
constexpr int kTries = 10;
constexpr int kExitUsage = 64;
constexpr int kExitDeadline = 124;
constexpr int kExitNone = 125;

// A server, and the time by which all calls must have ended.
class Client {
public:
	Client(const std::string &server, Clock::duration left)
	    : calls_(jarvis::v1::Scheduler::NewStub(
		      grpc::CreateChannel(server, grpc::InsecureChannelCredentials()))),
	      deadline_(Clock::now() + left)
	{
	}

	// May be repeated at will: the request id makes the second submission the first.
	grpc::Status Submit(const TaskSpec &spec, std::string *id)
	{
		jarvis::v1::SubmitTaskRequest request;
		jarvis::v1::SubmitTaskResponse answer;
		*request.mutable_spec() = spec;
		grpc::Status status = Retrying([&] {
			grpc::ClientContext context;
			context.set_deadline(std::min(deadline_, Clock::now() + kCallTime));
			return calls_->SubmitTask(&context, request, &answer);
		});
		*id = answer.task().id();
		return status;
	}

	// Prints the log; a call that breaks is followed by one from where it broke.
	grpc::Status Follow(const std::string &id)
	{
		jarvis::v1::GetTaskLogsRequest request;
		request.set_id(id);
		request.set_follow(true);
		return Retrying([&] {
			grpc::ClientContext context;
			jarvis::v1::GetTaskLogsResponse part;
			context.set_deadline(deadline_);
			auto stream = calls_->GetTaskLogs(&context, request);
			while (stream->Read(&part)) {
				const auto &chunk = part.chunk();
				bool error = chunk.stream() == jarvis::v1::LOG_STREAM_STDERR;
				(error ? std::cerr : std::cout) << chunk.data() << std::flush;
				request.set_attempt(chunk.attempt());
				request.set_offset(chunk.offset() +
					static_cast<int64_t>(chunk.data().size()));
			}
			return stream->Finish();
		});
	}

	grpc::Status Wait(const std::string &id, jarvis::v1::TaskStatus *ended)
	{
		jarvis::v1::WaitTaskRequest request;
		jarvis::v1::WaitTaskResponse answer;
		request.set_id(id);
		grpc::Status status = Retrying([&] {
			grpc::ClientContext context;
			context.set_deadline(deadline_);
			return calls_->WaitTask(&context, request, &answer);
		});
		*ended = answer.task().status();
		return status;
	}

private:
	// The server was away, or is busy starting: asks again, after 0.1 s, 0.2 s, ... 3.2 s.
	grpc::Status Retrying(const std::function<grpc::Status()> &call)
	{
		for (int attempt = 0;; attempt++) {
			grpc::Status status = call();
			if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
				attempt == kTries - 1)
				return status;
			Clock::duration pause = milliseconds(100 << std::min(attempt, 5));
			std::this_thread::sleep_until(std::min(deadline_, Clock::now() + pause));
		}
	}

	std::unique_ptr<jarvis::v1::Scheduler::Stub> calls_;
	Clock::time_point deadline_;
};

const char *NameOf(grpc::StatusCode code)
{
	static const char *const names[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
		"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
	size_t number = static_cast<size_t>(code);

	return number < std::size(names) ? names[number] : "UNKNOWN";
}

// What went wrong in words: the status, and the fields that are at fault.
void Explain(const grpc::Status &status)
{
	google::rpc::Status details;
	google::rpc::BadRequest bad;

	std::cerr << NameOf(status.error_code()) << ": " << status.error_message() << "\n";
	details.ParseFromString(status.error_details());
	for (const auto &detail : details.details()) {
		if (!detail.UnpackTo(&bad))
			continue;
		for (const auto &violation : bad.field_violations())
			std::cerr << "  " << violation.field() << ": " << violation.description()
				  << "\n";
	}
}

// The exit code of the program, in *code.
grpc::Status Run(Client *client, const TaskSpec &spec, int *code)
{
	std::string id;
	jarvis::v1::TaskStatus ended;

	grpc::Status status = client->Submit(spec, &id);
	if (status.ok())
		status = client->Follow(id);
	if (status.ok())
		status = client->Wait(id, &ended);
	if (!status.ok())
		return status;
	if (ended.state() == jarvis::v1::TASK_STATE_SUCCEEDED) {
		*code = 0;
		return status;
	}
	std::cerr << id << ": " << ended.message() << "\n";
	*code = ended.exit_code() != 0 ? ended.exit_code() : kExitNone;
	return status;
}

std::string NewRequestId()
{
	std::random_device random;
	std::string id;

	for (int i = 0; i < 32; i++)
		id += "0123456789abcdef"[random() % 16];
	return id;
}

}  // namespace

int main(int argc, char **argv)
{
	std::vector<std::string> words(argv + 1, argv + argc);
	std::string request_id = NewRequestId();
	double seconds = 3600;

	while (words.size() > 1 && words[0].compare(0, 2, "--") == 0) {
		if (words[0] == "--request-id")
			request_id = words[1];
		else if (words[0] == "--deadline")
			seconds = std::strtod(words[1].c_str(), nullptr);
		else
			break;
		words.erase(words.begin(), words.begin() + 2);
	}
	if (words.size() < 2 || words[0][0] == '-') {
		std::cerr << "usage: run_task [--request-id ID] [--deadline SECONDS] SERVER IMAGE "
			     "[COMMAND...]\n";
		return kExitUsage;
	}
	TaskSpec spec;
	spec.set_image(words[1]);
	spec.set_request_id(request_id);
	for (size_t i = 2; i < words.size(); i++)
		spec.add_command(words[i]);
	Client client(words[0],
		std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
	int code = kExitNone;
	grpc::Status status = Run(&client, spec, &code);
	if (!status.ok())
		Explain(status);
	return status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ? kExitDeadline : code;
}
