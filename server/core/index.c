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
		jv_list_init(&page->touched);
		HASH_ADD(hh, index->pages, number, sizeof(page->number), page);
	}
	JV_ASSERT(page->tasks[task->id % JV_INDEX_PAGE] == NULL);
	page->tasks[task->id % JV_INDEX_PAGE] = task;
	page->count++;
	index->count++;
}

static void page_leave(struct jv_index *index, struct jv_index_page *page)
{
	if (page->count > 0 || !jv_list_empty(&page->touched))
		return;
	HASH_DEL(index->pages, page);
	free(page);
}

void jv_index_remove(struct jv_index *index, const struct jv_task *task)
{
	struct jv_index_page *page = page_find(index, task->id);
	JV_ASSERT(page != NULL && page->tasks[task->id % JV_INDEX_PAGE] == task);
	page->tasks[task->id % JV_INDEX_PAGE] = NULL;
	index->count--;
	page->count--;
	page_leave(index, page);
}

void jv_index_touch(struct jv_index *index, const struct jv_task *task)
{
	struct jv_index_page *page = page_find(index, task->id);
	JV_ASSERT(page != NULL);
	if (jv_list_empty(&page->touched))
		jv_list_push_back(&index->touched, &page->touched);
}

bool jv_index_settle(struct jv_index *index, struct jv_placed_record *record)
{
	struct jv_list *link = jv_list_pop_front(&index->touched);
	if (link == NULL)
		return false;
	struct jv_index_page *page = JV_CONTAINER_OF(link, struct jv_index_page, touched);
	record->last = page->number * JV_INDEX_PAGE + JV_INDEX_PAGE - 1;
	record->members = 0;
	for (unsigned i = 0; i < JV_INDEX_PAGE; i++)
		if (page->tasks[i] != NULL && jv_task_active(page->tasks[i]))
			record->members |= (uint16_t)(1u << i);
	page_leave(index, page);
	return true;
}

struct jv_task *jv_index_next(struct jv_index_cursor *cursor)
{
	while (cursor->left == 0) {
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
