/* SPDX-License-Identifier: Apache-2.0 */
/* salvage.c - see salvage.h.
 *
 * Members of the outermost object are followed from its beginning until the line ends or is no
 * JSON any more, more patiently than a parser does: NaN and its like are values, a string may hold
 * any bytes, and nesting may go 65,536 levels deep.
 *
 *     {"result": ... ,"jsonrpc":"2.0","id":7, ...
 *      ^ level 1: its members count       ^ only with a comma or brace behind it: 71 was not cut
 *
 * It is an answer when `result` or `error` stood there, and no `method`; a server counts its own
 * requests from 1, too.  The id is sure when it is a number, stood there once, and no name before
 * or behind it was spelled with escapes, which could be `id` again.
 *
 * What begins with anything else, or breaks before its id, is passed over, even if one call alone
 * is open: a word that some library prints, a torn notification and half of an answer look the
 * same, and the call may well be answered by the next line.
 */
#include "mcp/salvage.h"

#define LEVELS 65536

enum expect { VALUE, FIRST_VALUE, NAME, FIRST_NAME, COLON, AFTER };

struct walk {
    const char *p, *end;
    enum expect expect;
    unsigned depth;
    uint8_t in_object[LEVELS / 8];
    struct km_str name; /* the newest of level 1 */
    uint64_t id; /* read, but what is behind it was not seen */
    uint64_t sure;
    unsigned ids;
    bool answer, other; /* a member of an answer was there; one of something else, or unclear */
};

static bool object(const struct walk *w)
{
    unsigned at = w->depth - 1;

    return w->in_object[at / 8] >> at % 8 & 1;
}

static bool push(struct walk *w, bool is_object)
{
    unsigned at = w->depth, bit = 1U << at % 8;

    if (at == LEVELS)
        return false;
    w->in_object[at / 8] =
        (uint8_t)(is_object ? w->in_object[at / 8] | bit : w->in_object[at / 8] & ~bit);
    w->depth++;
    w->expect = is_object ? FIRST_NAME : FIRST_VALUE;
    return true;
}

static bool pop(struct walk *w, bool is_object)
{
    if (w->depth == 0 || object(w) != is_object)
        return false;
    w->depth--;
    w->expect = AFTER;
    return true;
}

/* At a quote; the characters between it and the next one, which is passed. */
static bool string(struct walk *w, struct km_str *ret)
{
    const char *from = ++w->p;

    for (; w->p < w->end; w->p++) {
        if (*w->p == '\\' && w->p + 1 < w->end) {
            w->p++;
        } else if (*w->p == '"') {
            *ret = km_str(from, (size_t)(w->p++ - from));
            return true;
        }
    }
    return false;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

static bool word(struct walk *w, struct km_str *ret)
{
    const char *from = w->p;

    while (w->p < w->end && is_word(*w->p))
        w->p++;
    *ret = km_str(from, (size_t)(w->p - from));
    return ret->n > 0;
}

static bool name(struct walk *w)
{
    struct km_str read;

    if (*w->p != '"' || !string(w, &read))
        return false;
    w->expect = COLON;
    if (w->depth > 1)
        return true;
    w->name = read;
    w->other = w->other || km_str_eq(read, KM_STR("method")) || km_str_chr(read, '\\') < read.n;
    w->ids += km_str_eq(read, KM_STR("id"));
    return true;
}

static bool value(struct walk *w)
{
    bool top = w->depth == 1, id = top && km_str_eq(w->name, KM_STR("id"));
    struct km_str read;

    w->answer =
        w->answer ||
        (top && (km_str_eq(w->name, KM_STR("result")) || km_str_eq(w->name, KM_STR("error"))));
    w->expect = AFTER;
    if (*w->p == '{' || *w->p == '[') {
        w->other = w->other || id;
        return push(w, *w->p++ == '{');
    }
    if (*w->p == '"') {
        w->other = w->other || id;
        return string(w, &read);
    }
    if (!word(w, &read))
        return false;
    if (id && km_str_u64(read, &w->id) < 0)
        w->other = true;
    return true;
}

static bool after(struct walk *w)
{
    char c = *w->p++;

    if (w->depth == 1 && (c == ',' || c == '}'))
        w->sure = w->id;
    if (c == ',' && w->depth > 0) {
        w->expect = object(w) ? NAME : VALUE;
        return true;
    }
    return c == '}' || c == ']' ? pop(w, c == '}') : false;
}

/* One more token; false: it is none. */
static bool step(struct walk *w)
{
    switch (w->expect) {
    case FIRST_NAME:
    case FIRST_VALUE:
        if (*w->p == (w->expect == FIRST_NAME ? '}' : ']'))
            return pop(w, *w->p++ == '}');
        return w->expect == FIRST_NAME ? name(w) : value(w);
    case NAME:
        return name(w);
    case VALUE:
        return value(w);
    case COLON:
        w->expect = VALUE;
        return *w->p++ == ':';
    default:
        return after(w);
    }
}

uint64_t km_mcp_salvage_id(struct km_str line)
{
    struct walk w = { .p = line.p };

    if (!line.n || *w.p != '{')
        return 0;
    w.end = line.p + line.n;
    while (w.p < w.end) {
        if (*w.p == ' ' || *w.p == '\t' || *w.p == '\r' || *w.p == '\n')
            w.p++;
        else if (!step(&w))
            break;
    }
    return w.answer && !w.other && w.ids == 1 ? w.sure : 0;
}
