/* SPDX-License-Identifier: Apache-2.0 */
/* json_take.c - see json_take.h.
 *
 * yyjson keeps three bits of each value's tag for its users, and looks at none of them in strings
 * and containers:
 *
 *     a member's name   TAKEN: somebody has asked for the member
 *     an object, array  WHOLE: all that is in it is read
 *
 * They are set in the tree itself, so taking a member costs one store beside the look-up, and a
 * document of which all was taken is walked once, value by value, as they lie in memory.
 */
#include "http/json_take.h"

#include <string.h>
#include <yyjson.h>

#include "http/json_span.h"

#define TAKEN (1U << 5)
#define WHOLE (1U << 6)

static yyjson_val *val(const struct km_json *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

static uint64_t word(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t half(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Names are short, and each event of a stream is asked for half a dozen: a call of memcmp() costs
 * more than the comparison. */
static bool is_same(const char *a, const char *b, size_t n)
{
    if (n > 16)
        return memcmp(a, b, n) == 0;
    if (n >= 8)
        return word(a) == word(b) && word(a + n - 8) == word(b + n - 8);
    if (n >= 4)
        return half(a) == half(b) && half(a + n - 4) == half(b + n - 4);
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

const struct km_json *km_json_take_member(const struct km_json *object, struct km_str name)
{
    size_t left = yyjson_obj_size(val(object));
    yyjson_val *key = left ? unsafe_yyjson_get_first(val(object)) : NULL;

    for (; left > 0; left--, key = unsafe_yyjson_get_next(key + 1)) {
        if (unsafe_yyjson_get_len(key) != name.n ||
            !is_same(unsafe_yyjson_get_str(key), name.p, name.n))
            continue;
        key->tag |= TAKEN;
        return (const struct km_json *)(key + 1); /* a member's value follows its name */
    }
    return NULL;
}

void km_json_take_this(const struct km_json *member)
{
    (val(member) - 1)->tag |= TAKEN;
}

void km_json_take_all(const struct km_json *v)
{
    if (yyjson_is_ctn(val(v)))
        val(v)->tag |= WHOLE;
}

struct km_str km_json_take_compact(const struct km_json *v, struct km_arena *arena)
{
    km_json_take_all(v);
    return km_json_compact(v, arena);
}

void km_json_take_write(const struct km_json *v, struct km_buf *out)
{
    km_json_take_all(v);
    km_json_write(v, out);
}

uint64_t km_json_shape(const struct km_json *root)
{
    const yyjson_val *v = val(root), *end = root ? unsafe_yyjson_get_next(val(root)) : NULL;
    uint64_t h = 0;

    for (; end - v >= 4; v += 4) /* it is counted for each event of a stream */
        h = (h << 29 | h >> 35) + ((uint64_t)(uint8_t)v[0].tag << 21) +
            ((uint64_t)(uint8_t)v[1].tag << 14) + ((uint64_t)(uint8_t)v[2].tag << 7) +
            (uint8_t)v[3].tag;
    for (; v < end; v++)
        h = (h << 7 | h >> 57) + (uint8_t)v->tag;
    return h;
}

/* --- what is left --- */

struct walk {
    const struct km_str *idle;
    km_json_left_fn *fn;
    void *ctx;
    unsigned depth;
    char place[KM_JSON_PLACE];
};

static bool says_nothing(yyjson_val *v)
{
    return yyjson_is_null(v) || yyjson_is_false(v) || (yyjson_is_str(v) && !yyjson_get_len(v)) ||
           (yyjson_is_ctn(v) && !yyjson_get_len(v));
}

static size_t put_name(struct walk *w, size_t n, yyjson_val *name)
{
    const char *p = yyjson_get_str(name);
    size_t len = yyjson_get_len(name);

    if (n && n < sizeof w->place)
        w->place[n++] = '.';
    if (len > sizeof w->place - n)
        len = sizeof w->place - n;
    memcpy(w->place + n, p, len);
    return n + len;
}

static void tell(struct walk *w, size_t n)
{
    for (const struct km_str *one = w->idle; one && one->n; one++)
        if (one->n == n && memcmp(one->p, w->place, n) == 0)
            return;
    w->fn(w->ctx, km_str(w->place, n));
}

/* Not as deep as the document is: that is an upstream's to choose.  What lies deeper is told by the
 * place where it begins. */
static void look(struct walk *w, yyjson_val *v, size_t n)
{
    size_t left = unsafe_yyjson_get_len(v);
    bool object = unsafe_yyjson_is_obj(v);
    yyjson_val *item = unsafe_yyjson_get_first(v);

    if (w->depth == KM_JSON_DEPTH) {
        tell(w, n);
        return;
    }
    w->depth++;
    for (; left > 0; left--, item = unsafe_yyjson_get_next(item)) {
        yyjson_val *name = object ? item++ : NULL;

        if (name && !(name->tag & TAKEN)) {
            if (!says_nothing(item))
                tell(w, put_name(w, n, name));
        } else if (unsafe_yyjson_is_ctn(item) && !(item->tag & WHOLE)) {
            look(w, item, name ? put_name(w, n, name) : n);
        }
    }
    w->depth--;
}

void km_json_left(const struct km_json *root, const struct km_str *idle, km_json_left_fn *fn,
                  void *ctx)
{
    struct walk w; /* the place is written before it is read */

    w.idle = idle;
    w.fn = fn;
    w.ctx = ctx;
    w.depth = 0;
    if (yyjson_is_ctn(val(root)) && !(val(root)->tag & WHOLE))
        look(&w, val(root), 0);
}
