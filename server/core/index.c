#include <stdlib.h>

#include "server/core/private.h"

static uint64_t page_of(uint64_t id)
{
	return id / JV_INDEX_PAGE;
}

static struct jv_index_page *page_find(const struct jv_index *index, uint64_t id)
{
	struct jv_index_page *page;
	uint64_t number = page_of(id);
	HASH_FIND(hh, index->pages, &number, sizeof(number), page);
	return page;
}

struct jv_task *jv_index_find(const struct jv_index *index, uint64_t id)
{
	const struct jv_index_page *page = page_find(index, id);
	return page == NULL ? NULL : page->tasks[id % JV_INDEX_PAGE];
}

void jv_index_add(struct jv_index *index, struct jv_task *task)
{
	struct jv_index_page *page = page_find(index, task->id);
	if (page == NULL) {
		page = jv_calloc(1, sizeof(*page));
		page->number = page_of(task->id);
		HASH_ADD(hh, index->pages, number, sizeof(page->number), page);
	}
	JV_ASSERT(page->tasks[task->id % JV_INDEX_PAGE] == NULL);
	page->tasks[task->id % JV_INDEX_PAGE] = task;
	page->count++;
	index->count++;
}

void jv_index_remove(struct jv_index *index, const struct jv_task *task)
{
	struct jv_index_page *page = page_find(index, task->id);
	JV_ASSERT(page != NULL && page->tasks[task->id % JV_INDEX_PAGE] == task);
	page->tasks[task->id % JV_INDEX_PAGE] = NULL;
	index->count--;
	if (--page->count > 0)
		return;
	HASH_DEL(index->pages, page);
	free(page);
}

struct jv_task *jv_index_next(struct jv_index_cursor *cursor)
{
	if (cursor->left == 0) {
		if (cursor->next == NULL)
			return NULL;
		cursor->page = cursor->next;
		cursor->next = cursor->page->hh.next;
		cursor->left = cursor->page->count;
		cursor->at = 0;
	}
	while (cursor->page->tasks[cursor->at] == NULL)
		cursor->at++;
	JV_ASSERT(cursor->at < JV_INDEX_PAGE);
	cursor->left--;
	return cursor->page->tasks[cursor->at++];
}
