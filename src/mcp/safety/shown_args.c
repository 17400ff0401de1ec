/* SPDX-License-Identifier: Apache-2.0 */
/* shown_args.c - see shown_args.h for the contract.
 *
 *     {"note": 3 KB of text, "opts": {...}, "command": "rm -rf /"}
 *        │                     │              └── 10 bytes: whole
 *        └── what is left ─────┴── shared evenly; each is cut within its own share
 *
 * The share is found as water finds its level: whatever needs less than an even share is given
 * what it needs, and the others share what that leaves, until nothing changes.  A nested object
 * or array shares its own room in the same way.  Of a list too long even for the least share of
 * each item the beginning and the end are shown.
 *
 * Sizes are measured up to the room there is and no further, so that a text of megabytes costs
 * no more than one that just does not fit.
 */
#include "mcp/safety/shown_args.h"

#include <stdio.h>

#include "base/encode.h"
#include "mcp/safety/scan.h"

#define SHARE_LEAST 96 /* bytes of a member: its name, its value, and how long they are */
#define SHARES_MOST 170 /* of one object or array */
#define MARK_BYTES 48 /* of what says how long something is */
#define ESCAPED_BYTES 16

_Static_assert((KM_ARGS_SHOWN_BYTES - 2 - MARK_BYTES) / SHARE_LEAST >= KM_ARGS_MEMBERS,
               "each member of the arguments has its share");
_Static_assert(KM_ARGS_MEMBERS <= SHARES_MOST, "and its place");

/* --- characters --- */

static bool is_unsafe(uint32_t cp)
{
    return cp < 0x20 || cp == '"' || cp == '\\' || cp == 0x2028 || cp == 0x2029 ||
           km_scan_invisible(cp);
}

/* The first character of s (not empty) as JSON has it; *ret_n: its bytes in s. */
static struct km_str escaped(struct km_str s, char room[ESCAPED_BYTES], size_t *ret_n)
{
    uint32_t cp = km_scan_code_point(s, ret_n);
    int n;

    if (!is_unsafe(cp))
        return km_str_sub(s, 0, *ret_n);
    if (cp == '"' || cp == '\\')
        n = snprintf(room, ESCAPED_BYTES, "\\%c", (char)cp);
    else if (cp == '\n' || cp == '\r' || cp == '\t')
        n = snprintf(room, ESCAPED_BYTES, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
    else if (cp < 0x10000)
        n = snprintf(room, ESCAPED_BYTES, "\\u%04x", (unsigned)cp);
    else
        n = snprintf(room, ESCAPED_BYTES, "\\u%04x\\u%04x",
                     (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
                     (unsigned)(0xdc00 + (cp & 0x3ff)));
    return km_str(room, (size_t)n);
}

static void put_escaped(struct km_buf *out, struct km_str s)
{
    char room[ESCAPED_BYTES];
    size_t n;

    for (; s.n; s = km_str_skip(s, n))
        km_buf_str(out, escaped(s, room, &n));
}

/* Escaped bytes of s; anything over `most` when there are more. */
static size_t escaped_size(struct km_str s, size_t most)
{
    char room[ESCAPED_BYTES];
    size_t n, size = 0;

    for (; s.n && size <= most; s = km_str_skip(s, n))
        size += escaped(s, room, &n).n;
    return size;
}

/* --- sizes --- */

static size_t text_size(struct km_str s, size_t most)
{
    return escaped_size(s, most) + 2;
}

/* What it takes to write v whole; anything over `most` when it is more. */
static size_t size_of(const struct km_json *v, size_t most)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, s;
    size_t size = 2;

    if (km_json_string(v, &s))
        return text_size(s, most);
    if (km_json_number(v, &s))
        return s.n;
    if (km_json_kind(v) != KM_JSON_OBJECT && km_json_kind(v) != KM_JSON_ARRAY)
        return sizeof "false" - 1;
    for (km_json_iter(v, &it); size <= most && km_json_next(&it, &key, &item);) {
        size += size_of(item, most - size) + 1;
        if (it.object && size <= most)
            size += text_size(key, most - size) + 1;
    }
    return size;
}

/* --- whole --- */

void km_args_text(struct km_str s, struct km_buf *out)
{
    km_buf_byte(out, '"');
    put_escaped(out, s);
    km_buf_byte(out, '"');
}

void km_args_json(struct km_str json, struct km_buf *out)
{
    char room[ESCAPED_BYTES];
    size_t n, from = 0;

    for (size_t at = 0; at < json.n; at += n) {
        uint32_t cp;

        n = 1; /* what ASCII has of them is escaped in JSON, or stands between values */
        if ((unsigned char)json.p[at] < 0x7f)
            continue;
        cp = km_scan_code_point(km_str_skip(json, at), &n);
        if (!km_scan_invisible(cp))
            continue;
        km_buf_str(out, km_str_sub(json, from, at - from));
        km_buf_str(out, escaped(km_str_skip(json, at), room, &n));
        from = at + n;
    }
    km_buf_str(out, km_str_skip(json, from));
}

static void put_whole(struct km_buf *out, const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, s;
    bool object = km_json_kind(v) == KM_JSON_OBJECT, first = true;

    if (km_json_string(v, &s)) {
        km_args_text(s, out);
        return;
    }
    if (!object && km_json_kind(v) != KM_JSON_ARRAY) {
        km_json_write(v, out);
        return;
    }
    km_buf_byte(out, object ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item); first = false) {
        if (!first)
            km_buf_byte(out, ',');
        if (object) {
            km_args_text(key, out);
            km_buf_byte(out, ':');
        }
        put_whole(out, item);
    }
    km_buf_byte(out, object ? '}' : ']');
}

/* --- cut --- */

/* As much of the end of s as `most` escaped bytes hold. */
static struct km_str end_of(struct km_str s, size_t most)
{
    char room[ESCAPED_BYTES];
    size_t at = s.n, n, size = 0;

    while (at > 0) {
        size_t before = at - 1;

        while (before > 0 && ((unsigned char)s.p[before] & 0xc0) == 0x80)
            before--;
        size += escaped(km_str_skip(s, before), room, &n).n;
        if (size > most)
            break;
        at = before;
    }
    return km_str_skip(s, at);
}

static struct km_str beginning_of(struct km_str s, size_t most)
{
    char room[ESCAPED_BYTES];
    size_t at = 0, n, size = 0;

    while (at < s.n) {
        size += escaped(km_str_skip(s, at), room, &n).n;
        if (size > most)
            break;
        at += n;
    }
    return km_str_sub(s, 0, at);
}

/* Its beginning, how long it is, its end; as a text, whatever it was. */
static void put_cut_text(struct km_buf *out, struct km_str s, size_t most)
{
    size_t room = most > MARK_BYTES ? most - MARK_BYTES : 0;
    struct km_str head = beginning_of(s, room - room / 4);

    km_buf_byte(out, '"');
    put_escaped(out, head);
    km_buf_printf(out, " ... (%zu bytes in all) ... ", s.n);
    put_escaped(out, end_of(km_str_skip(s, head.n), room / 4));
    km_buf_byte(out, '"');
}

struct shares {
    size_t head, tail; /* items that are shown, from the beginning and from the end */
    size_t each; /* bytes of an item, at most */
    size_t n;
    size_t size[SHARES_MOST];
};

static bool is_shown(const struct shares *s, size_t at)
{
    return at < s->head || at >= s->n - s->tail;
}

static void find_level(struct shares *s, size_t room)
{
    size_t shown = s->head + s->tail, left = shown, before;

    do {
        before = left;
        s->each = room / (left ? left : 1);
        for (size_t i = 0; i < shown; i++)
            if (s->size[i] && s->size[i] <= s->each) {
                room -= s->size[i];
                s->size[i] = 0; /* it has what it needs */
                left--;
            }
    } while (left && left != before);
}

/* Which items of v are shown in `room` bytes, and in how many each. */
static void share(const struct km_json *v, size_t room, struct shares *s)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;
    size_t most = room / SHARE_LEAST < SHARES_MOST ? room / SHARE_LEAST : SHARES_MOST, n = 0, at;

    *s = (struct shares){ .n = km_json_count(v) };
    s->head = s->n <= most ? s->n : most - most / 4;
    s->tail = s->n <= most ? 0 : most / 4;
    at = 0;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item); at++)
        if (is_shown(s, at)) {
            s->size[n] = size_of(item, room) + 1;
            if (it.object)
                s->size[n] += text_size(key, room) + 1;
            n++;
        }
    find_level(s, room);
}

static size_t put_value(struct km_buf *out, const struct km_json *v, size_t most, const char *line);

static size_t put_member(struct km_buf *out, struct km_str key, const struct km_json *v,
                         size_t most)
{
    size_t name = text_size(key, most), cut = 0;

    if (name > most / 2 && name + 2 + size_of(v, most) > most) {
        name = most / 2;
        put_cut_text(out, key, name);
        cut++;
    } else {
        km_args_text(key, out);
    }
    km_buf_byte(out, ':');
    return cut + put_value(out, v, most - name - 2, "");
}

static void put_left_out(struct km_buf *out, const struct shares *s, bool object)
{
    size_t missing = s->n - s->head - s->tail;

    if (object)
        km_buf_printf(out, "\"...\":\"(%zu members in all, %zu not shown)\"", s->n, missing);
    else
        km_buf_printf(out, "\"... (%zu items in all, %zu not shown) ...\"", s->n, missing);
}

static size_t put_list(struct km_buf *out, const struct km_json *v, size_t room, const char *line)
{
    bool object = km_json_kind(v) == KM_JSON_OBJECT;
    struct km_json_iter it;
    const struct km_json *item;
    struct shares s;
    struct km_str key;
    size_t at = 0, cut = 0;

    share(v, room, &s);
    km_buf_byte(out, object ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item); at++) {
        if (!is_shown(&s, at) && at != s.head)
            continue;
        if (at)
            km_buf_byte(out, ',');
        km_buf_str(out, km_str_c(line));
        if (!is_shown(&s, at)) {
            put_left_out(out, &s, object);
            cut++;
        } else if (object) {
            cut += put_member(out, key, item, s.each);
        } else {
            cut += put_value(out, item, s.each, "");
        }
    }
    if (*line) /* the bracket stands where the text around it does: two blanks less */
        km_buf_str(out, km_str_sub(km_str_c(line), 0, strlen(line) - 2));
    km_buf_byte(out, object ? '}' : ']');
    return cut;
}

/* Returns how many values were cut. */
static size_t put_value(struct km_buf *out, const struct km_json *v, size_t most, const char *line)
{
    bool lines = km_json_kind(v) == KM_JSON_OBJECT && *line && km_json_count(v);
    bool fits = size_of(v, most) <= most;
    struct km_str s;

    if (fits && !lines) {
        put_whole(out, v);
        return 0;
    }
    if (km_json_string(v, &s) || km_json_number(v, &s)) {
        put_cut_text(out, s, most);
        return 1;
    }
    if (!fits)
        most = most > MARK_BYTES + 2 ? most - MARK_BYTES - 2 : 0;
    return put_list(out, v, most, lines ? line : "");
}

/* --- the arguments --- */

int km_args_showable(const struct km_json *args, struct km_err *err)
{
    size_t n = km_json_count(args);

    if (km_json_kind(args) == KM_JSON_OBJECT && n > KM_ARGS_MEMBERS)
        return km_fail(err, KM_E_LIMIT,
                       "a person has to approve this call and can be shown %d arguments; it has "
                       "%zu",
                       KM_ARGS_MEMBERS, n);
    return 0;
}

size_t km_args_show(const struct km_json *args, size_t most, const char *line, struct km_buf *out)
{
    if (args)
        return put_value(out, args, most, line);
    km_buf_str(out, KM_STR("{}"));
    return 0;
}
