/* SPDX-License-Identifier: Apache-2.0 */
/* str_number.c - text to integers, exactly, and back; see str.h for the contract.
 *
 * Prices are written as "0.0000025" or "2.5e-06" and kept as integers (pico-USD a unit),
 * so they are never a double on the way: strtod would turn 2.5e-06 into a number beside
 * it, and a bill that is off by one unit in a million is a bill that does not add up.
 *
 * A decimal is its digits and the place of its point:
 *
 *     text "12.5e-3", scale 6:  digits 1 2 5, point after 2 of them, exponent -3 + 6
 *     keep = 2 - 3 + 6 = 5 digits of the result: 1 2 5 0 0  -> 12500
 *
 * Digits past `keep` are cut off, the first of them rounds half up.  Fewer digits than
 * `keep` are filled up with zeros until the result overflows.
 */
#include "base/str.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int km_str_u64(struct km_str s, uint64_t *ret_value)
{
    uint64_t v = 0;

    if (s.n == 0)
        return KM_E_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]) || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return KM_E_INVALID;
    }
    *ret_value = v;
    return 0;
}

int km_str_i64(struct km_str s, int64_t *ret_value)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    uint64_t v;

    if (km_str_u64(negative ? km_str_skip(s, 1) : s, &v) < 0)
        return KM_E_INVALID;
    if (v > (uint64_t)INT64_MAX + negative)
        return KM_E_INVALID;
    *ret_value = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* Takes "digits[.digits]" off *s.  Leading zeros are left out of what is counted. */
struct digits {
    struct km_str whole, fraction;
};

static struct km_str take_digits(struct km_str *s)
{
    size_t n = 0;
    struct km_str digits;

    while (n < s->n && is_digit(s->p[n]))
        n++;
    digits = km_str_sub(*s, 0, n);
    *s = km_str_skip(*s, n);
    return digits;
}

static int take_mantissa(struct km_str *s, struct digits *ret_digits)
{
    ret_digits->whole = take_digits(s);
    ret_digits->fraction = KM_STR_NONE;
    if (s->n && s->p[0] == '.') {
        *s = km_str_skip(*s, 1);
        ret_digits->fraction = take_digits(s);
    }
    return ret_digits->whole.n + ret_digits->fraction.n ? 0 : KM_E_INVALID;
}

/* Takes an optional exponent, which must be all that is left. */
static int take_exponent(struct km_str s, int64_t *ret_exponent)
{
    const int64_t enough = INT64_C(1) << 60; /* beyond the length of any text */
    bool negative;
    int64_t e = 0;

    *ret_exponent = 0;
    if (s.n == 0)
        return 0;
    if (s.p[0] != 'e' && s.p[0] != 'E')
        return KM_E_INVALID;
    s = km_str_skip(s, 1);
    negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = km_str_skip(s, 1);
    if (s.n == 0)
        return KM_E_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return KM_E_INVALID;
        if (e < enough / 16)
            e = e * 10 + (s.p[i] - '0');
    }
    *ret_exponent = negative ? -e : e;
    return 0;
}

static int digit_at(const struct digits *d, size_t i)
{
    if (i < d->whole.n)
        return d->whole.p[i] - '0';
    i -= d->whole.n;
    return i < d->fraction.n ? d->fraction.p[i] - '0' : 0;
}

int km_str_decimal(struct km_str s, int scale, int64_t *ret_value)
{
    struct digits d;
    int64_t exponent, keep, v = 0;
    size_t count, first = 0;

    if (take_mantissa(&s, &d) < 0 || take_exponent(s, &exponent) < 0)
        return KM_E_INVALID;
    count = d.whole.n + d.fraction.n;
    while (first < count && digit_at(&d, first) == 0)
        first++;
    keep = (int64_t)d.whole.n + exponent + scale; /* digits before the cut, from index 0 */
    if (first == count || keep < (int64_t)first) {
        *ret_value = 0;
        return 0;
    }
    if (keep - (int64_t)first > 19)
        return KM_E_INVALID;
    for (size_t i = first; i < (size_t)keep; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit_at(&d, i), &v))
            return KM_E_INVALID;
    if (digit_at(&d, (size_t)keep) >= 5 && __builtin_add_overflow(v, 1, &v))
        return KM_E_INVALID;
    *ret_value = v;
    return 0;
}

static const char pairs[200] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

static char *pair_before(char *end, uint32_t v)
{
    memcpy(end - 2, pairs + (size_t)2 * v, 2);
    return end - 2;
}

/* Four digits a division of 64 bits. */
char *km_digits_before(char *end, uint64_t v)
{
    uint32_t few;

    for (; v >= 10000; v /= 10000) {
        few = (uint32_t)(v % 10000);
        end = pair_before(pair_before(end, few % 100), few / 100);
    }
    few = (uint32_t)v;
    if (few >= 100) {
        end = pair_before(end, few % 100);
        few /= 100;
    }
    if (few >= 10)
        return pair_before(end, few);
    *--end = (char)('0' + few);
    return end;
}
