/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - see value.h for the contract.
 *
 * Every number arrives either as a YAML number or as text with a unit, also from flags and
 * variables, where all is text.  Amounts are read from their decimal text with a scale
 * (km_str_decimal), never through a double: "2.5" seconds is 2500 ms and 0.0000025 USD is
 * 2500000 pico-USD exactly.
 *
 *     10s, 75ms, 10min, 2.5     MS        numbers are seconds, as in LiteLLM's file
 *     30d, 1mo, 3600            SECONDS   LiteLLM's durations; a month is 30 days here
 *     32KiB, 1MB, 4096          BYTES     KiB by 1024, KB by 1000
 */
#include "config/value.h"

#include <stdio.h>

#include "config/env.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit byte_units[] = {
    { "", 1 },          { "B", 1 },       { "KiB", 1 << 10 }, { "MiB", 1 << 20 },
    { "GiB", 1 << 30 }, { "KB", 1000 },   { "MB", 1000000 },  { "GB", 1000000000 },
    { "K", 1 << 10 },   { "M", 1 << 20 }, { "G", 1 << 30 },   { NULL, 0 },
};
static const struct unit ms_units[] = {
    { "", 1000 },     { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
    { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};
static const struct unit second_units[] = {
    { "", 1 },      { "s", 1 },      { "m", 60 },       { "min", 60 }, { "h", 3600 },
    { "d", 86400 }, { "w", 604800 }, { "mo", 2592000 }, { NULL, 0 },
};

const char *km_value_type_name(enum km_node_type type)
{
    static const char *const names[] = {
        [KM_NODE_NULL] = "nothing",   [KM_NODE_BOOL] = "a boolean", [KM_NODE_INT] = "an integer",
        [KM_NODE_FLOAT] = "a number", [KM_NODE_STR] = "a string",   [KM_NODE_TIME] = "a date",
        [KM_NODE_SEQ] = "a list",     [KM_NODE_MAP] = "a mapping",
    };

    return names[type];
}

const char *km_value_expects(enum km_setting_type type)
{
    static const char *const names[] = {
        [KM_SET_BOOL] = "true or false",
        [KM_SET_INT] = "an integer",
        [KM_SET_BYTES] = "a size such as 32KiB, 1MB or a number of bytes",
        [KM_SET_MS] = "a duration such as 10s, 75ms, 10min or a number of seconds",
        [KM_SET_SECONDS] = "a duration such as 30s, 12h, 30d, 1mo or a number of seconds",
        [KM_SET_STR] = "a string",
        [KM_SET_SECRET] = "a string",
        [KM_SET_ENUM] = "one of its choices",
        [KM_SET_PRICE] = "a price in USD, not negative",
        [KM_SET_MONEY] = "an amount in USD, not negative",
        [KM_SET_WEIGHT] = "a number, not negative",
        [KM_SET_STR_LIST] = "a list of strings",
        [KM_SET_STR_MAP] = "a mapping of names to strings",
        [KM_SET_NODE] = "anything",
        [KM_SET_TABLE] = "a mapping",
        [KM_SET_TABLE_LIST] = "a list of mappings",
        [KM_SET_TABLE_MAP] = "a mapping of names to mappings",
    };

    return names[type];
}

static int unexpected(enum km_setting_type type, const struct km_node *node, struct km_err *err)
{
    return km_fail(err, KM_E_INVALID, "expected %s, found %s", km_value_expects(type),
                   km_value_type_name(node->type));
}

static int not_a(enum km_setting_type type, struct km_err *err)
{
    return km_fail(err, KM_E_INVALID, "expected %s", km_value_expects(type));
}

/* Copies without '_' into out; the number's own text must be short to be one. */
static bool strip(struct km_str text, char out[64], struct km_str *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '_')
            continue;
        if (n == 63)
            return false;
        out[n++] = text.p[i];
    }
    *ret = km_str(out, n);
    return true;
}

/* Decimal text, sign allowed, in units of 10^-scale. */
static int decimal(struct km_str s, int scale, int64_t *ret)
{
    bool minus = s.n > 1 && s.p[0] == '-';
    int r;

    if (s.n > 1 && (s.p[0] == '-' || s.p[0] == '+'))
        s = km_str_skip(s, 1);
    r = km_str_decimal(s, scale, ret);
    if (r == 0 && minus)
        *ret = -*ret;
    return r;
}

static size_t number_end(struct km_str s)
{
    size_t i = 0;

    while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || strchr("+-._", s.p[i])))
        i++;
    return i;
}

/* "1.5MB": the amount times the unit's factor, exact to a thousandth of the unit. */
static int with_unit(struct km_str s, const struct unit *units, int64_t *ret)
{
    size_t end;
    struct km_str name, digits;
    char buf[64];
    int64_t milli, v;

    s = km_str_trim(s);
    end = number_end(s);
    name = km_str_trim(km_str_skip(s, end));
    while (units->name && !km_str_ieq(name, km_str_c(units->name)))
        units++;
    if (!units->name || !end || !strip(km_str_sub(s, 0, end), buf, &digits))
        return KM_E_INVALID;
    if (decimal(digits, 0, &v) == 0 && km_str_chr(digits, '.') == digits.n)
        return __builtin_mul_overflow(v, units->factor, ret) ? KM_E_INVALID : 0;
    if (decimal(digits, 3, &milli) < 0 || __builtin_mul_overflow(milli, units->factor, &v))
        return KM_E_INVALID;
    *ret = v / 1000;
    return 0;
}

static int unit_value(const struct unit *units, enum km_setting_type type,
                      const struct km_node *node, int64_t *ret, struct km_err *err)
{
    if (node->type == KM_NODE_INT && !node->big) {
        if (!__builtin_mul_overflow(node->i, units->factor, ret))
            return 0;
        return not_a(type, err);
    }
    if (node->type == KM_NODE_FLOAT) {
        double v = node->f * (double)units->factor;

        if (!(v > -9e15 && v < 9e15))
            return not_a(type, err);
        *ret = (int64_t)(v < 0 ? v - 0.5 : v + 0.5);
        return 0;
    }
    if (node->type != KM_NODE_STR)
        return unexpected(type, node, err);
    return with_unit(node->text, units, ret) < 0 ? not_a(type, err) : 0;
}

static int int_value(const struct km_node *node, int64_t *ret, struct km_err *err)
{
    struct km_str text;
    char buf[64];

    if (node->type == KM_NODE_INT && !node->big) {
        *ret = node->i;
        return 0;
    }
    if (node->type == KM_NODE_INT)
        return km_fail(err, KM_E_INVALID, "this integer is too large");
    if (node->type == KM_NODE_FLOAT && node->f >= -1e15 && node->f <= 1e15 &&
        !((double)(int64_t)node->f < node->f) && !((double)(int64_t)node->f > node->f)) {
        *ret = (int64_t)node->f;
        return 0;
    }
    if (node->type != KM_NODE_STR)
        return unexpected(KM_SET_INT, node, err);
    if (!strip(km_str_trim(node->text), buf, &text) || km_str_i64(text, ret) < 0)
        return not_a(KM_SET_INT, err);
    return 0;
}

static int amount_value(enum km_setting_type type, int scale, const struct km_node *node,
                        int64_t *ret, struct km_err *err)
{
    struct km_str text;
    char buf[64];

    if (node->type != KM_NODE_INT && node->type != KM_NODE_FLOAT && node->type != KM_NODE_STR)
        return unexpected(type, node, err);
    if (!strip(km_str_trim(node->text), buf, &text) || km_str_decimal(text, scale, ret) < 0)
        return not_a(type, err);
    return 0;
}

static int enum_value(const struct km_setting *row, const struct km_node *node, int64_t *ret,
                      struct km_err *err)
{
    char list[256] = "";
    size_t n = 0;

    if (node->type == KM_NODE_SEQ || node->type == KM_NODE_MAP)
        return unexpected(KM_SET_ENUM, node, err);
    for (size_t i = 0; row->choices[i]; i++) {
        if (km_str_eq(node->text, km_str_c(row->choices[i]))) {
            *ret = (int64_t)i;
            return 0;
        }
        if (n < sizeof list)
            n +=
                (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return km_fail(err, KM_E_INVALID, "expected one of: %s", list);
}

static int in_range(const struct km_setting *row, int64_t v, struct km_err *err)
{
    const char *unit = row->type == KM_SET_MS ? " ms" : row->type == KM_SET_SECONDS ? " s" : "";

    if ((row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max))
        return 0;
    return km_fail(err, KM_E_INVALID, "out of range: from %lld to %lld%s", (long long)row->min,
                   (long long)row->max, unit);
}

int km_value_number(const struct km_setting *row, const struct km_node *node, int64_t *ret_value,
                    struct km_err *err)
{
    int64_t v = 0;
    int r;

    switch (row->type) {
    case KM_SET_INT:
        r = int_value(node, &v, err);
        break;
    case KM_SET_BYTES:
        r = unit_value(byte_units, row->type, node, &v, err);
        break;
    case KM_SET_MS:
        r = unit_value(ms_units, row->type, node, &v, err);
        break;
    case KM_SET_SECONDS:
        r = unit_value(second_units, row->type, node, &v, err);
        break;
    case KM_SET_PRICE:
        r = amount_value(row->type, 12, node, &v, err);
        break;
    case KM_SET_MONEY:
        r = amount_value(row->type, 9, node, &v, err);
        break;
    case KM_SET_WEIGHT:
        r = amount_value(row->type, 3, node, &v, err);
        break;
    case KM_SET_ENUM:
        r = enum_value(row, node, &v, err);
        break;
    default:
        return km_fail(err, KM_E_INTERNAL, "a row of this type has no number");
    }
    if (r == 0 && row->type != KM_SET_ENUM)
        r = in_range(row, v, err);
    if (r == 0)
        *ret_value = v;
    return r;
}

/* Text counts as a boolean only where all is text: flags and variables.  In a file, "false" in
 * quotes is true to Python, so neither meaning would be right. */
bool km_value_is_number(enum km_setting_type type)
{
    return type == KM_SET_INT || type == KM_SET_BYTES || type == KM_SET_MS ||
           type == KM_SET_SECONDS || type == KM_SET_ENUM || km_setting_is_amount(type);
}

int km_value_bool(const struct km_node *node, bool *ret_value, struct km_err *err)
{
    if (node->type == KM_NODE_BOOL) {
        *ret_value = node->b;
        return 0;
    }
    if (node->type == KM_NODE_STR && !node->from_env)
        return km_fail(err, KM_E_INVALID, "expected true or false without quotes");
    if (node->type != KM_NODE_STR)
        return unexpected(KM_SET_BOOL, node, err);
    if (km_env_bool(node->text, ret_value) == 0)
        return 0;
    return not_a(KM_SET_BOOL, err);
}

int km_value_str(const struct km_node *node, struct km_str *ret_value, struct km_err *err)
{
    switch (node->type) {
    case KM_NODE_STR:
    case KM_NODE_INT:
    case KM_NODE_FLOAT:
    case KM_NODE_TIME:
        *ret_value = node->text;
        return 0;
    case KM_NODE_BOOL:
        return km_fail(err, KM_E_INVALID, "expected a string, found a boolean (quote it)");
    default:
        return unexpected(KM_SET_STR, node, err);
    }
}
