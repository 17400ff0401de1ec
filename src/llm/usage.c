/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - see usage.h.
 *
 *     absent, null        0, and bad where the count is due
 *     0 .. most           the count
 *     anything else       0, and bad
 *
 * A number is judged by its text, never by a double: 1e300 and 99999999999999999999 are out of
 * range, not large.
 */
#include "llm/usage.h"

/* A number's text is there, or not: is it a count? */
static int64_t judge_count(bool is_number, const int64_t *n, bool *bad)
{
    if (is_number && *n >= 0 && *n <= KM_TOKENS_SAID_MOST)
        return *n;
    *bad = true;
    return 0;
}

static bool is_left_out(const struct km_json *v)
{
    enum km_json_type kind = km_json_kind(v);

    return kind == KM_JSON_ABSENT || kind == KM_JSON_NULL;
}

int64_t km_usage_value(const struct km_json *v, bool *bad)
{
    int64_t n = 0;
    bool is_number = km_json_i64(v, &n);

    return judge_count(is_number, &n, bad);
}

void km_usage_take(const struct km_json *v, int64_t *value, bool *bad)
{
    if (!is_left_out(v))
        *value = km_usage_value(v, bad);
}

int64_t km_usage_ms(const struct km_json *object, const char *name, bool *bad)
{
    const struct km_json *v = km_json_get(object, name);
    struct km_str number;
    int64_t micro;

    if (is_left_out(v))
        return 0;
    if (km_json_number(v, &number) && km_str_decimal(number, 6, &micro) == 0 && micro >= 0 &&
        micro <= KM_MS_SAID_MOST * 1000)
        return micro / 1000 + (micro % 1000 != 0);
    *bad = true;
    return 0;
}

int64_t km_usage_text(struct km_str text, bool *bad)
{
    int64_t n = 0;
    bool is_number = km_str_i64(text, &n) == 0;

    return judge_count(is_number, &n, bad);
}
