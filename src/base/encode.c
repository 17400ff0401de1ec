/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - see encode.h for the contract.
 *
 * Base64 is read strictly: padding only at the end and only where it belongs, no white
 * space, no bits set beyond the last byte.  One text, one meaning: tokens and signatures
 * pass through here, and two spellings of one value are two keys in somebody's table.
 *
 * UTF-8 is checked as the Unicode standard's table 3-7 has it: no overlong forms, no
 * surrogates, nothing above U+10FFFF.  Most text is ASCII, so eight bytes at a time are
 * looked at first.
 */
#include "base/encode.h"

void km_hex(char *out, const void *p, size_t n)
{
    const uint8_t *bytes = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

int km_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int km_unhex(struct km_str s, void *out, size_t n)
{
    uint8_t *bytes = out;

    if (s.n / 2 != n || s.n % 2)
        return KM_E_INVALID;
    for (size_t i = 0; i < s.n; i++)
        if (km_hex_value(s.p[i]) < 0)
            return KM_E_INVALID;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(km_hex_value(s.p[2 * i]) << 4 | km_hex_value(s.p[2 * i + 1]));
    return 0;
}

static void base64(struct km_buf *b, struct km_str s, const char *alphabet, bool padded)
{
    const uint8_t *in = (const uint8_t *)s.p;
    size_t left = s.n;
    char *out = s.n / 3 < SIZE_MAX / 8 ? km_buf_reserve(b, (s.n + 2) / 3 * 4) : NULL;
    char *const start = out;

    if (!out) {
        km_buf_fail(b);
        return;
    }
    while (left) {
        size_t take = left < 3 ? left : 3;
        uint32_t v = (uint32_t)in[0] << 16;

        v |= take > 1 ? (uint32_t)in[1] << 8 : 0;
        v |= take > 2 ? (uint32_t)in[2] : 0;
        for (size_t i = 0; i < 4; i++)
            if (i <= take)
                *out++ = alphabet[v >> (18 - 6 * i) & 63];
            else if (padded)
                *out++ = '=';
        in += take;
        left -= take;
    }
    b->n += (size_t)(out - start);
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

void km_buf_base64(struct km_buf *b, struct km_str s)
{
    base64(b, s, LETTERS "+/", true);
}

void km_buf_base64url(struct km_buf *b, struct km_str s)
{
    base64(b, s, LETTERS "-_", false);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Takes correct padding off; what is left may not have any. */
static struct km_str unpad(struct km_str s)
{
    if (s.n && s.n % 4 == 0 && s.p[s.n - 1] == '=') {
        s.n--;
        if (s.p[s.n - 1] == '=')
            s.n--;
    }
    return s;
}

int km_buf_unbase64(struct km_buf *b, struct km_str s)
{
    size_t before = b->n;
    uint32_t v = 0;
    unsigned bits = 0;
    char *out;

    s = unpad(s);
    if (s.n % 4 == 1)
        return KM_E_INVALID;
    out = km_buf_reserve(b, s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0));
    if (!out)
        return KM_E_LIMIT;
    for (size_t i = 0; i < s.n; i++) {
        int value = base64_value(s.p[i]);

        if (value < 0) {
            b->n = before;
            return KM_E_INVALID;
        }
        v = v << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            b->p[b->n++] = (char)(v >> bits & 0xff);
        }
    }
    if (v & ((1u << bits) - 1)) {
        b->n = before;
        return KM_E_INVALID;
    }
    return 0;
}

static bool between(uint8_t c, uint8_t low, uint8_t high)
{
    return c >= low && c <= high;
}

size_t km_utf8_step(struct km_str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t n;
    uint8_t low = 0x80, high = 0xbf;

    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (between(p[0], 0xc2, 0xdf))
        n = 2;
    else if (between(p[0], 0xe0, 0xef))
        n = 3;
    else if (between(p[0], 0xf0, 0xf4))
        n = 4;
    else
        return 0;
    /* The second byte is bounded where the first alone allows too much. */
    if (p[0] == 0xe0)
        low = 0xa0; /* overlong */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90; /* overlong */
    else if (p[0] == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    if (s.n < n || !between(p[1], low, high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!between(p[i], 0x80, 0xbf))
            return 0;
    return n;
}

bool km_utf8_valid(struct km_str s)
{
    while (s.n) {
        uint64_t word;
        size_t n;

        if (s.n >= sizeof word) {
            memcpy(&word, s.p, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                s = km_str_skip(s, sizeof word);
                continue;
            }
        }
        n = km_utf8_step(s);
        if (n == 0)
            return false;
        s = km_str_skip(s, n);
    }
    return true;
}

struct km_str km_utf8_cut(struct km_str s, size_t most)
{
    size_t n = s.n < most ? s.n : most;

    while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return km_str_sub(s, 0, n);
}

static bool begins_one(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t km_utf8_chars(struct km_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += begins_one(s.p[i]);
    return n;
}

size_t km_utf8_bytes(struct km_str s, size_t chars)
{
    size_t i = 0;

    for (; i < s.n; i++)
        if (begins_one(s.p[i]) && chars-- == 0)
            break;
    return i;
}
