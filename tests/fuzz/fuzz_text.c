/* SPDX-License-Identifier: Apache-2.0 */
/* The small parsers of base: numbers, decimals, dates, durations, base64, UTF-8, globs.
 *
 * Beyond "no crash": what is encoded decodes to itself and has one spelling; a JSON
 * string made of any bytes is valid UTF-8 without a bare control byte; a decimal that is
 * printed and read again is the same; a date that is printed and read again is the same; a
 * glob's star is a part of the text.
 */
#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/time.h"

static void numbers(struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);
    int64_t v, again;

    if (km_str_i64(s, &v) == 0) {
        km_buf_i64(&b, v);
        must(km_str_i64(km_buf_view(&b), &again) == 0 && again == v);
    }
    for (int scale = 0; scale <= 18; scale += 6) {
        if (km_str_decimal(s, scale, &v) < 0)
            continue;
        must(v >= 0);
        km_buf_reset(&b);
        km_buf_decimal(&b, v, scale);
        must(km_str_decimal(km_buf_view(&b), scale, &again) == 0 && again == v);
    }
}

static void dates(struct km_str s)
{
    char text[KM_TIME_ISO_LEN + 1];
    int64_t v, again;

    if (km_time_parse_iso(s, &v) == 0 && v >= 0 && v < INT64_C(253402300800000000)) {
        km_time_iso(v, text);
        must(km_time_parse_iso(km_str_c(text), &again) == 0 && again == v);
    }
    (void)!km_time_parse_http(s, &v);
    if (km_time_parse_duration(s, &v) == 0)
        must(v >= 0 && km_time_budget_reset(0, v) >= 0);
}

static void codes(struct km_str s)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_buf back KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_uuid id;

    km_buf_base64(&text, s);
    if (!km_buf_failed(&text)) {
        must(km_buf_unbase64(&back, km_buf_view(&text)) == 0);
        must(km_str_eq(km_buf_view(&back), s));
    }
    km_buf_reset(&back);
    km_buf_reset(&text);
    /* What decodes has one spelling: encoding it again gives it back, but for its alphabet. */
    if (km_buf_unbase64(&back, s) == 0) {
        km_buf_base64url(&text, km_buf_view(&back));
        for (size_t i = 0; i < text.n; i++)
            must(text.p[i] == s.p[i] || s.p[i] == '+' || s.p[i] == '/');
        must(s.n - text.n <= 2);
    }
    (void)!km_uuid_parse(s, &id);
}

static void json(struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 << 20);

    km_buf_json(&b, s);
    if (km_buf_failed(&b))
        return;
    must(km_utf8_valid(km_buf_view(&b)));
    must(b.n >= 2 && b.p[0] == '"' && b.p[b.n - 1] == '"');
    for (size_t i = 0; i < b.n; i++)
        must((unsigned char)b.p[i] >= 0x20);
}

static void globs(struct km_str s)
{
    const size_t at = km_str_chr(s, '\n');
    struct km_str pattern = km_str_sub(s, 0, at), text = km_str_skip(s, at + 1);
    struct km_str star = KM_STR_NONE;

    if (km_str_glob(pattern, text, &star))
        must(star.n == 0 || (star.p >= text.p && star.p + star.n <= text.p + text.n));
    must(km_str_distance(pattern, text) <= 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str s = km_str((const char *)data, size);

    numbers(s);
    dates(s);
    codes(s);
    json(s);
    globs(s);
    return 0;
}
