/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
    int n;
    struct km_list link;
};

static int number(struct km_list *l)
{
    return KM_CONTAINER(l, struct item, link)->n;
}

static void nodes_come_out_in_order(void **state)
{
    struct km_list head;
    struct item a = { .n = 1 }, b = { .n = 2 }, c = { .n = 0 };

    (void)state;
    km_list_init(&head);
    assert_true(km_list_empty(&head));
    assert_null(km_list_pop(&head));
    km_list_push(&head, &a.link);
    km_list_push(&head, &b.link);
    km_list_push_front(&head, &c.link);
    for (int i = 0; i < 3; i++)
        assert_int_equal(number(km_list_pop(&head)), i);
    assert_true(km_list_empty(&head));
}

static void removing_twice_is_harmless(void **state)
{
    struct km_list head;
    struct item a = { .n = 1 }, b = { .n = 2 };

    (void)state;
    km_list_init(&head);
    km_list_push(&head, &a.link);
    km_list_push(&head, &b.link);
    km_list_remove(&a.link);
    km_list_remove(&a.link);
    assert_int_equal(number(km_list_pop(&head)), 2);
    assert_true(km_list_empty(&head));
}

static void the_current_node_may_be_removed_while_walking(void **state)
{
    struct km_list head;
    struct item items[5];
    int seen = 0;

    (void)state;
    km_list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].n = i;
        km_list_push(&head, &items[i].link);
    }
    KM_LIST_EACH(it, &head)
    {
        assert_int_equal(number(it), seen++);
        km_list_remove(it);
    }
    assert_int_equal(seen, 5);
    assert_true(km_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_come_out_in_order),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(the_current_node_may_be_removed_while_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
