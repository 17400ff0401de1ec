/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "mcp/catalogue/catalogue.h"
#include "mcp/upstream/live.h"

#define STATES (KM_MCP_LIST_STALE + 1)
#define WORDS (KM_LISTING_NOT_ASKED + 1)

static const char hello[] = "{\"capabilities\":{\"tools\":{},\"resources\":{}}}";

static struct km_mcp_catalogue *begin(void)
{
    struct km_mcp_catalogue *c = km_catalogue_new();

    assert_non_null(c);
    assert_int_equal(
        km_catalogue_hello(c, km_mcp_revision_find(KM_STR("2025-11-25")), km_str_c(hello), NULL),
        0);
    return c;
}

static void add_tool(struct km_mcp_catalogue *c, const char *name)
{
    struct km_str cursor;
    char json[128];

    snprintf(json, sizeof json, "{\"tools\":[{\"name\":\"%s\",\"inputSchema\":{}}]}", name);
    assert_int_equal(km_catalogue_page(c, KM_MCP_TOOLS, km_str_c(json), &cursor, NULL), 0);
}

/* A catalogue whose tools are in that state: one tool where it lists any. */
static struct km_mcp_catalogue *in_state(enum km_mcp_known known, const char *tool)
{
    static const enum km_listing_word words[STATES] = {
        [KM_MCP_LIST_UNKNOWN] = KM_LISTING_FAILURE,
        [KM_MCP_LIST_KNOWN] = KM_LISTING_RESULT,
        [KM_MCP_LIST_UNDECLARED] = KM_LISTING_NOT_DECLARED,
        [KM_MCP_LIST_STALE] = KM_LISTING_FAILURE,
    };
    struct km_mcp_catalogue *before =
        known == KM_MCP_LIST_STALE ? in_state(KM_MCP_LIST_KNOWN, tool) : NULL;
    struct km_mcp_catalogue *c = begin();

    if (known == KM_MCP_LIST_KNOWN)
        add_tool(c, tool);
    for (int i = 0; i < KM_MCP_LISTS; i++)
        km_catalogue_settle(c, (enum km_mcp_list)i, before,
                            i == KM_MCP_TOOLS ? words[known] : KM_LISTING_NOT_DECLARED,
                            KM_STR("the disk is full"));
    assert_int_equal(km_catalogue_finish(c, NULL), 0);
    assert_int_equal(c->lists[KM_MCP_TOOLS].known, known);
    km_mcp_catalogue_unref(before);
    return c;
}

static struct km_mcp_catalogue *asked_again(struct km_mcp_catalogue *before,
                                            enum km_listing_word word, const char *tool)
{
    struct km_mcp_catalogue *c = begin();

    add_tool(c, tool); /* a first page; the word is what came then */
    for (int i = 0; i < KM_MCP_LISTS; i++)
        km_catalogue_settle(c, (enum km_mcp_list)i, before,
                            i == KM_MCP_TOOLS ? word : KM_LISTING_NOT_DECLARED,
                            KM_STR("database is locked (-32603)"));
    assert_int_equal(km_catalogue_finish(c, NULL), 0);
    return c;
}

static bool has_only(const struct km_mcp_listing *l, const char *name)
{
    return l->n == 1 && km_str_eq(l->v[0].name, km_str_c(name)) &&
           km_str_find(l->v[0].json, km_str_c(name)) < l->v[0].json.n;
}

/* Every word after every state: only a result brings another list, only the server's word that it
 * has none takes one away. */
static void nothing_but_its_own_word_takes_a_list_away(void **state)
{
    (void)state;
    for (int was = 0; was < STATES; was++)
        for (int word = 0; word < WORDS; word++) {
            struct km_mcp_catalogue *before = in_state((enum km_mcp_known)was, "old");
            struct km_mcp_catalogue *c = asked_again(before, (enum km_listing_word)word, "new");
            const struct km_mcp_listing l = c->lists[KM_MCP_TOOLS];
            bool had = was == KM_MCP_LIST_KNOWN || was == KM_MCP_LIST_STALE;
            bool lost = word == KM_LISTING_NO_METHOD || word == KM_LISTING_FAILURE;

            km_mcp_catalogue_unref(before); /* what is kept lies in the new one */
            if (word == KM_LISTING_RESULT) {
                assert_int_equal(l.known, KM_MCP_LIST_KNOWN);
                assert_true(has_only(&l, "new"));
            } else if (word == KM_LISTING_NOT_DECLARED) {
                assert_int_equal(l.known, KM_MCP_LIST_UNDECLARED);
                assert_int_equal(l.n, 0);
            } else if (had) {
                assert_true(has_only(&l, "old"));
                assert_int_equal(l.known, lost ? KM_MCP_LIST_STALE : was);
            } else {
                assert_int_equal(l.n, 0);
                assert_int_equal(l.known, lost ? KM_MCP_LIST_UNKNOWN : was);
            }
            if (lost)
                assert_true(km_str_eq(l.why, KM_STR("database is locked (-32603)")));
            else if (word != KM_LISTING_NOT_ASKED)
                assert_int_equal(l.why.n, 0);
            assert_int_equal(c->known, l.known != KM_MCP_LIST_UNKNOWN);
            assert_int_equal(km_mcp_catalogue_failing(c) == KM_MCP_TOOLS, l.why.n > 0);
            km_mcp_catalogue_unref(c);
        }
}

/* A server declares resources, not templates. */
static void a_list_that_is_never_declared_may_be_missing(void **state)
{
    struct km_mcp_catalogue *c = begin();

    (void)state;
    km_catalogue_settle(c, KM_MCP_RESOURCES, NULL, KM_LISTING_NO_METHOD, KM_STR("none"));
    km_catalogue_settle(c, KM_MCP_TEMPLATES, NULL, KM_LISTING_NO_METHOD, KM_STR("none"));
    assert_int_equal(c->lists[KM_MCP_RESOURCES].known, KM_MCP_LIST_UNKNOWN);
    assert_int_equal(c->lists[KM_MCP_TEMPLATES].known, KM_MCP_LIST_UNDECLARED);
    km_mcp_catalogue_unref(c);
}

/* What is read back from the store is as it was written; a reason is of its day. */
static void the_store_knows_empty_from_unknown(void **state)
{
    (void)state;
    for (int was = 0; was < STATES; was++) {
        struct km_mcp_catalogue *c = in_state((enum km_mcp_known)was, "old"), *again = NULL;
        struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        enum km_mcp_known now =
            was == KM_MCP_LIST_STALE ? KM_MCP_LIST_KNOWN : (enum km_mcp_known)was;

        km_catalogue_json(c, &json);
        assert_int_equal(km_catalogue_read(km_buf_view(&json), &again, NULL), 0);
        assert_int_equal(again->lists[KM_MCP_TOOLS].known, now);
        assert_int_equal(again->lists[KM_MCP_TOOLS].n, c->lists[KM_MCP_TOOLS].n);
        assert_false(km_listing_differs(&c->lists[KM_MCP_TOOLS], &again->lists[KM_MCP_TOOLS]));
        assert_int_equal(again->known, c->known);
        km_mcp_catalogue_unref(again);
        km_mcp_catalogue_unref(c);
    }
}

/* --- whose list it is --- */

static const uint8_t base[KM_MCP_KEY], own[KM_MCP_KEY] = { 1 }, other[KM_MCP_KEY] = { 2 };

static unsigned found(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY],
                      enum km_mcp_known known, const char *tool)
{
    unsigned changed;

    km_mcp_live_begin(live, key, base, false);
    assert_true(km_mcp_live_refreshed(live, key, in_state(known, tool), &changed));
    return changed;
}

/* What askers are shown whose sessions have that key. */
static bool is_shown(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY], const char *tool)
{
    struct km_mcp_catalogue *c = km_mcp_live_shown(live, key, base, NULL);
    bool yes = tool ? has_only(&c->lists[KM_MCP_TOOLS], tool) : c->lists[KM_MCP_TOOLS].n == 0;

    km_mcp_catalogue_unref(c);
    return yes;
}

static void all_are_shown_the_base_until_their_own_session_lists_something_else(void **state)
{
    struct km_mcp_live *live = km_mcp_live_new();

    (void)state;
    assert_int_equal(found(live, base, KM_MCP_LIST_KNOWN, "one"), 1u << KM_MCP_TOOLS);
    assert_true(is_shown(live, own, "one") && is_shown(live, other, "one"));
    assert_false(km_mcp_live_heard_own(live, own));
    assert_int_equal(found(live, own, KM_MCP_LIST_KNOWN, "one"), 0); /* the same: no change */
    assert_true(km_mcp_live_heard_own(live, own));
    assert_int_equal(found(live, own, KM_MCP_LIST_KNOWN, "two"), 1u << KM_MCP_TOOLS);
    assert_true(is_shown(live, own, "two") && is_shown(live, other, "one"));
    assert_int_equal(found(live, base, KM_MCP_LIST_KNOWN, "one"), 0);
    assert_true(is_shown(live, own, "two")); /* as it was found beside this very base */
    assert_int_equal(found(live, base, KM_MCP_LIST_STALE, "one"), 0); /* no client hears of it */
    assert_int_equal(found(live, base, KM_MCP_LIST_KNOWN, "three"), 1u << KM_MCP_TOOLS);
    assert_true(is_shown(live, own, "three")); /* until its session is asked again */
    assert_int_equal(found(live, own, KM_MCP_LIST_KNOWN, "four"), 1u << KM_MCP_TOOLS);
    assert_int_equal(km_mcp_live_forget_own(live), 1u << KM_MCP_TOOLS);
    assert_true(is_shown(live, own, "three"));
    km_mcp_live_free(live);
}

static void a_failure_of_its_own_session_takes_nothing_from_a_client(void **state)
{
    struct km_mcp_live *live = km_mcp_live_new();
    struct km_mcp_catalogue *before, *c;
    unsigned changed;

    (void)state;
    found(live, base, KM_MCP_LIST_KNOWN, "one");
    before = km_mcp_live_shown(live, own, base, NULL);
    assert_true(km_mcp_live_begin(live, own, base, false));
    c = asked_again(before, KM_LISTING_FAILURE, "torn");
    assert_true(km_mcp_live_refreshed(live, own, c, &changed));
    assert_int_equal(changed, 0);
    assert_true(is_shown(live, own, "one"));
    km_mcp_catalogue_unref(before);
    km_mcp_live_free(live);
}

/* "ready" is a server that gave its lists. */
static void ready_needs_a_list(void **state)
{
    struct km_mcp_live *live = km_mcp_live_new();

    (void)state;
    km_mcp_live_state(live, KM_MCP_STARTING, "");
    assert_false(km_mcp_live_ok(live, false)); /* it answered, but nothing is known of it */
    found(live, base, KM_MCP_LIST_UNKNOWN, "");
    assert_false(km_mcp_live_ok(live, false));
    found(live, base, KM_MCP_LIST_STALE, "one");
    assert_false(km_mcp_live_ok(live, false));
    found(live, base, KM_MCP_LIST_KNOWN, "one");
    assert_true(km_mcp_live_ok(live, false));
    km_mcp_live_state(live, KM_MCP_DEGRADED, "");
    found(live, base, KM_MCP_LIST_UNDECLARED, "");
    assert_true(km_mcp_live_ok(live, false)); /* a server without tools is one */
    km_mcp_live_free(live);
    live = km_mcp_live_new();
    assert_true(km_mcp_live_ok(live, true)); /* somebody with credentials of its own was served */
    km_mcp_live_free(live);
}

/* One that serves nobody its lists rests longer each time. */
static void an_answer_without_lists_does_not_end_a_rest(void **state)
{
    struct km_mcp_live *live = km_mcp_live_new();
    uint64_t first, second;

    (void)state;
    first = km_mcp_live_failed(live, 1000, "it ended") - 1000;
    km_mcp_live_ok(live, false);
    second = km_mcp_live_failed(live, 1000 + first, "it ended") - 1000 - first;
    assert_true(second > first);
    found(live, base, KM_MCP_LIST_KNOWN, "one");
    km_mcp_live_ok(live, false);
    assert_true(km_mcp_live_failed(live, 100000, "it ended") - 100000 <= first);
    km_mcp_live_free(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_its_own_word_takes_a_list_away),
        cmocka_unit_test(a_list_that_is_never_declared_may_be_missing),
        cmocka_unit_test(the_store_knows_empty_from_unknown),
        cmocka_unit_test(all_are_shown_the_base_until_their_own_session_lists_something_else),
        cmocka_unit_test(a_failure_of_its_own_session_takes_nothing_from_a_client),
        cmocka_unit_test(ready_needs_a_list),
        cmocka_unit_test(an_answer_without_lists_does_not_end_a_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
