/* SPDX-License-Identifier: Apache-2.0 */
/* veil.c - see veil.h for the contract.
 *
 * Values are found by the first six characters: a bitmap of their hashes says at almost every
 * place that nothing begins there, a chain of candidates is compared where it does not.
 *
 *     text   ...  "key sk-\u0061bcdef..." ...
 *                      ^ next() reads one character, decoding \uXXXX, \/ and %XX on the way
 *     bits   [hash of 6] ──> heads[hash] ──> value ──> value
 *
 * So a value is found in whichever escapes an upstream put it.  Places are tried from left to
 * right and the longest value wins; then the forms are tried, which begin at a word's beginning.
 *
 * All of it is for texts of failures: it takes some nanoseconds a byte, and a lock.
 */
#include "base/veil.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/list.h"

#define KEY 6 /* characters by which values are found */
#define BUCKETS 4096
#define LINE_LEAST 16 /* of a value of several lines */
#define TAIL_LEAST 8 /* of a value at the end of a text that was cut there */

struct value {
    struct value *next; /* in its bucket */
    struct km_list link; /* oldest first */
    bool passing;
    size_t n;
    char p[];
};

struct km_veil {
    pthread_rwlock_t lock;
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

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_digit(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9')
            return true;
    return false;
}

static void forget(struct km_veil *v, struct value *x)
{
    struct value **at = &v->heads[bucket_of(x->p)];

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    km_list_remove(&x->link);
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
    size_t most = passing ? KM_VEIL_BYTES / 4 : KM_VEIL_BYTES;
    unsigned b = bucket_of(s.p);
    struct value *x = refresh(v, s, passing) ? NULL : malloc(sizeof *x + s.n);

    if (!x)
        return;
    *x = (struct value){ .next = v->heads[b], .passing = passing, .n = s.n };
    memcpy(x->p, s.p, s.n);
    v->heads[b] = x;
    km_list_push(&v->values[passing], &x->link);
    v->bytes[passing] += s.n;
    while (v->bytes[passing] > most && v->values[passing].next != &x->link)
        forget(v, KM_CONTAINER(v->values[passing].next, struct value, link));
}

static void add_one(struct km_veil *v, struct km_str s, bool passing)
{
    s = km_str_trim(s);
    if (s.n < KM_VEIL_LEAST || s.n > KM_VEIL_BYTES / 16 || (s.n < 8 && !has_digit(s)))
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

static void add(struct km_veil *v, struct km_str secret, bool passing)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_VEIL_BYTES);

    if (!v)
        return;
    add_one(v, secret, passing);
    if (secret.n < 8)
        return;
    if (km_str_chr(secret, '\n') < secret.n || km_str_find(secret, KM_STR("\\n")) < secret.n)
        add_lines(v, secret, passing);
    km_buf_base64(&b, km_str_trim(secret)); /* Authorization: Basic */
    add_one(v, km_buf_view(&b), passing);
    if (b.p)
        explicit_bzero(b.p, b.n);
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
static size_t meant(struct km_str s, size_t i, char *ret)
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
    n = meant(s, i, &got);
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
    if (x->n < 16 && ((i < s.n && is_alnum(s.p[i])) || (at > 0 && is_alnum(s.p[at - 1]))))
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
        i += meant(s, i, &key[k]);
    }
    if (k == KEY)
        n = longest(v, s, at, key);
    if (n == 0 && escaped)
        n = longest(v, s, at, s.p + at);
    return n;
}

/* --- by form --- */

enum alphabet { ALNUM, NAME, TOKEN }; /* letters and digits; with - and _; what RFC 6750 allows */

static bool is_of(enum alphabet a, char c)
{
    if (is_alnum(c))
        return true;
    if (a == ALNUM)
        return false;
    return c == '-' || c == '_' || (a == TOKEN && (c == '.' || c == '+' || c == '/' || c == '='));
}

static const struct {
    const char *begins;
    enum alphabet alphabet;
    size_t least; /* behind the beginning */
} forms[] = {
    { "sk-", NAME, 8 },          { "sk_", NAME, 16 },      { "AKIA", ALNUM, 12 },
    { "ASIA", ALNUM, 12 },       { "ABSK", TOKEN, 20 },    { "ghp_", ALNUM, 16 },
    { "gho_", ALNUM, 16 },       { "ghu_", ALNUM, 16 },    { "ghs_", ALNUM, 16 },
    { "ghr_", ALNUM, 16 },       { "github_pat_", NAME, 16 }, { "glpat-", NAME, 16 },
    { "xoxa-", NAME, 10 },       { "xoxb-", NAME, 10 },    { "xoxe-", NAME, 10 },
    { "xoxp-", NAME, 10 },       { "xoxr-", NAME, 10 },    { "xoxs-", NAME, 10 },
    { "xapp-", NAME, 10 },       { "hf_", ALNUM, 16 },     { "gsk_", ALNUM, 16 },
    { "xai-", NAME, 16 },        { "pplx-", NAME, 16 },    { "nvapi-", NAME, 16 },
    { "AIza", NAME, 30 },        { "ya29.", TOKEN, 16 },   { "eyJ", TOKEN, 24 },
    { "AQoDYXdz", TOKEN, 16 },   { "IQoJb3JpZ2lu", TOKEN, 16 }, { "FwoGZXIvYXdz", TOKEN, 16 },
};

static size_t run_of(enum alphabet a, struct km_str s, size_t at)
{
    size_t i = at;

    while (i < s.n && is_of(a, s.p[i]))
        i++;
    return i - at;
}

static size_t by_beginning(struct km_str s, size_t at)
{
    struct km_str rest = km_str_skip(s, at);

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct km_str begins = km_str_c(forms[i].begins);
        size_t n;

        if (!km_str_starts(rest, begins))
            continue;
        n = run_of(forms[i].alphabet, s, at + begins.n);
        if (n >= forms[i].least)
            return begins.n + n;
    }
    return 0;
}

/* Capitals behind small letters: base64, and no word of a sentence. */
static bool has_humps(struct km_str s)
{
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z' && s.p[i - 1] >= 'a' && s.p[i - 1] <= 'z')
            return true;
    return false;
}

/* "Bearer x": x is a credential where no word of a sentence looks so.  The scheme stays. */
static size_t by_scheme(struct km_str s, size_t at, size_t *ret_keep)
{
    static const struct km_str schemes[] = { { "bearer", 6 }, { "basic", 5 }, { "token", 5 } };
    struct km_str rest = km_str_skip(s, at), value;

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t from = schemes[i].n, n;

        if (!km_str_istarts(rest, schemes[i]))
            continue;
        while (from < rest.n && (rest.p[from] == ' ' || rest.p[from] == '+' || rest.p[from] == ':'))
            from++;
        if (km_str_starts(km_str_skip(rest, from), KM_STR("%20")))
            from += 3;
        n = run_of(TOKEN, rest, from);
        value = km_str_sub(rest, from, n);
        if (from == schemes[i].n || n < 8 || (n < 20 && !has_digit(value) && !has_humps(value)) ||
            km_str_chr(value, '=') + 3 < value.n) /* a parameter: realm=... */
            continue;
        *ret_keep = from;
        return from + n;
    }
    return 0;
}

static size_t by_pem(struct km_str s, size_t at)
{
    struct km_str rest = km_str_skip(s, at);
    size_t end;

    if (!km_str_starts(rest, KM_STR("-----BEGIN ")) ||
        km_str_find(km_str_sub(rest, 0, 64), KM_STR("PRIVATE KEY-----")) >= 64)
        return 0;
    end = km_str_find(rest, KM_STR("-----END "));
    return end < rest.n ? end : rest.n;
}

/* "://user:password@": the password. */
static size_t by_userinfo(struct km_str s, size_t at, size_t *ret_keep)
{
    struct km_str rest = km_str_skip(s, at);
    size_t colon = 0;

    if (!km_str_starts(rest, KM_STR("://")))
        return 0;
    for (size_t i = 3; i < rest.n && i < 1024; i++) {
        char c = rest.p[i];

        if (c == '@')
            break;
        if (c <= ' ' || c == '/' || c == '"' || c == '?' || c == '#')
            return 0;
        colon = colon == 0 && c == ':' ? i : colon;
    }
    if (colon == 0 || km_str_chr(rest, '@') >= 1024 || km_str_chr(rest, '@') == rest.n)
        return 0;
    *ret_keep = colon + 1;
    return km_str_chr(rest, '@');
}

/* Bytes from `at` on that look like a credential, of which the first *ret_keep may stay. */
static size_t by_form(struct km_str s, size_t at, size_t *ret_keep)
{
    char before = at > 0 ? s.p[at - 1] : ' ';
    size_t n = 0;

    if (s.p[at] == ':')
        return by_userinfo(s, at, ret_keep);
    if (s.p[at] == '-')
        return by_pem(s, at);
    if (!is_alnum(s.p[at]) || (is_of(NAME, before) && !(at > 1 && s.p[at - 2] == '\\')))
        return 0;
    n = by_beginning(s, at);
    return n ? n : by_scheme(s, at, ret_keep);
}

/* --- the cut --- */

static bool cut(const struct km_veil *v, struct km_str text, bool also_forms, struct km_buf *out)
{
    size_t from = 0, at = 0;
    bool any = false;

    while (at < text.n) {
        size_t keep = 0, n = by_value(v, text, at);

        if (n == 0 && also_forms)
            n = by_form(text, at, &keep);
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
    any = cut(v, text, also_forms, out);
    if (v)
        pthread_rwlock_unlock(&v->lock);
    return any;
}

bool km_veil_cut(struct km_veil *v, struct km_str text, struct km_buf *out)
{
    return cut_locked(v, text, true, out);
}

bool km_veil_cut_known(struct km_veil *v, struct km_str text, struct km_buf *out)
{
    return v && text.n >= KM_VEIL_LEAST && cut_locked(v, text, false, out);
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
