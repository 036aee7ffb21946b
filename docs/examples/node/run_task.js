#!/usr/bin/env node
// Runs one container task on a Jarvis server: submits it, follows its log, waits for its end.
//
//     run_task.js [--request-id ID] [--deadline SECONDS] SERVER IMAGE [COMMAND [ARGUMENT...]]
//
// Exits with the exit code of the task; 124 if the deadline has passed, 125 if there is no exit code.
// JARVIS_PROTOS names the directory of the .proto files: no code has to be generated.
'use strict';

const { randomUUID } = require('node:crypto');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const CALL_MS = 10000; // for a call that is answered at once
const TRIES = 10;
const EXIT_USAGE = 64;
const EXIT_DEADLINE = 124;
const EXIT_NONE = 125;

const protos = process.env.JARVIS_PROTOS || path.join(__dirname, '../../../proto');
const definitions = loader.loadSync(
  ['jarvis/v1/scheduler.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  {
    includeDirs: [protos, path.join(protos, 'vendor')],
    enums: String,
    longs: String,
    defaults: true,
  },
);
const { Scheduler } = grpc.loadPackageDefinition(definitions).jarvis.v1;
const decode = (type, bytes) => definitions[`google.rpc.${type}`].deserialize(bytes);

// A server, and the time by which all calls must have ended.
class Client {
  constructor(server, deadlineMs) {
    this.stub = new Scheduler(server, grpc.credentials.createInsecure());
    this.deadline = Date.now() + deadlineMs;
  }

  close() {
    this.stub.close();
  }

  until(atMostMs = Infinity) {
    return { deadline: Math.min(this.deadline, Date.now() + atMostMs) };
  }

  unary(method, request, options) {
    return new Promise((resolve, reject) => {
      this.stub[method](request, options, (error, answer) =>
        error ? reject(error) : resolve(answer));
    });
  }

  // The server was away, or is busy starting: asks again, after 0.1 s, 0.2 s, ... 3.2 s.
  async retrying(call) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (error.code !== grpc.status.UNAVAILABLE || attempt === TRIES - 1) throw error;
      }
      const left = Math.max(0, this.deadline - Date.now());
      await sleep(Math.min(left, 100 * 2 ** Math.min(attempt, 5)));
    }
  }

  // May be repeated at will: the request id makes the second submission the first.
  async submit(spec) {
    const submitted = await this.retrying(() =>
      this.unary('submitTask', { spec }, this.until(CALL_MS)));
    return submitted.task;
  }

  // Calls write(stream, bytes); a call that breaks is followed by one from where it broke.
  follow(id, write) {
    const request = { id, follow: true };
    return this.retrying(async () => {
      for await (const { chunk } of this.stub.getTaskLogs(request, this.until())) {
        request.attempt = chunk.attempt;
        request.offset = String(BigInt(chunk.offset) + BigInt(chunk.data.length));
        write(chunk.stream, chunk.data);
      }
    });
  }

  async wait(id) {
    const waited = await this.retrying(() => this.unary('waitTask', { id }, this.until()));
    return waited.task;
  }
}

// What went wrong in words: the status, and the fields that are at fault.
function explain(error) {
  if (!(error.code in grpc.status)) return String(error.stack ?? error);
  const lines = [`${grpc.status[error.code]}: ${error.details}`];
  for (const bytes of error.metadata?.get('grpc-status-details-bin') ?? []) {
    for (const detail of decode('Status', bytes).details) {
      if (!detail.type_url.endsWith('/google.rpc.BadRequest')) continue;
      for (const { field, description } of decode('BadRequest', detail.value).fieldViolations) {
        lines.push(`  ${field}: ${description}`);
      }
    }
  }
  return lines.join('\n');
}

function write(stream, data) {
  (stream === 'LOG_STREAM_STDERR' ? process.stderr : process.stdout).write(data);
}

// The exit code of the program.
async function run(client, spec) {
  const { id } = await client.submit(spec);
  await client.follow(id, write);
  const { status } = await client.wait(id);
  if (status.state === 'TASK_STATE_SUCCEEDED') return 0;
  console.error(`${id}: ${status.message}`);
  return status.exitCode || EXIT_NONE;
}

// Options come before the server; what follows the image is the task's.
function readArguments(words) {
  const options = { 'request-id': randomUUID(), deadline: '3600' };
  while (words[0]?.startsWith('--') && words[0].slice(2) in options && words.length > 1) {
    options[words.shift().slice(2)] = words.shift();
  }
  const [server, image, ...command] = words;
  const seconds = Number(options.deadline);
  if (image === undefined || server.startsWith('-') || !(seconds >= 0)) return null;
  return { server, seconds, spec: { image, command, requestId: options['request-id'] } };
}

async function main() {
  const given = readArguments(process.argv.slice(2));
  if (given === null) {
    console.error(
      'usage: run_task.js [--request-id ID] [--deadline SECONDS] SERVER IMAGE [COMMAND...]');
    return EXIT_USAGE;
  }
  const client = new Client(given.server, given.seconds * 1000);
  try {
    return await run(client, given.spec);
  } catch (error) {
    console.error(explain(error));
    return error.code === grpc.status.DEADLINE_EXCEEDED ? EXIT_DEADLINE : EXIT_NONE;
  } finally {
    client.close();
  }
}

main().then((code) => {
  process.exitCode = code;
});
