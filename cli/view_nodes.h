/*
 * Nodes as people see them: a line in a table, a page of its own.
 *
 * Texts go to the invocation's output. Nothing of a server drives the terminal. Single-threaded.
 */
#ifndef JV_CLI_VIEW_NODES_H
#define JV_CLI_VIEW_NODES_H

#include "cli/invocation.h"
#include "cli/list.h"
#include "jarvis/v1/node.pb-c.h"

/* Nodes in lists; items are Jarvis__V1__Node. */
extern const struct jv_list_kind jv_view_node_kind;
extern const char *const jv_view_node_columns[];

/* Prints one as --output says: a page, its name, or the object. */
void jv_view_node(struct jv_invocation *invocation, const Jarvis__V1__Node *node);
/* "ready" */
void jv_view_node_state(const Jarvis__V1__Node *node, struct jv_buffer *out);

#endif
