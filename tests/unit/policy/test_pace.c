/* SPDX-License-Identifier: Apache-2.0 */
/* Against the pairs of tests/data/tokens: what four tokenizers count of the same bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "policy/pace.h"

#define TOKENIZERS 4
#define KINDS 4
#define PAIRS_MOST 64

struct pair {
    int64_t tokens[TOKENIZERS];
    struct km_str body;
    struct km_text_size size;
};

static const char *const kinds[KINDS] = { "english", "japanese", "code", "mixed" };
static char *texts[KINDS];
static struct pair pairs[KINDS][PAIRS_MOST];
static size_t npairs[KINDS];

static void read_pair(struct km_str line, struct pair *p)
{
    struct km_str field;

    for (int i = 0; i < TOKENIZERS; i++) {
        assert_true(km_str_split(&line, '\t', &field));
        assert_int_equal(km_str_i64(field, &p->tokens[i]), 0);
    }
    p->body = line;
    p->size = km_text_measure(line);
}

static int load(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        char path[512];
        struct km_str rest, line;
        long n;
        FILE *f;

        snprintf(path, sizeof path, "%s/%s.tsv", KM_TEST_TOKENS, kinds[k]);
        f = fopen(path, "rb");
        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        n = ftell(f);
        rewind(f);
        texts[k] = malloc((size_t)n);
        assert_non_null(texts[k]);
        assert_int_equal(fread(texts[k], 1, (size_t)n, f), n);
        fclose(f);
        rest = km_str(texts[k], (size_t)n);
        while (km_str_split(&rest, '\n', &line) && line.n && npairs[k] < PAIRS_MOST)
            read_pair(line, &pairs[k][npairs[k]++]);
        assert_true(npairs[k] >= 40);
    }
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        free(texts[k]);
    return 0;
}

/* --- errors, in thousandths --- */

struct errors {
    int64_t of[KINDS * PAIRS_MOST * 20];
    size_t n;
};

static void note(struct errors *e, int64_t estimate, int64_t real)
{
    const int64_t off = estimate > real ? estimate - real : real - estimate;

    assert_true(e->n < sizeof e->of / sizeof e->of[0]);
    e->of[e->n++] = off * 1000 / real;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int64_t quantile(struct errors *e, size_t percent)
{
    qsort(e->of, e->n, sizeof e->of[0], by_size);
    return e->of[e->n * percent / 100];
}

static uint64_t rng;

static size_t below(size_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (size_t)(rng >> 11) % n;
}

static size_t gather(int first, int last, const struct pair **ret)
{
    size_t n = 0;

    for (int k = first; k <= last; k++)
        for (size_t i = 0; i < npairs[k]; i++)
            ret[n++] = &pairs[k][i];
    return n;
}

static void shuffle(const struct pair **list, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t at = below(i);
        const struct pair *other = list[at];

        list[at] = list[i - 1];
        list[i - 1] = other;
    }
}

/* --- the contract --- */

static void nothing_known_is_off_by_two_fifths_at_most(void **state)
{
    (void)state;
    for (int t = 0; t < TOKENIZERS; t++)
        for (int k = 0; k < KINDS; k++) {
            static struct errors e;

            e.n = 0;
            for (size_t i = 0; i < npairs[k]; i++)
                note(&e, km_pace_input(NULL, &pairs[k][i].size), pairs[k][i].tokens[t]);
            assert_true(quantile(&e, 50) <= 400);
            assert_true(quantile(&e, 95) <= 400);
        }
}

/* A deployment sees calls in a random order, ten times; those after the twentieth are judged. */
static void judge_after_twenty(int t, int first, int last, struct errors *e)
{
    const struct pair *list[KINDS * PAIRS_MOST];
    const size_t n = gather(first, last, list);

    e->n = 0;
    for (rng = 1; e->n < 10 * (n - KM_PACE_CALLS_KNOWN);) {
        struct km_paces *paces = km_paces_new();
        struct km_pace *p = km_paces_of(paces, KM_STR("a"));

        assert_non_null(p);
        shuffle(list, n);
        for (size_t i = 0; i < n; i++) {
            if (i >= KM_PACE_CALLS_KNOWN)
                note(e, km_pace_input(p, &list[i]->size), list[i]->tokens[t]);
            km_pace_learn_input(p, &list[i]->size, list[i]->tokens[t]);
        }
        km_paces_free(paces);
    }
    assert_true(quantile(e, 50) <= 150);
    assert_true(quantile(e, 95) <= 400);
}

static void twenty_calls_of_a_kind_calibrate(void **state)
{
    static struct errors e;

    (void)state;
    for (int t = 0; t < TOKENIZERS; t++)
        for (int k = 0; k < KINDS; k++)
            judge_after_twenty(t, k, k, &e);
}

static void twenty_calls_of_all_kinds_calibrate(void **state)
{
    static struct errors e;

    (void)state;
    for (int t = 0; t < TOKENIZERS; t++)
        judge_after_twenty(t, 0, KINDS - 1, &e);
}

/* What is reserved covers nearly every call, also of a deployment nothing is known of. */
static void a_reservation_is_seldom_exceeded(void **state)
{
    size_t n = 0, over = 0;

    (void)state;
    for (int t = 0; t < TOKENIZERS; t++)
        for (int k = 0; k < KINDS; k++)
            for (size_t i = 0; i < npairs[k]; i++, n++)
                over +=
                    km_pace_reserve(km_pace_input(NULL, &pairs[k][i].size)) < pairs[k][i].tokens[t];
    assert_true(over * 20 < n);
    assert_int_equal(km_pace_reserve(0), 256);
    assert_int_equal(km_pace_reserve(-1), 256);
    assert_int_equal(km_pace_reserve(1000), 1506);
    assert_int_equal(km_pace_reserve(1), 259 - 1);
    assert_int_equal(km_pace_reserve(INT64_MAX), INT64_MAX);
}

/* --- who lies --- */

static void lies_do_not_drive_an_estimate_away(void **state)
{
    const struct km_text_size *size = &pairs[0][npairs[0] - 1].size;
    struct km_paces *paces = km_paces_new();
    struct km_pace *low = km_paces_of(paces, KM_STR("low"));
    struct km_pace *high = km_paces_of(paces, KM_STR("high"));
    const int64_t before = km_pace_input(NULL, size);

    (void)state;
    km_pace_learn_input(low, size, 1);
    assert_true(km_pace_input(low, size) > before / 4);
    km_pace_learn_input(high, size, INT64_MAX);
    assert_true(km_pace_input(high, size) < before * 4);
    for (int i = 0; i < 1000; i++) {
        km_pace_learn_input(low, size, 1);
        km_pace_learn_input(high, size, INT64_MAX);
        km_pace_learn_input(low, size, 0);
        km_pace_learn_input(low, size, -7);
    }
    assert_in_range(km_pace_input(low, size), before / 5, before);
    assert_in_range(km_pace_input(high, size), before, before * 5);
    /* The truth is believed again. */
    for (int i = 0; i < 200; i++) {
        km_pace_learn_input(low, size, before);
        km_pace_learn_input(high, size, before);
    }
    assert_in_range(km_pace_input(low, size), before * 4 / 5, before * 6 / 5);
    assert_in_range(km_pace_input(high, size), before * 4 / 5, before * 6 / 5);
    km_paces_free(paces);
}

static void noise_of_an_enemy_keeps_all_estimates_sane(void **state)
{
    struct km_paces *paces = km_paces_new();
    struct km_pace *p = km_paces_of(paces, KM_STR("p"));

    (void)state;
    rng = 7;
    for (int i = 0; i < 20000; i++) {
        const int k = (int)below(KINDS);
        const struct km_text_size *size = &pairs[k][below(npairs[k])].size;
        const int64_t known = km_pace_input(NULL, size);

        km_pace_learn_input(p, size, below(2) ? 1 : (int64_t)below(1000000));
        assert_in_range(km_pace_input(p, size), 1, known * 4 + 2000);
    }
    km_paces_free(paces);
}

static void a_deployment_that_becomes_another_model_is_followed(void **state)
{
    const struct km_text_size *size = &pairs[1][npairs[1] / 2].size;
    struct km_paces *paces = km_paces_new();
    struct km_pace *p = km_paces_of(paces, KM_STR("p"));
    const int64_t before = km_pace_input(NULL, size);

    (void)state;
    for (int i = 0; i < 2000; i++)
        km_pace_learn_input(p, size, before);
    for (int i = 0; i < 300; i++)
        km_pace_learn_input(p, size, before * 2);
    assert_in_range(km_pace_input(p, size), before * 17 / 10, before * 23 / 10);
    km_paces_free(paces);
}

/* --- by deployment --- */

static void each_deployment_has_its_own_for_as_long_as_the_process(void **state)
{
    const struct km_text_size *size = &pairs[0][20].size;
    struct km_paces *paces = km_paces_new();
    struct km_pace *a = km_paces_of(paces, KM_STR("a")), *b = km_paces_of(paces, KM_STR("b"));

    (void)state;
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, km_paces_of(paces, KM_STR("a")));
    for (int i = 0; i < 20; i++)
        km_pace_learn_input(a, size, km_pace_input(NULL, size) * 3 / 2);
    assert_int_equal(km_pace_input(b, size), km_pace_input(NULL, size));
    assert_true(km_pace_input(a, size) > km_pace_input(b, size));
    assert_null(km_paces_free(paces));
    assert_null(km_paces_free(NULL));
}

static void an_empty_text_has_no_tokens_and_any_other_one(void **state)
{
    const struct km_text_size none = km_text_measure(KM_STR_NONE);
    const struct km_text_size one = km_text_measure(KM_STR("{\"a\":\"\",\"b\":\"\",\"c\":\"\"}"));
    const struct km_text_size word = km_text_measure(KM_STR("hello world"));

    (void)state;
    assert_int_equal(km_pace_input(NULL, &none), 0);
    assert_int_equal(km_pace_text(NULL, &none), 0);
    assert_true(km_pace_input(NULL, &one) >= 1);
    assert_int_equal(km_pace_text(NULL, &word), 2);
}

/* --- what comes out --- */

static void the_rate_is_the_middle_one_of_what_was_measured(void **state)
{
    struct km_paces *paces = km_paces_new();
    struct km_pace *p = km_paces_of(paces, KM_STR("p"));

    (void)state;
    assert_int_equal(km_pace_rate(NULL), 50000);
    assert_int_equal(km_pace_rate(p), 50000);
    assert_int_equal(km_pace_median_output(p), 0);
    assert_int_equal(km_pace_median_output(NULL), 0);
    km_pace_learn_output(p, 0, 1000);
    km_pace_learn_output(p, -1, 1000);
    assert_int_equal(km_pace_median_output(p), 0);
    km_pace_learn_output(p, 5, 1000); /* too few to say how fast it is */
    assert_int_equal(km_pace_median_output(p), 5);
    assert_int_equal(km_pace_rate(p), 50000);
    for (int i = 0; i < 100; i++)
        km_pace_learn_output(p, 190 + i % 21, 2000);
    assert_in_range(km_pace_rate(p), 90000, 110000);
    assert_in_range(km_pace_median_output(p), 180, 220);
    /* From a cache at once, and one that hung. */
    km_pace_learn_output(p, INT64_MAX, 1);
    km_pace_learn_output(p, INT64_MAX, 20);
    km_pace_learn_output(p, 200, UINT64_MAX);
    assert_in_range(km_pace_rate(p), 80000, 120000);
    assert_in_range(km_pace_median_output(p), 170, 240);
    km_paces_free(paces);
}

/* --- measuring --- */

static void body_of(struct km_buf *b, const char *before, const char *piece, size_t n,
                    const char *after)
{
    km_buf_reset(b);
    km_buf_str(b, km_str_c(before));
    for (size_t i = 0; i < n; i++)
        km_buf_str(b, km_str_c(piece));
    km_buf_str(b, km_str_c(after));
    assert_false(km_buf_failed(b));
}

static void a_short_text_is_counted_to_the_letter(void **state)
{
    const struct km_text_size s = km_text_measure(
        KM_STR("{\"content\":\"Two words, 34!\\n\\\"if\\\" \xe6\x97\xa5\xe6\x9c\xac \xc3\xa9\"}"));

    (void)state;
    assert_int_equal(s.letters, 7 + 3 + 5 + 2);
    assert_int_equal(s.words, 4);
    assert_int_equal(s.digits, 2);
    assert_int_equal(s.marks, 2 + 1 + 2 + 2); /* {} : ,! and the two quotes within */
    assert_int_equal(s.strings, 2);
    assert_int_equal(s.lines, 1);
    assert_int_equal(s.wide, 2);
    assert_int_equal(s.other, 1);
    assert_int_equal(s.media, 0);
}

static void escape_all(struct km_buf *out, struct km_str s)
{
    km_buf_reset(out);
    for (size_t i = 0; i < s.n;) {
        const unsigned char c = (unsigned char)s.p[i];
        const size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        uint32_t u = c & (0xffU >> (more + (more ? 2 : 0)));

        for (size_t k = 1; k <= more; k++)
            u = u << 6 | ((unsigned char)s.p[i + k] & 0x3f);
        i += 1 + more;
        if (u < 0x80)
            km_buf_str(out, km_str((const char *)&c, 1));
        else if (u < 0x10000)
            km_buf_printf(out, "\\u%04x", u);
        else
            km_buf_printf(out, "\\u%04x\\u%04X", 0xd800 + ((u - 0x10000) >> 10),
                          0xdc00 + (u & 0x3ff));
    }
    assert_false(km_buf_failed(out));
}

/* A client may escape all that is not ASCII. */
static void an_escaped_text_is_as_long_as_a_plain_one(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    (void)state;
    for (int k = 0; k < KINDS; k++)
        for (size_t i = 0; i < npairs[k]; i++) {
            struct km_text_size escaped;
            int64_t plain = km_pace_input(NULL, &pairs[k][i].size), other;

            escape_all(&b, pairs[k][i].body);
            escaped = km_text_measure(km_buf_view(&b));
            other = km_pace_input(NULL, &escaped);
            if (b.n <= 384) /* all of it is counted */
                assert_int_equal(plain, other);
            else
                assert_in_range(other, plain * 3 / 4, plain * 5 / 4);
        }
}

static void each_escape_is_what_it_stands_for_wherever_it_is(void **state)
{
    (void)state;
    for (size_t before = 0; before < 130; before++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
        struct km_text_size s;

        body_of(&b, "", " ", before,
                "\\u65e5\\u672C\\n\\\"\\u00e9\\\\users \\ud83d\\ude00 abc\\t9");
        s = km_text_measure(km_buf_view(&b));
        assert_int_equal(s.wide, 4);
        assert_int_equal(s.other, 1);
        assert_int_equal(s.lines, 1);
        assert_int_equal(s.letters, 8);
        assert_int_equal(s.words, 2);
        assert_int_equal(s.digits, 1);
        assert_int_equal(s.marks, 2);
        assert_int_equal(s.strings, 0);
    }
}

static const char picture[] = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk";

static void media_are_found_and_are_no_text(void **state)
{
    static const struct {
        const char *before, *piece, *after;
        size_t n;
        int64_t tokens;
    } cases[] = {
        { "{\"url\":\"data:image/png;base64,", picture, "\"},{\"text\":\"hello\"}", 3000, 258 },
        /* 1920 x 1080, 640 x 480, 8000 x 8000; an escape among them, and no pixels: by bytes */
        { "{\"d\":\"iVBORw0KGgoAAAANSUhEUgAAB4AAAAQ4CAYAAAAfFcSJ", picture, "\"}", 100, 2765 },
        { "{\"d\":\"iVBORw0KGgoAAAANSUhEUgAAAoAAAAHgCAYAAAAfFcSJ", picture, "\"}", 100, 410 },
        { "{\"d\":\"iVBORw0KGgoAAAANSUhEUgAAH0AAAB9ACAYAAAAfFcSJ", picture, "\"}", 100, 4784 },
        { "{\"d\":\"iVBORw0KGgoAAAANSUhEUgABAAD\\/////CAYAAAAfFcSJ", picture, "\"}", 3000, 3390 },
        { "{\"d\":\"iVBORw0KGgoAAAANSUhEUgAAAAAAAAAACAYAAAAfFcSJ", picture, "\"}", 1000, 1130 },
        { "{\"type\":\"base64\",\"data\":\"", picture, "\"},{\"text\":\"hello\"}", 6, 258 },
        { "{\"input_audio\":{\"data\":\"UklGRiQAAABXQVZFZm10IBAAAAABAAEA", "AAAAAAAAAAAAAAAA",
          "\",\"format\":\"wav\"},{\"text\":\"hello\"}", 40000, 600 },
        { "{\"file_data\":\"data:application/pdf;base64,JVBERi0xLjQK", picture,
          "\"},{\"text\":\"hello\"}", 1000, 2883 },
        { "{\"data\":\"/9j/4AAQ", "SkZJRgABAQAAAQABAAD\\/2wCEAAkGBw8QDw8QEBAQEA8PDw8P\\n",
          "\"},{\"text\":\"hello\"}", 1000, 471 },
    };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_text_size s;

        body_of(&b, cases[i].before, cases[i].piece, cases[i].n, cases[i].after);
        s = km_text_measure(km_buf_view(&b));
        assert_int_equal(s.media, 1);
        assert_true(s.media_bytes >= (int64_t)(cases[i].n * 16));
        assert_in_range(s.media_tokens, cases[i].tokens * 9 / 10, cases[i].tokens * 11 / 10);
        assert_true(s.letters < 60);
        assert_true(km_pace_input(NULL, &s) < s.media_tokens + 60);
    }
}

static void several_media_leave_the_text_between_them(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_text_size s;

    (void)state;
    for (int i = 0; i < 20; i++) {
        km_buf_str(&b, KM_STR("{\"text\":\"What is in this picture?\",\"url\":\"data:;base64,"));
        for (int k = 0; k < 100; k++)
            km_buf_str(&b, km_str_c(picture));
        km_buf_str(&b, KM_STR("\"}"));
    }
    s = km_text_measure(km_buf_view(&b));
    assert_int_equal(s.media, 20);
    assert_int_equal(s.words, 20 * 9);
    assert_int_equal(s.media_bytes, 20 * 100 * (int64_t)(sizeof picture - 1));
}

/* No letter of a kind, or no digit: a number in hexadecimal, a joke. */
static void long_words_are_no_media(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_text_size s;

    (void)state;
    body_of(&b, "{\"content\":\"", "x", 100000, "\"}");
    s = km_text_measure(km_buf_view(&b));
    assert_int_equal(s.media, 0);
    assert_true(km_pace_input(NULL, &s) > 10000);
    body_of(&b, "{\"content\":\"0x", "00c0ffee", 1000, "\"}");
    s = km_text_measure(km_buf_view(&b));
    assert_int_equal(s.media, 0);
    assert_in_range(km_pace_input(NULL, &s), 2000, 8000);
}

/* A coding agent's "hello": 44 KB of instructions and tools. */
static void a_long_body_is_no_token_a_byte(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        for (size_t i = 0; i < npairs[k]; i++)
            if (k != 1 && pairs[k][i].body.n > 2000)
                assert_true(km_pace_input(NULL, &pairs[k][i].size) <
                            (int64_t)pairs[k][i].body.n / 2);
}

static void assert_sane(const struct km_text_size *s)
{
    assert_true(s->letters >= 0);
    assert_true(s->words >= 0);
    assert_true(s->digits >= 0);
    assert_true(s->marks >= 0);
    assert_true(s->wide >= 0);
    assert_true(s->other >= 0);
    assert_true(s->media <= 1);
}

/* Each beginning and each end, in a copy of its own: a byte too far is found by the sanitizer. */
static void a_text_cut_anywhere_is_measured(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    (void)state;
    body_of(&b,
            "{\"a\":\"\\u3042\\ud83d\\ude00 caf\xc3\xa9 "
            "\xe3\x81\x82\xf0\x9f\x98\x80\\n\\\\\\\"\",\"d\":\"",
            picture, 6, "\\u65e5\"}");
    for (size_t n = 0; n <= b.n; n++) {
        char *head = malloc(n + 1), *tail = malloc(n + 1);
        struct km_text_size s;

        memcpy(head, b.p, n);
        memcpy(tail, b.p + (b.n - n), n);
        s = km_text_measure(km_str(head, n));
        assert_sane(&s);
        assert_true(s.letters + s.digits + s.marks + s.media_bytes <= (int64_t)n);
        s = km_text_measure(km_str(tail, n));
        assert_sane(&s);
        assert_true(km_pace_input(NULL, &s) <= 300 + (int64_t)n);
        free(head);
        free(tail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_off_by_two_fifths_at_most),
        cmocka_unit_test(twenty_calls_of_a_kind_calibrate),
        cmocka_unit_test(twenty_calls_of_all_kinds_calibrate),
        cmocka_unit_test(a_reservation_is_seldom_exceeded),
        cmocka_unit_test(lies_do_not_drive_an_estimate_away),
        cmocka_unit_test(noise_of_an_enemy_keeps_all_estimates_sane),
        cmocka_unit_test(a_deployment_that_becomes_another_model_is_followed),
        cmocka_unit_test(each_deployment_has_its_own_for_as_long_as_the_process),
        cmocka_unit_test(an_empty_text_has_no_tokens_and_any_other_one),
        cmocka_unit_test(the_rate_is_the_middle_one_of_what_was_measured),
        cmocka_unit_test(a_short_text_is_counted_to_the_letter),
        cmocka_unit_test(an_escaped_text_is_as_long_as_a_plain_one),
        cmocka_unit_test(each_escape_is_what_it_stands_for_wherever_it_is),
        cmocka_unit_test(media_are_found_and_are_no_text),
        cmocka_unit_test(several_media_leave_the_text_between_them),
        cmocka_unit_test(long_words_are_no_media),
        cmocka_unit_test(a_long_body_is_no_token_a_byte),
        cmocka_unit_test(a_text_cut_anywhere_is_measured),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
