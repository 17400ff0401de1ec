/* SPDX-License-Identifier: Apache-2.0 */
/* veil.c - see veil.h for the contract.
 *
 * Values are found by their first six characters: at each place these are hashed, and a chain of
 * candidates is compared.
 *
 *     text   ...  "key sk-\u0061bcdef..." ...
 *                      ^ read_char() reads one, decoding \uXXXX, \/ and %XX on the way
 *            [hash of 6] ──> heads[hash] ──> value ──> value
 *
 * Fields of answers that went well pass, too, and hold none: a bitmap knows every three characters
 * that stand within the first six of a value, so that a look at each fourth place, without a lock,
 * tells of a text without escapes that no value begins in it.
 *
 * So a value is found in whichever escapes an upstream put it.  Places are tried from left to
 * right and the longest value wins; then the forms are tried, which begin at a word's beginning.
 *
 * The rest is for texts of failures: it takes some nanoseconds a byte, and a lock.
 */
#include "base/veil.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/list.h"
#include "base/veil_forms.h"

#define KEY 6 /* characters by which values are found */
#define BUCKETS 4096
#define LOOK 4 /* characters that a hint is made of */
#define STRIDE_LEAST (KEY - LOOK + 1) /* places between two looks: a value has KEY at least */
#define STRIDE_MOST 24
#define HINT_BITS 17
#define LINE_LEAST 16 /* of a value of several lines */
#define TAIL_LEAST 8 /* of a value at the end of a text that was cut there */
#define DOTS 3 /* bytes by which such a text says so, at most */

struct value {
    struct value *next; /* in its bucket */
    struct km_list link; /* oldest first */
    bool passing;
    size_t n;
    char p[];
};

struct km_veil {
    pthread_rwlock_t lock;
    /* Set before a value can be sent anywhere, and never cleared: one too many costs a look. */
    _Atomic uint64_t hints[(1 << HINT_BITS) / 64];
    _Atomic size_t
        stride; /* places between two looks: one falls into the shortest value there was */
    struct value *heads[BUCKETS];
    struct km_list values[2]; /* of the configuration; passing */
    size_t bytes[2];
};

struct km_veil *km_veil_new(void)
{
    struct km_veil *v = calloc(1, sizeof *v);

    if (v && pthread_rwlock_init(&v->lock, NULL) != 0) {
        free(v);
        return NULL;
    }
    for (size_t i = 0; v && i < 2; i++)
        km_list_init(&v->values[i]);
    if (v)
        atomic_init(&v->stride, STRIDE_MOST);
    return v;
}

static void value_free(struct value *x)
{
    explicit_bzero(x->p, x->n);
    free(x);
}

struct km_veil *km_veil_free(struct km_veil *v)
{
    struct km_list *node;

    if (!v)
        return NULL;
    for (size_t i = 0; i < 2; i++)
        while ((node = km_list_pop(&v->values[i])) != NULL)
            value_free(KM_CONTAINER(node, struct value, link));
    pthread_rwlock_destroy(&v->lock);
    free(v);
    return NULL;
}

/* --- what it is told --- */

static unsigned bucket_of(const char key[KEY])
{
    unsigned h = 2166136261u;

    for (size_t i = 0; i < KEY; i++)
        h = (h ^ (unsigned char)key[i]) * 16777619u;
    return (h ^ h >> 13) % BUCKETS;
}

/* Where the hint of the characters at p stands. */
static uint32_t hint_at(const char *p)
{
    uint32_t look;

    memcpy(&look, p, LOOK);
    return look * 2654435761u >> (32 - HINT_BITS);
}

static void add_hints(struct km_veil *v, struct km_str value)
{
    size_t stride = value.n - LOOK + 1;

    if (stride > STRIDE_MOST)
        stride = STRIDE_MOST;
    for (size_t i = 0; i < stride; i++) {
        uint32_t at = hint_at(value.p + i);

        atomic_fetch_or_explicit(&v->hints[at / 64], UINT64_C(1) << at % 64, memory_order_relaxed);
    }
    if (stride < atomic_load_explicit(&v->stride, memory_order_relaxed))
        atomic_store_explicit(&v->stride, stride, memory_order_relaxed); /* under the lock */
}

/* x is in no list any more. */
static void forget(struct km_veil *v, struct value *x)
{
    struct value **at = &v->heads[bucket_of(x->p)];

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    v->bytes[x->passing] -= x->n;
    value_free(x);
}

/* One that is known is the newest again; what passes does not take it from the configuration. */
static bool refresh(struct km_veil *v, struct km_str s, bool passing)
{
    for (struct value *x = v->heads[bucket_of(s.p)]; x; x = x->next) {
        if (!km_str_eq(km_str(x->p, x->n), s) || (x->passing && !passing))
            continue;
        km_list_remove(&x->link);
        km_list_push(&v->values[x->passing], &x->link);
        return true;
    }
    return false;
}

static void add_locked(struct km_veil *v, struct km_str s, bool passing)
{
    unsigned b = bucket_of(s.p);
    struct value *x = refresh(v, s, passing) ? NULL : malloc(sizeof *x + s.n);

    if (!x)
        return;
    *x = (struct value){ .next = v->heads[b], .passing = passing, .n = s.n };
    memcpy(x->p, s.p, s.n);
    add_hints(v, s);
    v->heads[b] = x;
    km_list_push(&v->values[passing], &x->link);
    v->bytes[passing] += s.n;
}

/* The oldest make room, but for the newest. */
static void make_room(struct km_veil *v, bool passing)
{
    struct km_list *all = &v->values[passing];
    size_t most = passing ? KM_VEIL_BYTES / 4 : KM_VEIL_BYTES;

    pthread_rwlock_wrlock(&v->lock);
    while (v->bytes[passing] > most && all->next->next != all)
        forget(v, KM_CONTAINER(km_list_pop(all), struct value, link));
    pthread_rwlock_unlock(&v->lock);
}

static void add_one(struct km_veil *v, struct km_str s, bool passing)
{
    s = km_str_trim(s);
    if (s.n < KM_VEIL_LEAST || s.n > KM_VEIL_BYTES / 16 || (s.n < 8 && !km_veil_has_digit(s)))
        return;
    pthread_rwlock_wrlock(&v->lock);
    add_locked(v, s, passing);
    pthread_rwlock_unlock(&v->lock);
}

/* A PEM file, also as JSON has it: servers repeat a line of it. */
static void add_lines(struct km_veil *v, struct km_str s, bool passing)
{
    struct km_str line;

    while (km_str_split(&s, '\n', &line)) {
        while (line.n) {
            size_t at = km_str_find(line, KM_STR("\\n"));

            if (at >= LINE_LEAST && !km_str_starts(line, KM_STR("-----")))
                add_one(v, km_str_sub(line, 0, at), passing);
            line = km_str_skip(line, at + 2);
        }
    }
}

/* As an Authorization of Basic has it, and as URLs do. */
static void add_base64(struct km_veil *v, struct km_str secret, bool passing)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_VEIL_BYTES);
    bool same = true;

    km_buf_base64(&b, secret);
    while (b.n && b.p[b.n - 1] == '=')
        b.n--;
    add_one(v, km_buf_view(&b), passing);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '+' || b.p[i] == '/') {
            b.p[i] = b.p[i] == '+' ? '-' : '_';
            same = false;
        }
    if (!same)
        add_one(v, km_buf_view(&b), passing);
    if (b.p)
        explicit_bzero(b.p, b.n);
}

static void add(struct km_veil *v, struct km_str secret, bool passing)
{
    if (!v)
        return;
    add_one(v, secret, passing);
    if (secret.n >= 8) {
        if (km_str_chr(secret, '\n') < secret.n || km_str_find(secret, KM_STR("\\n")) < secret.n)
            add_lines(v, secret, passing);
        add_base64(v, km_str_trim(secret), passing);
    }
    make_room(v, passing);
}

void km_veil_add(struct km_veil *v, struct km_str secret)
{
    add(v, secret, false);
}

void km_veil_add_passing(struct km_veil *v, struct km_str secret)
{
    add(v, secret, true);
}

static bool has_part(struct km_str s, const char *part)
{
    struct km_str needle = km_str_c(part);

    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (km_str_ieq(km_str_sub(s, i, needle.n), needle))
            return true;
    return false;
}

bool km_veil_names(struct km_str name)
{
    static const char *const parts[] = { "key",     "token", "secret", "passw", "credential",
                                         "private", "auth",  "cookie", "dsn",   "webhook",
                                         NULL };
    static const char *const ends[] = { "_url", "_endpoint", "_name", "_type", "_file", "_path",
                                        "_env", "_header", "_aliases", NULL };

    for (size_t i = 0; ends[i]; i++)
        if (name.n > strlen(ends[i]) &&
            km_str_ieq(km_str_skip(name, name.n - strlen(ends[i])), km_str_c(ends[i])))
            return false;
    for (size_t i = 0; parts[i]; i++)
        if (has_part(name, parts[i]))
            return true;
    return false;
}

void km_veil_add_head(struct km_veil *v, struct km_str lines, bool passing)
{
    struct km_str line;

    while (km_str_split(&lines, '\n', &line)) {
        size_t colon = km_str_chr(line, ':');
        struct km_str value = km_str_skip(line, colon + 1);

        value = km_str_trim(km_str_sub(value, 0, km_str_chr(value, '\r')));
        if (!km_veil_names(km_str_sub(line, 0, colon)) ||
            km_str_starts(value, KM_STR("AWS4-HMAC-"))) /* a signature, of one request */
            continue;
        add(v, value, passing);
        if (km_str_chr(value, ' ') < value.n) /* behind its scheme */
            add(v, km_str_trim(km_str_skip(value, km_str_chr(value, ' '))), passing);
    }
}

/* --- by value --- */

static int hex4(struct km_str s)
{
    int v = 0;

    for (size_t i = 0; i < 4; i++) {
        int h = i < s.n ? km_hex_value(s.p[i]) : -1;

        if (h < 0)
            return -1;
        v = v * 16 + h;
    }
    return v;
}

/* The character at i as it was meant, and how many bytes it takes here. */
static size_t read_char(struct km_str s, size_t i, char *ret)
{
    char c = s.p[i];
    struct km_str rest = km_str_skip(s, i + 1);

    *ret = c;
    if (c == '%' && rest.n >= 2 && km_hex_value(rest.p[0]) >= 0 && km_hex_value(rest.p[1]) >= 0) {
        *ret = (char)(km_hex_value(rest.p[0]) * 16 + km_hex_value(rest.p[1]));
        return 3;
    }
    if (c != '\\' || !rest.n)
        return 1;
    if (rest.p[0] == 'u' && hex4(km_str_skip(rest, 1)) > 0 && hex4(km_str_skip(rest, 1)) < 128) {
        *ret = (char)hex4(km_str_skip(rest, 1));
        return 6;
    }
    *ret = rest.p[0] == 'n' ? '\n' : rest.p[0] == 'r' ? '\r' : rest.p[0] == 't' ? '\t' : rest.p[0];
    return 2;
}

/* Where the character c ends that begins at i, in any spelling; 0: another stands there. */
static size_t takes(struct km_str s, size_t i, char c)
{
    char got;
    size_t n;

    if (s.p[i] == c)
        return 1;
    if (s.p[i] != '\\' && s.p[i] != '%')
        return 0;
    n = read_char(s, i, &got);
    return got == c ? n : 0;
}

/* A text that was cut ends in "..." mostly. */
static bool is_end(struct km_str s, size_t i)
{
    struct km_str rest = km_str_skip(s, i);

    return rest.n == 0 || km_str_eq(rest, KM_STR("...")) || km_str_eq(rest, KM_STR("\xe2\x80\xa6"));
}

/* Bytes of the text that are x, or its beginning at the text's end; 0: it is not there. */
static size_t covers(struct km_str s, size_t at, const struct value *x)
{
    size_t i = at, k = 0;

    while (k < x->n && i < s.n) {
        size_t n = takes(s, i, x->p[k]);

        if (n == 0)
            break;
        i += n;
        k++;
    }
    if (k < x->n)
        return k >= TAIL_LEAST && is_end(s, i) ? s.n - at : 0;
    if (x->n < 16 && ((i < s.n && km_veil_alnum(s.p[i])) || (at > 0 && km_veil_alnum(s.p[at - 1]))))
        return 0; /* a part of a word */
    return i - at;
}

static size_t longest(const struct km_veil *v, struct km_str s, size_t at, const char key[KEY])
{
    size_t most = 0;

    for (const struct value *x = v->heads[bucket_of(key)]; x; x = x->next) {
        size_t n = covers(s, at, x);

        most = n > most ? n : most;
    }
    return most;
}

/* Bytes of a value that begins at `at`. */
static size_t by_value(const struct km_veil *v, struct km_str s, size_t at)
{
    char key[KEY];
    size_t i = at, k = 0, n = 0;
    bool escaped = false;

    if (!v || s.n - at < KEY)
        return 0;
    for (; k < KEY && i < s.n; k++) {
        escaped = escaped || s.p[i] == '\\' || s.p[i] == '%';
        i += read_char(s, i, &key[k]);
    }
    if (k == KEY)
        n = longest(v, s, at, key);
    if (n == 0 && escaped)
        n = longest(v, s, at, s.p + at);
    return n;
}

/* --- the cut --- */

static bool cut_text(const struct km_veil *v, struct km_str text, bool also_forms,
                     struct km_buf *out)
{
    size_t from = 0, at = 0;
    bool any = false;

    while (at < text.n) {
        size_t keep = 0, n = by_value(v, text, at);

        if (n == 0 && also_forms)
            n = km_veil_form(text, at, &keep);
        if (n <= keep) {
            at++;
            continue;
        }
        km_buf_str(out, km_str_sub(text, from, at + keep - from));
        km_buf_str(out, KM_STR(KM_VEIL_MARK));
        at += n;
        from = at;
        any = true;
    }
    if (any)
        km_buf_str(out, km_str_skip(text, from));
    return any;
}

static bool cut_locked(struct km_veil *v, struct km_str text, bool also_forms, struct km_buf *out)
{
    bool any;

    if (v)
        pthread_rwlock_rdlock(&v->lock);
    any = cut_text(v, text, also_forms, out);
    if (v)
        pthread_rwlock_unlock(&v->lock);
    return any;
}

bool km_veil_cut(struct km_veil *v, struct km_str text, struct km_buf *out)
{
    return cut_locked(v, text, true, out);
}

static bool is_hinted(const struct km_veil *v, const char *p)
{
    uint32_t at = hint_at(p);

    return atomic_load_explicit(&v->hints[at / 64], memory_order_relaxed) >> at % 64 & 1;
}

bool km_veil_may_hold(const struct km_veil *v, struct km_str text)
{
    const size_t stride = atomic_load_explicit(&v->stride, memory_order_relaxed);
    size_t i = stride - 1;

    if (text.n < KM_VEIL_LEAST)
        return false;
    for (; i + LOOK + DOTS <= text.n; i += stride)
        if (is_hinted(v, text.p + i))
            return true;
    /* Behind the last look stands less than the shortest value: it may be the beginning of one. */
    for (i = i - stride + STRIDE_LEAST; i + LOOK <= text.n; i += STRIDE_LEAST)
        if (is_hinted(v, text.p + i))
            return true;
    return memchr(text.p, '\\', text.n) || memchr(text.p, '%', text.n);
}

bool km_veil_cut_known(struct km_veil *v, struct km_str text, struct km_buf *out)
{
    return v && km_veil_may_hold(v, text) && cut_locked(v, text, false, out);
}

void km_veil_text(struct km_veil *v, char *text, size_t size)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_str s = km_str_c(text);

    if (!km_veil_cut(v, s, &b))
        return;
    if (km_buf_failed(&b))
        km_buf_reset(&b);
    s = km_str_sub(km_buf_view(&b), 0, size - 1);
    if (s.n)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
}
