/* SPDX-License-Identifier: Apache-2.0 */
/* document.c - from the text of an OpenAPI document to what openapi.h describes.
 *
 *     text ──JSON──> tree ──> which version ──> base URL, API key ──> tools.c
 *       └──YAML──> nodes ──> JSON ─┘
 *
 * The tree is gone afterwards: tools, schemas and plans of requests are copies.
 *
 *     base URL   3.x: servers[0].url, its {variables} by their defaults, relative to where the
 *                document was fetched; 2.0: schemes[0]://host + basePath, the same
 */
#include "mcp/openapi/build.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "config/yaml.h"
#include "mcp/openapi/schema.h"
#include "mcp/safety/scan.h"

#define SCRATCH_BYTES ((size_t)256 * 1024 * 1024)
#define KEPT_BYTES ((size_t)64 * 1024 * 1024)
#define JSON_BYTES (2 * KM_OPENAPI_BYTES) /* of YAML, which may be shorter */
#define NODES_MOST 1000000 /* of YAML, aliases counted */
#define DEPTH_MOST 64
#define NOTES_BYTES 1000
#define URL_BYTES 2048

/* --- text to tree --- */

static int yaml(const struct km_openapi_args *args, struct km_arena *scratch, struct km_buf *json,
                struct km_err *err)
{
    const struct km_yaml_limits limits = { KM_OPENAPI_BYTES, NODES_MOST, DEPTH_MOST };
    struct km_diags *diags = km_diags_new();
    const struct km_node *root;
    int r = diags ? km_yaml_parse(scratch, args->name, args->text, &limits, diags, &root, err)
                  : KM_E_NOMEM;

    if (r == 0)
        km_node_json(root, json);
    else if (diags && km_diags_count(diags, KM_DIAG_ERROR) > 0) {
        const struct km_diag *d = km_diags_at(diags, 0);

        r = km_fail(err, KM_E_INVALID, "line %u: %.*s", d->line,
                    KM_STR_ARG(km_str_sub(d->message, 0, 200)));
    }
    km_diags_free(diags);
    return r;
}

static int parse(const struct km_openapi_args *args, struct km_arena *scratch,
                 const struct km_json **ret_root, struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(JSON_BYTES);
    struct km_str text = args->text;
    int r = 0;

    if (km_str_starts(text, KM_STR("\xef\xbb\xbf")))
        text = km_str_skip(text, 3);
    while (text.n &&
           (text.p[0] == ' ' || text.p[0] == '\t' || text.p[0] == '\r' || text.p[0] == '\n'))
        text = km_str_skip(text, 1);
    if (!text.n || text.p[0] != '{') {
        r = yaml(args, scratch, &json, err);
        text = km_buf_view(&json);
    }
    if (r == 0 && km_buf_failed(&json))
        r = km_fail(err, KM_E_LIMIT, "it is over %zu bytes of JSON", JSON_BYTES);
    return r == 0 ? km_json_parse(scratch, text, ret_root, err) : r;
}

struct km_str km_openapi_text(const struct km_json *v, const char *name)
{
    struct km_str text;

    return km_json_string(km_json_get(v, name), &text) ? text : KM_STR_NONE;
}

/* --- where it is --- */

/* {name} by its default. */
static void put_variable(const struct km_json *server, struct km_str name, struct km_buf *out)
{
    const struct km_json *v = km_json_member(km_json_get(server, "variables"), name);

    km_buf_str(out, km_openapi_text(v, "default"));
}

static void put_server(const struct km_json *server, struct km_buf *out)
{
    struct km_str url = km_openapi_text(server, "url");

    while (url.n) {
        size_t open = km_str_chr(url, '{'), close = km_str_chr(url, '}');

        km_buf_str(out, km_str_sub(url, 0, open));
        if (open == url.n || close == url.n || close < open)
            return;
        put_variable(server, km_str_sub(url, open + 1, close - open - 1), out);
        url = km_str_skip(url, close + 1);
    }
}

static const struct km_json *first_of(const struct km_json *list)
{
    const struct km_json *item = NULL;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return NULL;
    km_json_iter(list, &it);
    return km_json_next(&it, &key, &item) ? item : NULL;
}

/* "https://host" of where it was fetched, or empty. */
static struct km_str origin_of(struct km_str url)
{
    size_t from = km_str_find(url, KM_STR("://"));

    if (from == url.n)
        return KM_STR_NONE;
    from += 3;
    return km_str_sub(url, 0, from + km_str_chr(km_str_skip(url, from), '/'));
}

static void put_swagger(const struct km_openapi_build *b, struct km_buf *out)
{
    struct km_str host = km_openapi_text(b->refs.root, "host"), scheme = KM_STR_NONE;
    struct km_str path = km_openapi_text(b->refs.root, "basePath");

    (void)km_json_string(first_of(km_json_get(b->refs.root, "schemes")), &scheme);
    if (host.n)
        km_buf_printf(out, "%.*s://%.*s", KM_STR_ARG(scheme.n ? scheme : KM_STR("https")),
                      KM_STR_ARG(host));
    if (!host.n || path.n)
        km_buf_printf(out, "%s%.*s", path.n && path.p[0] == '/' ? "" : "/", KM_STR_ARG(path));
}

/* As a link in the document would be: RFC 3986, 5.2, without dots. */
static struct km_str absolute(struct km_openapi_build *b, struct km_str url)
{
    struct km_str from = b->args->url, origin = origin_of(from), parts[2];

    if (km_str_istarts(url, KM_STR("http://")) || km_str_istarts(url, KM_STR("https://")))
        return km_arena_str(&b->doc->arena, url);
    if (!origin.n || km_str_find(url, KM_STR("..")) < url.n)
        return KM_STR_NONE;
    from = km_str_sub(from, 0, km_str_chr(from, '?'));
    parts[0] = origin;
    parts[1] = url;
    if (km_str_starts(url, KM_STR("//")))
        parts[0] = km_str_sub(origin, 0, km_str_chr(origin, ':') + 1);
    else if (!km_str_starts(url, KM_STR("/")))
        parts[0] = from.n > origin.n
                       ? km_str_sub(from, 0, km_str_rchr(from, '/') + 1)
                       : km_arena_cat(b->scratch, (struct km_str[]){ origin, KM_STR("/") }, 2);
    return km_arena_cat(&b->doc->arena, parts, 2);
}

static void find_base(struct km_openapi_build *b)
{
    struct km_buf url KM_CLEANUP(km_buf_done) = KM_BUF(URL_BYTES);
    const struct km_json *server = first_of(km_json_get(b->refs.root, "servers"));

    if (b->swagger)
        put_swagger(b, &url);
    else if (server)
        put_server(server, &url);
    if (!url.n)
        km_buf_byte(&url, '/');
    if (!km_buf_failed(&url))
        b->doc->base = absolute(b, km_buf_view(&url));
}

/* --- who it is, and its API key --- */

static bool asked_for(const struct km_json *root, struct km_str scheme)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(km_json_get(root, "security"), &it); km_json_next(&it, &key, &item);)
        if (km_json_member(item, scheme))
            return true;
    return false;
}

/* The first scheme of that kind; one that is asked for everywhere comes before others. */
static void find_key(struct km_openapi_build *b)
{
    const struct km_json *schemes =
        b->swagger ? km_json_get(b->refs.root, "securityDefinitions")
                   : km_json_get(km_json_get(b->refs.root, "components"), "securitySchemes");
    const struct km_json *scheme;
    struct km_json_iter it;
    bool certain = false;
    struct km_str key;

    for (km_json_iter(schemes, &it); !certain && km_json_next(&it, &key, &scheme);) {
        struct km_str in, name;

        scheme = km_openapi_follow(&b->refs, scheme);
        in = km_openapi_text(scheme, "in");
        name = km_openapi_text(scheme, "name");
        certain = asked_for(b->refs.root, key);
        if (!km_str_eq(km_openapi_text(scheme, "type"), KM_STR("apiKey")) || !name.n ||
            (b->doc->key_name.n && !certain)) {
            certain = false;
            continue;
        }
        b->doc->key_name = km_arena_str(&b->doc->arena, name);
        b->doc->key_in = km_str_eq(in, KM_STR("query"))    ? KM_OPENAPI_QUERY
                         : km_str_eq(in, KM_STR("cookie")) ? KM_OPENAPI_COOKIE
                                                           : KM_OPENAPI_HEADER;
    }
}

void km_openapi_head(struct km_openapi_build *b)
{
    const struct km_json *info = km_json_get(b->refs.root, "info");
    struct km_str version = km_openapi_text(info, "version");

    b->doc->title = km_arena_str(&b->doc->arena, km_openapi_text(info, "title"));
    b->doc->version = km_arena_str(&b->doc->arena, version.n ? version : KM_STR("0"));
    find_base(b);
    find_key(b);
}

/* --- the whole --- */

void km_openapi_note(struct km_openapi_build *b, struct km_str method, struct km_str path,
                     const char *why)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    b->doc->left_out++;
    if (b->notes.n >= NOTES_BYTES - 300)
        return;
    km_scan_line(&plain, km_utf8_cut(path, 100)); /* it is shown in a terminal */
    km_buf_printf(&b->notes, "%s%.*s %.*s: %s", b->notes.n ? "; " : "", KM_STR_ARG(method),
                  KM_STR_ARG(km_utf8_cut(km_buf_view(&plain), 150)), why);
}

static int check_version(struct km_openapi_build *b, struct km_err *err)
{
    struct km_str version = km_openapi_text(b->refs.root, "openapi");

    b->swagger = km_str_starts(km_openapi_text(b->refs.root, "swagger"), KM_STR("2."));
    if (b->swagger || km_str_starts(version, KM_STR("3.")))
        return 0;
    return km_fail(err, KM_E_INVALID,
                   "it is no OpenAPI document: neither openapi 3.x nor swagger 2.0");
}

static int make(struct km_openapi_build *b, struct km_err *err)
{
    int r = check_version(b, err);

    if (r < 0)
        return r;
    km_openapi_head(b);
    r = km_openapi_tools(b, err);
    b->doc->notes = km_arena_str(&b->doc->arena, km_buf_view(&b->notes));
    if (r == 0 && km_arena_overflowed(&b->doc->arena))
        r = km_fail(err, KM_E_LIMIT, "its tools take over %zu bytes", KEPT_BYTES);
    return r;
}

int km_openapi_new(const struct km_openapi_args *args, struct km_openapi **ret_doc,
                   struct km_err *err)
{
    struct km_openapi_build b = { .args = args, .notes = KM_BUF(NOTES_BYTES) };
    struct km_arena scratch;
    int r;

    if (args->text.n > KM_OPENAPI_BYTES)
        return km_fail(err, KM_E_LIMIT, "it is over %zu bytes", KM_OPENAPI_BYTES);
    b.doc = calloc(1, sizeof *b.doc);
    b.refs.known = km_map_new_borrowed(KM_OPENAPI_POINTERS);
    if (!b.doc || !b.refs.known) {
        km_map_free(b.refs.known, NULL);
        free(b.doc);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    b.doc->refs = 1;
    b.scratch = &scratch;
    km_arena_init(&b.doc->arena, KEPT_BYTES, NULL);
    km_arena_init(&scratch, SCRATCH_BYTES, NULL);
    km_sha256(args->text, b.doc->digest);
    r = parse(args, &scratch, &b.refs.root, err);
    if (r == 0)
        r = make(&b, err);
    km_map_free(b.refs.known, NULL);
    km_arena_done(&scratch);
    km_buf_done(&b.notes);
    if (r < 0)
        km_openapi_unref(b.doc);
    else
        *ret_doc = b.doc;
    return r;
}

struct km_openapi *km_openapi_ref(struct km_openapi *d)
{
    d->refs++;
    return d;
}

struct km_openapi *km_openapi_unref(struct km_openapi *d)
{
    if (!d || --d->refs > 0)
        return NULL;
    km_origin_unref(d->origin);
    km_arena_done(&d->arena);
    free(d);
    return NULL;
}
