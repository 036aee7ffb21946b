#include "testing/sim/cover.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bug.h"
#include "base/machine.h"
#include "jarvis/v1/node.pb-c.h"
#include "jarvis/v1/task.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"

#define VALUES_MAX 32
#define WORDS_MAX  256
#define WORD_MAX   64

/* The enums whose every value must be met, and the messages that have kinds. */
static const ProtobufCEnumDescriptor *const enums[] = {
	&jarvis__v1__task_state__descriptor,
	&jarvis__v1__failure_reason__descriptor,
	&jarvis__v1__attempt_phase__descriptor,
	&jarvis__v1__desired_state__descriptor,
	&jarvis__v1__node_state__descriptor,
	&jarvis__v1__log_stream__descriptor,
};
static const ProtobufCMessageDescriptor *const kinds[] = {
	&jarvis__v1__session_request__descriptor,
	&jarvis__v1__session_response__descriptor,
};

#define ENUMS (sizeof(enums) / sizeof(enums[0]))
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t values[ENUMS][VALUES_MAX];
static uint64_t cases[KINDS][VALUES_MAX];
static struct {
	char table[WORD_MAX];
	char word[WORD_MAX];
	uint64_t count;
} words[WORDS_MAX];
static uint32_t word_count;

static void count_value(const ProtobufCFieldDescriptor *field, const char *member)
{
	int32_t value;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return;
	memcpy(&value, member, sizeof(value));
	for (size_t i = 0; i < ENUMS; i++)
		if (field->descriptor == enums[i] && value >= 0 && value < VALUES_MAX)
			values[i][value]++;
}

static void count_members(const ProtobufCFieldDescriptor *field, const void *message)
{
	const char *member = (const char *)message + field->offset;
	size_t count = 1;
	ProtobufCMessage *const *messages = (ProtobufCMessage *const *)(const void *)member;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&count, (const char *)message + field->quantifier_offset, sizeof(count));
		memcpy(&messages, member, sizeof(messages));
	}
	for (size_t i = 0; i < count; i++)
		if (messages[i] != NULL)
			jv_sim_cover_message(messages[i]);
}

static bool is_set(const ProtobufCFieldDescriptor *field, const void *message)
{
	uint32_t chosen;

	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
		return true;
	memcpy(&chosen, (const char *)message + field->quantifier_offset, sizeof(chosen));
	return chosen == field->id;
}

void jv_sim_cover_message(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		if (!is_set(field, message))
			continue;
		for (size_t kind = 0; kind < KINDS; kind++)
			if (descriptor == kinds[kind])
				cases[kind][i]++;
		if (field->type == PROTOBUF_C_TYPE_ENUM)
			count_value(field, (const char *)message + field->offset);
		else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
			count_members(field, message);
	}
}

void jv_sim_cover_word(const char *table, const char *word, uint64_t count)
{
	uint32_t at = 0;

	while (at < word_count &&
		(strcmp(words[at].table, table) != 0 || strcmp(words[at].word, word) != 0))
		at++;
	JV_ASSERT(at < WORDS_MAX);
	if (at == word_count) {
		snprintf(words[at].table, WORD_MAX, "%s", table);
		snprintf(words[at].word, WORD_MAX, "%s", word);
		word_count++;
	}
	words[at].count += count;
}

static void machines_each(
	void (*each)(void *context, const char *table, const char *word, uint64_t count),
	void *context)
{
#ifdef JV_BUG_BUILD
	const struct jv_machine_tally *tally;

	for (unsigned number = 0; (tally = jv_machine_tally(number)) != NULL; number++) {
		const struct jv_machine *machine = tally->machine;
		for (unsigned from = 0; from < machine->count; from++)
			for (unsigned to = 0; to < machine->count; to++) {
				char edge[WORD_MAX];
				if (!jv_machine_allows(machine, from, to))
					continue;
				snprintf(edge, sizeof(edge), "%s > %s", machine->states[from].name,
					machine->states[to].name);
				each(context, machine->name, edge, tally->taken[from][to]);
			}
	}
#else
	(void)each;
	(void)context;
#endif
}

void jv_sim_cover_each(
	void (*each)(void *context, const char *table, const char *word, uint64_t count),
	void *context)
{
	machines_each(each, context);
	for (size_t i = 0; i < ENUMS; i++)
		for (unsigned at = 0; at < enums[i]->n_values; at++)
			if (enums[i]->values[at].value != 0)
				each(context, enums[i]->short_name, enums[i]->values[at].name,
					values[i][enums[i]->values[at].value]);
	for (size_t i = 0; i < KINDS; i++)
		for (unsigned at = 0; at < kinds[i]->n_fields; at++)
			each(context, kinds[i]->short_name, kinds[i]->fields[at].name,
				cases[i][at]);
	for (uint32_t i = 0; i < word_count; i++)
		each(context, words[i].table, words[i].word, words[i].count);
}
