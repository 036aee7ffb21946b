#include "base/list.h"

#include "testing/unit/base/death.h"

struct item {
	int number;
	struct jv_list link;
};

static struct item items[6];

static void init(struct jv_list *list)
{
	jv_list_init(list);
	for (int i = 0; i < 6; i++) {
		items[i].number = i;
		jv_list_init(&items[i].link);
	}
}

/* The numbers as decimal digits, first to last. */
static int digits(const struct jv_list *list)
{
	int result = 0;
	const struct jv_list *before = list;
	for (const struct jv_list *node = list->next; node != list; node = node->next) {
		assert_ptr_equal(node->previous, before);
		result = result * 10 + JV_CONTAINER_OF(node, struct item, link)->number;
		before = node;
	}
	assert_ptr_equal(list->previous, before);
	return result;
}

static void nodes_stand_where_they_are_put(void **state)
{
	(void)state;
	struct jv_list list;
	init(&list);
	assert_true(jv_list_empty(&list));
	jv_list_push_back(&list, &items[2].link);
	jv_list_push_back(&list, &items[4].link);
	jv_list_push_front(&list, &items[1].link);
	jv_list_insert_before(&items[4].link, &items[3].link);
	assert_int_equal(digits(&list), 1234);
	assert_false(jv_list_empty(&list));
}

static void removal_is_harmless_twice(void **state)
{
	(void)state;
	struct jv_list list;
	init(&list);
	for (int i = 1; i < 4; i++)
		jv_list_push_back(&list, &items[i].link);
	jv_list_remove(&items[2].link);
	assert_int_equal(digits(&list), 13);
	assert_true(jv_list_empty(&items[2].link));
	jv_list_remove(&items[2].link);
	assert_int_equal(digits(&list), 13);
	jv_list_push_front(&list, &items[2].link);
	assert_int_equal(digits(&list), 213);
}

static void nodes_pop_from_the_front(void **state)
{
	(void)state;
	struct jv_list list;
	init(&list);
	assert_null(jv_list_pop_front(&list));
	jv_list_push_back(&list, &items[1].link);
	jv_list_push_back(&list, &items[2].link);
	assert_ptr_equal(jv_list_pop_front(&list), &items[1].link);
	assert_true(jv_list_empty(&items[1].link));
	assert_ptr_equal(jv_list_pop_front(&list), &items[2].link);
	assert_null(jv_list_pop_front(&list));
	assert_true(jv_list_empty(&list));
}

static void lists_are_spliced(void **state)
{
	(void)state;
	struct jv_list to;
	struct jv_list from;
	init(&to);
	jv_list_init(&from);
	jv_list_splice_back(&to, &from);
	assert_true(jv_list_empty(&to));
	jv_list_push_back(&from, &items[1].link);
	jv_list_push_back(&from, &items[2].link);
	jv_list_splice_back(&to, &from);
	assert_int_equal(digits(&to), 12);
	assert_true(jv_list_empty(&from));
	jv_list_push_back(&from, &items[3].link);
	jv_list_splice_back(&to, &from);
	assert_int_equal(digits(&to), 123);
	jv_list_splice_back(&to, &from);
	assert_int_equal(digits(&to), 123);
}

static void a_loop_may_remove_its_node(void **state)
{
	(void)state;
	struct jv_list list;
	init(&list);
	JV_LIST_EACH(node, &list)
	fail();
	for (int i = 1; i < 6; i++)
		jv_list_push_back(&list, &items[i].link);
	int sum = 0;
	JV_LIST_EACH(node, &list)
	{
		int number = JV_CONTAINER_OF(node, struct item, link)->number;
		sum += number;
		if (number % 2 == 1)
			jv_list_remove(node);
	}
	assert_int_equal(sum, 15);
	assert_int_equal(digits(&list), 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_stand_where_they_are_put),
		cmocka_unit_test(removal_is_harmless_twice),
		cmocka_unit_test(nodes_pop_from_the_front),
		cmocka_unit_test(lists_are_spliced),
		cmocka_unit_test(a_loop_may_remove_its_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
