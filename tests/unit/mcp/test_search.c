/* SPDX-License-Identifier: Apache-2.0 */
/* Tools by words: what is found, in which order, by scores worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "mcp/catalogue/catalogue.h"
#include "mcp/view/view.h"

struct fixture {
    struct km_mcp_view *view;
    struct km_mcp_search *index;
};

static void begin(struct fixture *f, const char *tools)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF((size_t)16 << 20);
    struct km_mcp_catalogue *c = km_catalogue_new();
    struct km_str_list visible = { (struct km_str[]){ KM_STR("pinned") }, 1 };
    struct km_mcp_member member = { .catalogue = c, .name = KM_STR("s"), .alias = KM_STR("s") };
    struct km_mcp_view_args args = {
        .members = &member, .n = 1, .searched = true, .visible = &visible
    };
    struct km_str cursor;

    km_buf_printf(&page, "{\"tools\":%s}", tools);
    assert_int_equal(km_catalogue_page(c, KM_MCP_TOOLS, km_buf_view(&page), &cursor, NULL), 0);
    assert_int_equal(km_catalogue_finish(c, NULL), 0);
    assert_int_equal(km_mcp_view_new(&args, &f->view, NULL), 0);
    km_mcp_catalogue_unref(c);
    f->index = km_mcp_view_index(f->view);
    assert_non_null(f->index);
}

static void end(struct fixture *f)
{
    km_mcp_view_unref(f->view);
}

/* The names found, in one text. */
static const char *found(struct fixture *f, const char *query, size_t most)
{
    static char text[512];
    struct km_mcp_found v[KM_MCP_SEARCH_RESULTS];
    size_t n = km_mcp_search_query(f->index, km_str_c(query), v, most);
    int at = 0;

    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%.*s", i ? " " : "",
                       KM_STR_ARG(v[i].entry->wire));
    return text;
}

#define ISSUES                                                                                     \
    "[{\"name\":\"listIssues\",\"description\":\"Open issues of a repository.\"},"                 \
    "{\"name\":\"create_issue\",\"title\":\"Create\",\"description\":\"Opens one.\","              \
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"assignee\":{},\"body\":{}}}},"         \
    "{\"name\":\"weather\",\"description\":\"天気 today\"},{\"name\":\"pinned\"}]"

static void a_tool_is_found_by_each_of_its_words(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, ISSUES);
    assert_string_equal(found(&f, "weather", 5), "weather");
    assert_string_equal(found(&f, "who is the ASSIGNEE?", 5), "create_issue");
    assert_string_equal(found(&f, "repositories repository", 5), "listIssues");
    assert_string_equal(found(&f, "list", 5), "listIssues");
    assert_string_equal(found(&f, "\xe5\xa4\xa9", 5), "weather");
    assert_string_equal(found(&f, "nothing like it", 5), "");
    assert_string_equal(found(&f, "", 5), "");
    end(&f);
}

static void the_best_come_first_and_no_more_than_asked_for(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, ISSUES);
    assert_string_equal(found(&f, "issues", 5), "listIssues create_issue"); /* twice beats once */
    assert_string_equal(found(&f, "issue create", 5), "create_issue listIssues");
    assert_string_equal(found(&f, "issue create", 1), "create_issue");
    assert_string_equal(found(&f, "issue", 5), "listIssues create_issue"); /* and again the same */
    end(&f);
}

/* Two tools of three and one word: "a b b" and "c"; average length 2. */
static void a_score_is_that_of_bm25(void **state)
{
    struct km_mcp_found v[5];
    struct fixture f;
    double idf = log(1 + (2 - 1 + 0.5) / (1 + 0.5));
    double expected = idf * 2 * 2.2 / (2 + 1.2 * (1 - 0.75 + 0.75 * 3 / 2.0));

    (void)state;
    begin(&f, "[{\"name\":\"aa\",\"description\":\"bb bb\"},{\"name\":\"cc\"}]");
    assert_int_equal(km_mcp_search_query(f.index, KM_STR("bb bb"), v, 5), 1);
    assert_true(fabs((double)v[0].score - expected) < 1e-5);
    end(&f);
}

static void a_list_shows_three_tools_and_the_pinned_ones(void **state)
{
    struct km_str page;
    struct fixture f;

    (void)state;
    begin(&f, ISSUES);
    assert_int_equal(
        km_mcp_view_page(f.view, KM_MCP_TOOLS, KM_MCP_HANDSHAKE, KM_STR_NONE, &page, NULL), 0);
    assert_true(km_str_find(page, KM_STR("\"search_tools\"")) < page.n);
    assert_true(km_str_find(page, KM_STR("There are 4 tools")) < page.n);
    assert_true(km_str_find(page, KM_STR("\"pinned\"")) < page.n);
    assert_true(km_str_find(page, KM_STR("weather")) == page.n);
    assert_true(km_str_find(page, KM_STR("nextCursor")) == page.n);
    assert_non_null(km_mcp_view_named(f.view, KM_MCP_TOOLS, KM_STR("weather")));
    end(&f);
}

static void any_bytes_are_searched_for(void **state)
{
    struct km_mcp_found v[5];
    struct fixture f;
    char junk[4096];

    (void)state;
    begin(&f, ISSUES);
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 131 + i / 7);
    for (size_t n = 0; n <= 64; n++)
        (void)km_mcp_search_query(f.index, km_str(junk + 11 * n, sizeof junk - 11 * n), v, 5);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tool_is_found_by_each_of_its_words),
        cmocka_unit_test(the_best_come_first_and_no_more_than_asked_for),
        cmocka_unit_test(a_score_is_that_of_bm25),
        cmocka_unit_test(a_list_shows_three_tools_and_the_pinned_ones),
        cmocka_unit_test(any_bytes_are_searched_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
