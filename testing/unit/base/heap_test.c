#include "base/heap.h"

#include "base/env.h"
#include "base/list.h"
#include "testing/unit/base/death.h"

#define COUNT 300

struct item {
	uint64_t key;
	uint64_t id; /* makes the order total */
	struct jv_heap_node node;
};

static struct item items[COUNT];

static struct item *item_of(const struct jv_heap_node *node)
{
	return JV_CONTAINER_OF(node, struct item, node);
}

static bool before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct item *one = item_of(a);
	const struct item *other = item_of(b);
	return one->key != other->key ? one->key < other->key : one->id < other->id;
}

static void fill(struct jv_heap *heap, struct jv_random *random)
{
	jv_heap_init(heap, before);
	for (uint64_t i = 0; i < COUNT; i++) {
		items[i] = (struct item){.key = jv_random_below(random, COUNT / 2), .id = i};
		jv_heap_push(heap, &items[i].node);
		assert_true(jv_heap_holds(&items[i].node));
	}
}

/* Pops all and checks that they come in order; returns how many. */
static uint32_t pop_all(struct jv_heap *heap)
{
	uint32_t count = 0;
	const struct jv_heap_node *last = NULL;
	struct jv_heap_node *node;
	while ((node = jv_heap_peek(heap)) != NULL) {
		assert_ptr_equal(jv_heap_pop(heap), node);
		assert_false(jv_heap_holds(node));
		assert_true(last == NULL || before(last, node));
		last = node;
		count++;
	}
	assert_null(jv_heap_pop(heap));
	return count;
}

static void the_least_comes_first(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	struct jv_heap heap;
	fill(&heap, &random);
	assert_int_equal(heap.count, COUNT);
	assert_int_equal(pop_all(&heap), COUNT);
	jv_heap_deinit(&heap);
}

static void an_empty_heap_gives_nothing(void **state)
{
	(void)state;
	struct jv_heap heap;
	jv_heap_init(&heap, before);
	assert_null(jv_heap_peek(&heap));
	assert_null(jv_heap_pop(&heap));
	struct jv_heap_node outside = {0};
	jv_heap_remove(&heap, &outside);
	jv_heap_deinit(&heap);
}

static void nodes_can_be_removed_and_moved(void **state)
{
	(void)state;
	struct jv_random random;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct jv_heap heap;
		jv_random_seed(&random, seed);
		fill(&heap, &random);
		uint32_t left = COUNT;
		for (int i = 0; i < COUNT; i++) {
			struct item *item = &items[jv_random_below(&random, COUNT)];
			if (jv_heap_holds(&item->node) && jv_random_chance(&random, 500)) {
				item->key = jv_random_below(&random, COUNT);
				jv_heap_update(&heap, &item->node);
			} else if (jv_heap_holds(&item->node)) {
				jv_heap_remove(&heap, &item->node);
				left--;
			} else {
				jv_heap_remove(&heap, &item->node);
			}
		}
		assert_int_equal(heap.count, left);
		assert_int_equal(pop_all(&heap), left);
		jv_heap_deinit(&heap);
	}
}

static void deinit_frees_the_nodes(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	struct jv_heap heap;
	fill(&heap, &random);
	jv_heap_deinit(&heap);
	assert_false(jv_heap_holds(&items[0].node));
	jv_heap_init(&heap, before);
	jv_heap_push(&heap, &items[0].node);
	jv_heap_deinit(&heap);
}

static void push_twice(void *context)
{
	struct jv_heap *heap = context;
	jv_heap_push(heap, &items[0].node);
	jv_heap_push(heap, &items[0].node);
}

static void update_outside(void *context)
{
	struct jv_heap *heap = context;
	jv_heap_update(heap, &items[0].node);
}

static void remove_of_another(void *context)
{
	struct jv_heap *heap = context;
	struct jv_heap other;
	jv_heap_init(&other, before);
	jv_heap_push(&other, &items[0].node);
	jv_heap_push(heap, &items[1].node);
	jv_heap_remove(heap, &items[0].node);
}

static void misuse_is_noticed(void **state)
{
	(void)state;
	struct jv_heap heap;
	jv_heap_init(&heap, before);
	jv_death_expect_assert(push_twice, &heap, "node->place == 0");
	jv_death_expect_assert(update_outside, &heap, "node->place");
	jv_death_expect_assert(remove_of_another, &heap, "at(heap, place) == node");
	jv_heap_deinit(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_comes_first),
		cmocka_unit_test(an_empty_heap_gives_nothing),
		cmocka_unit_test(nodes_can_be_removed_and_moved),
		cmocka_unit_test(deinit_frees_the_nodes),
		cmocka_unit_test(misuse_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
