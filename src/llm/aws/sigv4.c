/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4.c - see sigv4.h.
 *
 * Both sides write the request down in one form, hash it, and key that hash:
 *
 *     canonical = method \n path \n query \n (name:value\n)* \n names \n hash(body)
 *     to sign   = AWS4-HMAC-SHA256 \n time \n day/region/service/aws4_request \n hash(canonical)
 *     key       = HMAC(HMAC(HMAC(HMAC("AWS4" secret, day), region), service), "aws4_request")
 *
 * What goes wrong in practice, and why it is as it is:
 * - The path is escaped once for the wire and once more here: "%3A" becomes "%253A".  Only S3
 *   does not.
 * - A query is decoded and escaped anew, sorted by name and value after escaping.
 * - Runs of blanks in a header's value count as one; hops may change connection, te,
 *   user-agent and their like, so those are never signed.
 *
 * The key changes once a day: four of six HMACs are spared by keeping it.  It is kept under a
 * digest of what it was made of, so that credentials that rotate are noticed.
 */
#include "llm/aws/sigv4.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "http/message.h"

#define CANONICAL_MAX (64 * 1024)
#define QUERY_MOST 32 /* parameters */
#define TEXT_MAX 8192 /* the text to sign, the value of Authorization */

/* Headers to sign, with the gateway's own. */
struct lines {
    struct km_sigv4_header v[KM_SIGV4_HEADERS_MOST + 4];
    size_t n;
};

void km_sigv4_key_done(struct km_sigv4_key *key)
{
    km_wipe(key, sizeof *key);
}

void km_sigv4_time(int64_t now_us, char out[KM_SIGV4_TIME_LEN + 1])
{
    char iso[KM_TIME_ISO_LEN + 1]; /* the same with signs between the digits */
    size_t n = 0;

    km_time_iso(now_us, iso);
    for (size_t i = 0; n < KM_SIGV4_TIME_LEN - 1; i++)
        if (iso[i] != '-' && iso[i] != ':')
            out[n++] = iso[i];
    memcpy(out + n, "Z", 2);
}

/* --- path and query --- */

static void put_path(struct km_buf *out, struct km_str path)
{
    struct km_str rest = path, piece, kept[256];
    size_t n = 0;

    while (km_str_split(&rest, '/', &piece)) {
        if (!piece.n || km_str_eq(piece, KM_STR(".")))
            continue;
        if (km_str_eq(piece, KM_STR("..")))
            n -= n ? 1 : 0;
        else if (n < sizeof kept / sizeof kept[0])
            kept[n++] = piece;
        else
            km_buf_fail(out);
    }
    for (size_t i = 0; i < n; i++) {
        km_buf_byte(out, '/');
        km_url_encode(out, kept[i]);
    }
    if (!n || km_str_ends(path, KM_STR("/")))
        km_buf_byte(out, '/');
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Escapes anew: what came escaped, came unescaped or in small letters all reads the same. */
static void put_query_text(struct km_buf *out, struct km_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%' && i + 2 < s.n && hex_of(s.p[i + 1]) >= 0 && hex_of(s.p[i + 2]) >= 0) {
            c = (char)(hex_of(s.p[i + 1]) << 4 | hex_of(s.p[i + 2]));
            i += 2;
        }
        km_url_encode(out, km_str(&c, 1));
    }
}

struct pair {
    size_t name, value, end; /* places in the buffer: "name=value" */
};

static int compare_pairs(const char *p, const struct pair *a, const struct pair *b)
{
    int c = km_str_cmp(km_str(p + a->name, a->value - 1 - a->name),
                       km_str(p + b->name, b->value - 1 - b->name));

    return c ? c
             : km_str_cmp(km_str(p + a->value, a->end - a->value),
                          km_str(p + b->value, b->end - b->value));
}

static void put_query(struct km_buf *out, struct km_str query)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(CANONICAL_MAX);
    struct pair v[QUERY_MOST];
    struct km_str piece;
    size_t n = 0, at;

    while (km_str_split(&query, '&', &piece)) {
        size_t eq = km_str_chr(piece, '=');
        struct pair p = { .name = text.n };

        if (!piece.n)
            continue;
        put_query_text(&text, km_str_sub(piece, 0, eq));
        km_buf_byte(&text, '=');
        p.value = text.n;
        put_query_text(&text, km_str_skip(piece, eq + 1));
        p.end = text.n;
        if (n == QUERY_MOST || km_buf_failed(&text)) {
            km_buf_fail(out);
            return;
        }
        for (at = n++; at > 0 && compare_pairs(text.p, &p, &v[at - 1]) < 0; at--)
            v[at] = v[at - 1];
        v[at] = p;
    }
    for (size_t i = 0; i < n; i++) {
        if (i)
            km_buf_byte(out, '&');
        km_buf_bytes(out, text.p + v[i].name, v[i].end - v[i].name);
    }
}

/* --- headers --- */

static bool never_signed(struct km_str name)
{
#define NAME(s) { s, sizeof(s) - 1 }
    static const struct km_str names[] = {
        NAME("authorization"), NAME("cache-control"), NAME("connection"),
        NAME("expect"),        NAME("from"),          NAME("keep-alive"),
        NAME("max-forwards"),  NAME("pragma"),        NAME("referer"),
        NAME("te"),            NAME("trailer"),       NAME("transfer-encoding"),
        NAME("upgrade"),       NAME("user-agent"),    NAME("x-amzn-trace-id"),
    };
#undef NAME

    return km_str_iamong(name, names, sizeof names / sizeof names[0]) ||
           km_str_istarts(name, KM_STR("proxy-")) || km_str_istarts(name, KM_STR("sec-"));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int compare_names(struct km_str a, struct km_str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return lower(a.p[i]) < lower(b.p[i]) ? -1 : 1;
    return a.n < b.n ? -1 : a.n > b.n;
}

static void add_line(struct lines *l, struct km_str name, struct km_str value)
{
    size_t at = l->n++;

    for (; at > 0 && compare_names(name, l->v[at - 1].name) < 0; at--)
        l->v[at] = l->v[at - 1];
    l->v[at] = (struct km_sigv4_header){ name, value };
}

static void put_lower(struct km_buf *out, struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        km_buf_byte(out, lower(s.p[i]));
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

static void put_value(struct km_buf *out, struct km_str s)
{
    bool waiting = false, any = false;

    for (size_t i = 0; i < s.n; i++) {
        if (blank(s.p[i])) {
            waiting = any;
            continue;
        }
        if (waiting)
            km_buf_byte(out, ' ');
        km_buf_byte(out, s.p[i]);
        waiting = false;
        any = true;
    }
}

int km_sigv4_canonical(const struct km_sigv4_request *q, struct km_str token, const char *hash_hex,
                       struct km_buf *out, struct km_str *ret_signed_headers, struct km_err *err)
{
    size_t mark = km_str_chr(q->target, '?'), names;
    char when[KM_SIGV4_TIME_LEN + 1];
    struct lines l = { .n = 0 };

    if (q->nheaders > KM_SIGV4_HEADERS_MOST)
        return km_fail(err, KM_E_LIMIT, "too many header fields to sign");
    km_sigv4_time(q->now_us, when);
    add_line(&l, KM_STR("host"), q->host);
    add_line(&l, KM_STR("x-amz-date"), km_str_c(when));
    if (token.n)
        add_line(&l, KM_STR("x-amz-security-token"), token);
    if (q->send_body_hash)
        add_line(&l, KM_STR("x-amz-content-sha256"), km_str_c(hash_hex));
    for (size_t i = 0; i < q->nheaders; i++)
        if (!never_signed(q->headers[i].name))
            add_line(&l, q->headers[i].name, q->headers[i].value);

    km_buf_str(out, q->method);
    km_buf_byte(out, '\n');
    put_path(out, km_str_sub(q->target, 0, mark));
    km_buf_byte(out, '\n');
    put_query(out, km_str_skip(q->target, mark + 1));
    km_buf_byte(out, '\n');
    for (size_t i = 0; i < l.n; i++) {
        put_lower(out, l.v[i].name);
        km_buf_byte(out, ':');
        put_value(out, l.v[i].value);
        km_buf_byte(out, '\n');
    }
    km_buf_byte(out, '\n');
    names = out->n;
    for (size_t i = 0; i < l.n; i++) {
        if (i)
            km_buf_byte(out, ';');
        put_lower(out, l.v[i].name);
    }
    mark = out->n;
    km_buf_byte(out, '\n');
    km_buf_str(out, km_str_c(hash_hex));
    if (km_buf_failed(out))
        return km_fail(err, KM_E_LIMIT, "a request too large to sign");
    *ret_signed_headers = km_str(out->p + names, mark - names);
    return 0;
}

/* --- the key and the signature --- */

static struct km_str bytes(const uint8_t *p)
{
    return km_str((const char *)p, KM_SHA256_LEN);
}

static int make_key(struct km_sigv4_key *k, const struct km_sigv4_request *q,
                    const struct km_aws_credentials *who, struct km_str day, struct km_err *err)
{
    const struct km_str nul = { "", 1 };
    const struct km_str of[] = { day,       nul, q->region,  nul,        q->service,
                                 nul,       who->akid, nul,  who->secret };
    struct km_buf secret = KM_BUF(4096);
    uint8_t digest[KM_SHA256_LEN], a[KM_SHA256_LEN], b[KM_SHA256_LEN];

    km_sha256_parts(of, sizeof of / sizeof of[0], digest);
    if (k->made && km_secret_eq(k->of, digest, sizeof digest))
        return 0;
    (void)km_buf_reserve(&secret, 4 + who->secret.n); /* it does not move, so one place to wipe */
    km_buf_str(&secret, KM_STR("AWS4"));
    km_buf_str(&secret, who->secret);
    if (km_buf_failed(&secret)) {
        km_buf_done(&secret);
        return km_fail(err, KM_E_INVALID, "the secret access key is too long");
    }
    km_hmac_sha256(km_buf_view(&secret), day, a);
    km_hmac_sha256(bytes(a), q->region, b);
    km_hmac_sha256(bytes(b), q->service, a);
    km_hmac_sha256(bytes(a), KM_STR("aws4_request"), k->key);
    memcpy(k->of, digest, sizeof digest);
    k->made = true;
    km_wipe(a, sizeof a);
    km_wipe(b, sizeof b);
    km_wipe(secret.p, secret.n);
    km_buf_done(&secret);
    return 0;
}

static void put_scope(struct km_buf *out, const struct km_sigv4_request *q, struct km_str day)
{
    const struct km_str parts[] = { day, q->region, q->service, KM_STR("aws4_request") };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i)
            km_buf_byte(out, '/');
        km_buf_str(out, parts[i]);
    }
}

static void signature(const struct km_sigv4_request *q, const struct km_sigv4_key *key,
                      struct km_str when, struct km_str canonical, struct km_buf *text,
                      char ret_hex[2 * KM_SHA256_LEN + 1])
{
    char hash[2 * KM_SHA256_LEN + 1];
    uint8_t mac[KM_SHA256_LEN];

    km_sha256_hex(canonical, hash);
    km_buf_str(text, KM_STR("AWS4-HMAC-SHA256\n"));
    km_buf_str(text, when);
    km_buf_byte(text, '\n');
    put_scope(text, q, km_str_sub(when, 0, 8));
    km_buf_byte(text, '\n');
    km_buf_str(text, km_str_c(hash));
    km_hmac_sha256(bytes(key->key), km_buf_view(text), mac);
    km_hex(ret_hex, mac, sizeof mac);
}

static int put_lines(const struct km_sigv4_request *q, const struct km_aws_credentials *who,
                     struct km_str when, const char *hash, struct km_str signed_headers,
                     const char *sig, struct km_buf *value, struct km_buf *head, struct km_err *err)
{
    int r = km_header_put(head, KM_STR("x-amz-date"), when, err);

    if (r == 0 && who->token.n)
        r = km_header_put(head, KM_STR("x-amz-security-token"), who->token, err);
    if (r == 0 && q->send_body_hash)
        r = km_header_put(head, KM_STR("x-amz-content-sha256"), km_str_c(hash), err);
    km_buf_str(value, KM_STR("AWS4-HMAC-SHA256 Credential="));
    km_buf_str(value, who->akid);
    km_buf_byte(value, '/');
    put_scope(value, q, km_str_sub(when, 0, 8));
    km_buf_str(value, KM_STR(", SignedHeaders="));
    km_buf_str(value, signed_headers);
    km_buf_str(value, KM_STR(", Signature="));
    km_buf_str(value, km_str_c(sig));
    if (r == 0 && km_buf_failed(value))
        r = km_fail(err, KM_E_LIMIT, "the access key id is too long");
    if (r == 0)
        r = km_header_put(head, KM_STR("Authorization"), km_buf_view(value), err);
    return r;
}

int km_sigv4_sign(const struct km_sigv4_request *q, const struct km_aws_credentials *who,
                  struct km_sigv4_key *key, struct km_buf *head, struct km_err *err)
{
    struct km_buf canonical KM_CLEANUP(km_buf_done) = KM_BUF(CANONICAL_MAX);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MAX);
    char when[KM_SIGV4_TIME_LEN + 1], hash[2 * KM_SHA256_LEN + 1], sig[2 * KM_SHA256_LEN + 1];
    uint8_t digest[KM_SHA256_LEN];
    struct km_str signed_headers;
    int r;

    if (q->region.n + q->service.n > 256)
        return km_fail(err, KM_E_INVALID, "the name of the AWS region is too long");
    (void)km_buf_reserve(&canonical, 1024 + q->target.n); /* mostly all of it */
    (void)km_buf_reserve(&text, 512);
    km_sha256_parts(q->body, q->nbody, digest);
    km_hex(hash, digest, sizeof digest);
    km_sigv4_time(q->now_us, when);
    r = km_sigv4_canonical(q, who->token, hash, &canonical, &signed_headers, err);
    if (r == 0)
        r = make_key(key, q, who, km_str(when, 8), err);
    if (r < 0)
        return r;
    signature(q, key, km_str_c(when), km_buf_view(&canonical), &text, sig);
    km_buf_reset(&text);
    return put_lines(q, who, km_str_c(when), hash, signed_headers, sig, &text, head, err);
}
