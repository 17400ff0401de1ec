/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/yaml.h"

static const struct km_yaml_limits limits = KM_YAML_LIMITS;

struct parsed {
    struct km_arena arena;
    struct km_diags *diags;
    const struct km_node *root;
    int r;
};

static void parse_with(struct parsed *p, struct km_str text, const struct km_yaml_limits *lim)
{
    km_arena_init(&p->arena, 64 << 20, NULL);
    p->diags = km_diags_new();
    p->root = NULL;
    p->r = km_yaml_parse(&p->arena, KM_STR("t.yaml"), text, lim, p->diags, &p->root, NULL);
    km_diags_seal(p->diags);
}

static void parse(struct parsed *p, const char *text)
{
    parse_with(p, km_str_c(text), &limits);
}

static void done(struct parsed *p)
{
    km_diags_free(p->diags);
    km_arena_done(&p->arena);
}

static void assert_json(const char *text, const char *json)
{
    struct parsed p;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    parse(&p, text);
    assert_int_equal(p.r, 0);
    km_node_json(p.root, &out);
    assert_string_equal(km_buf_cstr(&out), json);
    done(&p);
}

/* Refused, and the first diagnostic is at line:column with this code. */
static void assert_refused(const char *text, const char *code, unsigned line, unsigned column)
{
    struct parsed p;
    const struct km_diag *d;

    parse(&p, text);
    if (p.r != KM_E_CONFIG)
        fail_msg("accepted: %s", text);
    d = km_diags_at(p.diags, 0);
    assert_non_null(d);
    assert_string_equal(d->code, code);
    assert_int_equal(d->line, line);
    assert_int_equal(d->column, column);
    done(&p);
}

static void scalars_come_out_as_json_with_their_digits(void **state)
{
    (void)state;
    assert_json("{a: 1, b: 0.0000025, c: yes, d: ~, e: '1', f: 1e3, g: 2024-02-01, h: .inf}",
                "{\"a\":1,\"b\":2.5e-06,\"c\":true,\"d\":null,\"e\":\"1\",\"f\":\"1e3\","
                "\"g\":\"2024-02-01\",\"h\":null}");
    assert_json("- 123456789012345678901234567890\n- 0x1F\n",
                "[123456789012345678901234567890,31]");
    assert_json("", "null");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    assert_json("\xef\xbb\xbf"
                "a: 1\nb:\n  c: 2\n",
                "{\"a\":1,\"b\":{\"c\":2}}");
    assert_json("\xef\xbb\xbf", "null");
    assert_refused("\xef\xbb\xbf"
                   "a: @b\n",
                   "E0001", 1, 4);
}

static void merge_keys_apply_in_pyyaml_order(void **state)
{
    (void)state;
    assert_json("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a, z: 4}",
                "{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":1,\"y\":3,\"z\":4}}");
    assert_json("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}",
                "{\"a\":{\"x\":1},\"b\":{\"x\":2,\"y\":2},\"c\":{\"x\":1,\"y\":2}}");
    assert_json("{'<<': 1}", "{\"<<\":1}");
}

static void of_duplicates_the_last_counts_and_a_warning_says_so(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, "a: 1\nb: 2\na: 3\n");
    assert_int_equal(p.r, 0);
    assert_int_equal(p.root->n, 2);
    assert_int_equal(km_node_get(p.root, KM_STR("a"))->i, 3);
    assert_int_equal(km_diags_count(p.diags, KM_DIAG_WARNING), 1);
    assert_int_equal(km_diags_at(p.diags, 0)->line, 3);
    done(&p);
    parse(&p, "1: a\ntrue: b\n1.0: c\n"); /* one key to Python */
    assert_int_equal(p.root->n, 1);
    done(&p);
}

static void what_is_wrong_is_named_with_line_and_column(void **state)
{
    (void)state;
    assert_refused("a: b: c\n", "E0001", 1, 5);
    assert_refused("a: [1, 2\n", "E0001", 2, 1);
    assert_refused("a: 1\n--- \nb: 2\n", "E0002", 2, 1);
    assert_refused("a: *nobody\n", "E0003", 1, 4);
    assert_refused("a: &x 1\nb: &x 2\n", "E0003", 2, 4);
    assert_refused("a: &x [1, *x]\n", "E0003", 1, 11);
    assert_refused("a: !mine 1\n", "E0004", 1, 4);
    assert_refused("? [1]\n: 2\n", "E0004", 1, 3);
    assert_refused("a:\n  <<: 3\n", "E0004", 2, 7);
    assert_refused("d: 2024-13-01\n", "E0004", 1, 4);
    assert_refused("- =\n", "E0004", 1, 3);
}

/* Refused in these words, at this place. */
static void assert_words(const char *text, const char *what, const char *help, unsigned line,
                         unsigned column)
{
    struct parsed p;
    const struct km_diag *d;

    parse(&p, text);
    if (p.r != KM_E_CONFIG)
        fail_msg("accepted: %s", text);
    d = km_diags_at(p.diags, 0);
    if (km_str_find(d->message, km_str_c(what)) == d->message.n ||
        km_str_find(d->help, km_str_c(help)) == d->help.n || d->line != line || d->column != column)
        fail_msg("%s: %u:%u: %.*s (%.*s)", text, d->line, d->column, KM_STR_ARG(d->message),
                 KM_STR_ARG(d->help));
    done(&p);
}

static void syntax_errors_are_in_a_persons_words(void **state)
{
    (void)state;
    assert_words("a:\n\tb: c\n", "a tab here", "spaces", 2, 1);
    assert_words("a: b\t\nc: d\n", "a tab here", "spaces", 1, 5);
    assert_words("a: b\n\t\nc: d\n", "a tab here", "spaces", 2, 1);
    assert_words("a: 1\nb: \"x\nc: 2\nd: 3\n", "this quote is never closed", "closing", 2, 4);
    assert_words("a: 'it\nb: 2\n", "this quote is never closed", "closing", 1, 4);
    assert_words("a: [1, 2\nb: 3\n", "it begins at 1:4", "']'", 2, 2);
    assert_words("a: {b: 1\nc: 3\n", "it begins at 1:4", "'}'", 2, 2);
    assert_words("a: b: c\n", "a ':' where no key can be", "quotes", 1, 5);
    assert_words("a: 1\nb\nc: 2\n", "neither 'key: value' nor '- item'", "':'", 2, 1);
    assert_words("a:\n  b: 1\n c: 2\n", "does not fit the keys above", "same column", 3, 2);
    assert_words("a: \"x\" y\n", "does not fit the keys above", "closing quote", 1, 8);
    assert_words("a:\n- b\n c\n- d: e\n f\n", "does not fit the keys above", "same column", 5, 2);
    assert_words("a: *\n", "a value that begins with '*'", "quotes", 1, 5);
    assert_words("a: @b\n", "cannot begin with '@'", "quotes", 1, 4);
    assert_words("a: `b`\n", "backtick", "quotes", 1, 4);
    assert_words("a: %b\n", "cannot begin with '%'", "quotes", 1, 4);
    assert_words("a: \"C:\\dir\"\n", "backslash", "single quotes", 1, 7);
    assert_words("a: - b\n", "a list item where none can be", "below its key", 1, 4);
    assert_words("a: \xff\n", "not UTF-8", "UTF-8", 1, 4);
    assert_words("a: \x01\n", "control character", "delete", 1, 4);
}

static void every_node_knows_its_place(void **state)
{
    struct parsed p;
    const struct km_node *n;

    (void)state;
    parse(&p, "a:\n  - x: 1\n    \xc3\xa9: 2\n");
    n = km_node_path(p.root, "a")->v[0];
    assert_int_equal(n->v[1]->line, 3);
    assert_int_equal(n->v[1]->column, 8); /* counted in characters */
    done(&p);
}

static void aliases_cannot_grow_a_document(void **state)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct parsed p;

    (void)state;
    km_buf_str(&text, KM_STR("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 9; i++) {
        km_buf_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            km_buf_printf(&text, "*a%d,", i - 1);
        km_buf_str(&text, KM_STR("]\n"));
    }
    parse_with(&p, km_buf_view(&text), &limits);
    assert_int_equal(p.r, KM_E_CONFIG);
    assert_string_equal(km_diags_at(p.diags, 0)->code, "E0006");
    assert_true(km_str_find(km_diags_at(p.diags, 0)->message, KM_STR("aliases")) <
                km_diags_at(p.diags, 0)->message.n);
    assert_true(p.arena.used < 1 << 20);
    done(&p);
}

static void a_large_document_without_aliases_is_not_told_of_any(void **state)
{
    static const struct km_yaml_limits small = { .max_bytes = 1 << 16,
                                                 .max_nodes = 4,
                                                 .max_depth = 64 };
    struct parsed p;

    (void)state;
    parse_with(&p, KM_STR("[1, 2, 3, 4, 5]\n"), &small);
    assert_int_equal(p.r, KM_E_CONFIG);
    assert_string_equal(km_diags_at(p.diags, 0)->code, "E0006");
    assert_int_equal(km_str_find(km_diags_at(p.diags, 0)->message, KM_STR("alias")),
                     km_diags_at(p.diags, 0)->message.n);
    done(&p);
}

static void merged_mappings_count_against_the_limit(void **state)
{
    static const struct km_yaml_limits small = { .max_bytes = 1 << 16,
                                                 .max_nodes = 100,
                                                 .max_depth = 64 };
    struct parsed p;

    (void)state;
    parse_with(&p,
               KM_STR("a: &a {b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7, i: 8}\n"
                      "x: [{<<: *a}, {<<: *a}, {<<: *a}, {<<: *a}, {<<: *a}]\n"),
               &small);
    assert_int_equal(p.r, KM_E_CONFIG);
    done(&p);
}

static void depth_is_bounded_through_aliases_too(void **state)
{
    char text[400] = "";
    struct parsed p;

    (void)state;
    for (size_t i = 0; i < 64; i++)
        text[i] = '[';
    parse(&p, text);
    assert_string_equal(km_diags_at(p.diags, 0)->code, "E0001"); /* open, not too deep */
    done(&p);
    text[64] = '[';
    parse(&p, text);
    assert_string_equal(km_diags_at(p.diags, 0)->code, "E0005");
    done(&p);
    assert_refused(
        "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"
        "b: [[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]\n",
        "E0005", 2, 29);
}

static void a_document_cut_anywhere_is_parsed_or_refused_with_a_place(void **state)
{
    static const char text[] =
        "# a comment\nmodel_list:\n  - &m {model_name: \"gpt\\n\", n: 0x1F}\n  - <<: *m\n"
        "    text: |\n      block\n      of text\n    'quoted': !!str 12\n    \xe6\x97\xa5: yes\n"
        "when: 2024-02-01T10:00:00Z\nprice: 2.5e-06\nlong: >-\n  folded\n  text\n";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct parsed p;
        char *cut = malloc(n ? n : 1); /* exactly as long: a read past it is seen */

        memcpy(cut, text, n);
        parse_with(&p, km_str(cut, n), &limits);
        free(cut);
        if (p.r == 0)
            assert_non_null(p.root);
        else
            assert_true(km_diags_at(p.diags, 0)->line > 0);
        done(&p);
    }
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    assert_refused("a: \xff\n", "E0001", 1, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_come_out_as_json_with_their_digits),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(merge_keys_apply_in_pyyaml_order),
        cmocka_unit_test(of_duplicates_the_last_counts_and_a_warning_says_so),
        cmocka_unit_test(what_is_wrong_is_named_with_line_and_column),
        cmocka_unit_test(syntax_errors_are_in_a_persons_words),
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(aliases_cannot_grow_a_document),
        cmocka_unit_test(a_large_document_without_aliases_is_not_told_of_any),
        cmocka_unit_test(merged_mappings_count_against_the_limit),
        cmocka_unit_test(depth_is_bounded_through_aliases_too),
        cmocka_unit_test(a_document_cut_anywhere_is_parsed_or_refused_with_a_place),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
