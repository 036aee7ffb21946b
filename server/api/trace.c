#include "server/api/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEX "0123456789abcdef"

bool jv_request_id_is_sane(const char *id)
{
	size_t size = strlen(id);

	if (size == 0 || size >= JV_REQUEST_ID_SIZE)
		return false;
	for (; *id != '\0'; id++)
		if (*id <= ' ' || *id > '~')
			return false;
	return true;
}

/* So many hexadecimal digits, not all zero unless that is allowed. */
static bool is_hex(const char *text, size_t size, bool zero)
{
	return strspn(text, HEX) >= size && (zero || strspn(text, "0") < size);
}

bool jv_trace_parent_is_sane(const char *text)
{
	if (strlen(text) != JV_TRACE_PARENT_SIZE - 1)
		return false;
	if (text[2] != '-' || text[35] != '-' || text[52] != '-')
		return false;
	return is_hex(text, 2, true) && strncmp(text, "ff", 2) != 0 &&
		is_hex(text + 3, 32, false) && is_hex(text + 36, 16, false) &&
		is_hex(text + 53, 2, true);
}

/* Unlike any other of this server and of its earlier lives. */
static void make_id(struct jv_rpc *rpc)
{
	struct jv_api *api = rpc->edge->api;

	snprintf(rpc->request_id, sizeof(rpc->request_id), "%" PRIx64 "-%" PRIx64,
		(uint64_t)api->start_ms, (uint64_t)atomic_fetch_add(&api->next_request, 1) + 1);
}

void jv_rpc_identify(struct jv_rpc *rpc, const char *request_id, const char *trace_parent)
{
	rpc->request_id_given = request_id != NULL && jv_request_id_is_sane(request_id);
	if (rpc->request_id_given)
		memcpy(rpc->request_id, request_id, strlen(request_id) + 1);
	else
		make_id(rpc);
	if (trace_parent != NULL && jv_trace_parent_is_sane(trace_parent))
		memcpy(rpc->trace_parent, trace_parent, JV_TRACE_PARENT_SIZE);
}
