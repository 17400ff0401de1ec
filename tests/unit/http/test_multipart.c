/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/multipart.h"

struct seen {
    struct km_buf text; /* "name@begin=value!end;" */
};

static int on_part(void *ctx, const struct km_multipart_part *part, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    km_buf_printf(&s->text, "%.*s%s@%llu=", KM_STR_ARG(part->name), part->file ? "*" : "",
                  (unsigned long long)part->begin);
    return 0;
}

static int on_data(void *ctx, struct km_str bytes, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    km_buf_str(&s->text, bytes);
    return 0;
}

static int on_end(void *ctx, uint64_t end, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    km_buf_printf(&s->text, "!%llu;", (unsigned long long)end);
    return 0;
}

static const struct km_multipart_events events = { on_part, on_data, on_end };

/* In two pieces, cut at `cut`. */
static int read_form(struct seen *s, struct km_str form, size_t cut, struct km_err *err)
{
    struct km_multipart m;
    int r = km_multipart_init(&m, KM_STR("multipart/form-data; boundary=B"), &events, s, err);

    km_buf_reset(&s->text);
    if (r == 0)
        r = km_multipart_feed(&m, km_str_sub(form, 0, cut), err);
    if (r == 0)
        r = km_multipart_feed(&m, km_str_skip(form, cut), err);
    return r == 0 ? km_multipart_end(&m, err) : r;
}

static void the_same_parts_wherever_it_is_cut(void **state)
{
    static const char spaced[] =
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nfast\r\n"
        "--B \r\n\r\n--B--"; /* some readers take it for a boundary */
    static const char foreign[] =
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nfast\r\n"
        "--B\r\ncontent-disposition:form-data;filename=\"a;b\\\"c\";name=file\r\nX-Y: z\r\n\r\n"
        "\r\n--C\r\r\n-\r\n--\r\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"\xC3\xA9\"\r\n\r\n\r\n--B--\r\n";
    static const char plain[] =
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nfast\r\n"
        "--B\r\ncontent-disposition:form-data;filename=\"a;b\\\"c\";name=file\r\nX-Y: z\r\n\r\n"
        "\r\n--C\r\r\n-\r\n--\r\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n\r\n--B--\r\n";
    static const char expect[] = "model@0=fast!59;file*@59=\r\n--C\r\r\n-\r\n--\r!149;e@149=!200;";
    struct seen s = { .text = KM_BUF(4096) };

    (void)state;
    for (size_t cut = 0; cut < sizeof plain; cut++) {
        assert_int_equal(read_form(&s, km_str(plain, sizeof plain - 1), cut, NULL), 0);
        assert_int_equal(s.text.n, sizeof expect - 1);
        assert_memory_equal(s.text.p, expect, sizeof expect - 1);
        assert_int_equal(read_form(&s, km_str(foreign, sizeof foreign - 1), cut, NULL),
                         KM_E_INVALID);
        assert_int_equal(read_form(&s, km_str(spaced, sizeof spaced - 1), cut, NULL), KM_E_INVALID);
    }
    km_buf_done(&s.text);
}

/* Werkzeug takes each of these for a second part named "model". */
static void a_boundary_behind_half_a_line_end_is_refused(void **state)
{
    static const char *const ends[] = { "\n", "\r", "\r\r", "\n\n", "\r\n\n", "\n\r" };
    struct seen s = { .text = KM_BUF(4096) };
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        for (int lookalike = 0; lookalike < 2; lookalike++) {
            km_buf_reset(&form);
            km_buf_printf(
                &form, "--B\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\nx%s--%s\r\n--B--",
                ends[i], lookalike ? "C" : "B");
            for (size_t cut = 0; cut < form.n; cut++) {
                struct km_err err = { 0 };
                int r = read_form(&s, km_buf_view(&form), cut, &err);

                if (!lookalike) {
                    assert_int_equal(r, KM_E_INVALID);
                    assert_non_null(strstr(err.text, "does not end in CRLF"));
                    continue;
                }
                assert_int_equal(r, 0); /* and its value is what stood there */
                assert_int_equal(km_str_find(km_buf_view(&s.text), KM_STR("=x")), 3);
                assert_memory_equal(s.text.p + 5, ends[i], strlen(ends[i]));
                assert_memory_equal(s.text.p + 5 + strlen(ends[i]), "--C!", 4);
            }
        }
    km_buf_done(&s.text);
}

static void a_form_cut_short_is_not_whole(void **state)
{
    static const char form[] = "--B\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--B--";
    struct seen s = { .text = KM_BUF(4096) };

    (void)state;
    for (size_t n = 0; n < sizeof form - 1; n++)
        assert_int_equal(read_form(&s, km_str(form, n), n / 2, NULL), KM_E_INVALID);
    assert_int_equal(read_form(&s, km_str(form, sizeof form - 1), 5, NULL), 0);
    km_buf_done(&s.text);
}

static void boundaries_are_what_the_standard_allows(void **state)
{
    static const struct {
        const char *type, *boundary;
    } cases[] = {
        { "multipart/form-data; boundary=abc", "abc" },
        { "multipart/form-data;charset=utf-8; BOUNDARY=\"a b\"", "a b" },
        { "multipart/form-data ; boundary=a ;", "a" },
        { "multipart/form-data", NULL },
        { "multipart/form-data; boundary=", NULL },
        { "multipart/form-data; boundary=\"\"", NULL },
        { "multipart/form-data; boundary=\"a", NULL },
        { "multipart/form-data; boundary=a; boundary=b", NULL },
        { "multipart/form-data; boundary=a b", NULL },
    };
    struct km_multipart m;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = km_multipart_init(&m, km_str_c(cases[i].type), &events, NULL, NULL);

        assert_int_equal(r, cases[i].boundary ? 0 : KM_E_INVALID);
        if (cases[i].boundary)
            assert_true(km_str_eq(km_multipart_boundary(&m), km_str_c(cases[i].boundary)));
    }
}

static void a_header_and_the_parts_have_bounds(void **state)
{
    struct seen s = { .text = KM_BUF(64 * 1024) };
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    (void)state;
    km_buf_str(&form, KM_STR("--B\r\nX: "));
    for (size_t i = 0; i < KM_MULTIPART_HEAD; i++)
        km_buf_byte(&form, 'y');
    assert_int_equal(read_form(&s, km_buf_view(&form), 9, NULL), KM_E_HEADER_TOO_LARGE);
    km_buf_reset(&form);
    for (size_t i = 0; i <= KM_MULTIPART_PARTS; i++)
        km_buf_printf(&form, "--B\r\nContent-Disposition: form-data; name=x%zu\r\n\r\n\r\n", i);
    assert_int_equal(read_form(&s, km_buf_view(&form), 9, NULL), KM_E_LIMIT);
    km_buf_done(&s.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_parts_wherever_it_is_cut),
        cmocka_unit_test(a_boundary_behind_half_a_line_end_is_refused),
        cmocka_unit_test(a_form_cut_short_is_not_whole),
        cmocka_unit_test(boundaries_are_what_the_standard_allows),
        cmocka_unit_test(a_header_and_the_parts_have_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
