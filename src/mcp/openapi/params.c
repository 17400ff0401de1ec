/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - what an operation is asked with: its parameters and its body (build.h).
 *
 *     of the path, then of the operation, which wins where name and place are the same
 *     a {name} of the path that nobody declares is a required text
 *
 * What is not the caller's to say is no argument: header fields of the connection and of
 * credentials, and those that are configured.  Two parameters of one name in two places are two
 * arguments, the second with its place behind its name.
 */
#include <string.h>

#include "mcp/asker.h"
#include "mcp/openapi/build.h"
#include "mcp/openapi/schema.h"

static bool is_true(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_TRUE;
}

/* --- one parameter --- */

static bool place_of(const struct km_openapi_build *b, struct km_str in, enum km_openapi_in *ret)
{
    static const char *const places[] = { [KM_OPENAPI_PATH] = "path",
                                          [KM_OPENAPI_QUERY] = "query",
                                          [KM_OPENAPI_HEADER] = "header",
                                          [KM_OPENAPI_COOKIE] = "cookie",
                                          [KM_OPENAPI_FIELD] = "formData" };

    for (int i = KM_OPENAPI_PATH; i <= KM_OPENAPI_FIELD; i++)
        if (km_str_eq(in, km_str_c(places[i])) && (i != KM_OPENAPI_FIELD || b->swagger)) {
            *ret = (enum km_openapi_in)i;
            return true;
        }
    return false;
}

/* 3.x: style and explode; 2.0: collectionFormat. */
static void set_style(const struct km_openapi_build *b, const struct km_json *v,
                      struct km_openapi_param *p)
{
    static const struct {
        const char *name;
        enum km_openapi_style style;
    } styles[] = {
        { "spaceDelimited", KM_OPENAPI_SPACE },
        { "pipeDelimited", KM_OPENAPI_PIPE },
        { "deepObject", KM_OPENAPI_DEEP },
        { "label", KM_OPENAPI_LABEL },
        { "matrix", KM_OPENAPI_MATRIX },
        { "ssv", KM_OPENAPI_SPACE },
        { "tsv", KM_OPENAPI_TAB },
        { "pipes", KM_OPENAPI_PIPE },
    };
    struct km_str name = km_openapi_text(v, b->swagger ? "collectionFormat" : "style");
    bool said;

    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
        if (km_str_eq(name, km_str_c(styles[i].name)))
            p->style = styles[i].style;
    if ((p->style == KM_OPENAPI_LABEL || p->style == KM_OPENAPI_MATRIX) && p->in != KM_OPENAPI_PATH)
        p->style = KM_OPENAPI_COMMA;
    p->explode = b->swagger ? km_str_eq(name, KM_STR("multi"))
                            : p->in == KM_OPENAPI_QUERY && p->style == KM_OPENAPI_COMMA;
    if (!b->swagger && km_json_bool(km_json_get(v, "explode"), &said))
        p->explode = said;
}

/* A header that the caller has no say in. */
static bool kept_back(const struct km_openapi_draft *d, struct km_str name)
{
    const struct km_str_map *fixed = d->b->args->headers;
    const struct km_str_list *passed = d->b->args->passed;

    for (size_t i = 0; fixed && i < fixed->n; i++)
        if (km_str_ieq(fixed->v[i].name, name))
            return true;
    if (passed && km_str_iamong(name, passed->v, passed->n))
        return true;
    return km_asker_kept_back(name, KM_STR_NONE) ||
           (d->b->doc->key_in == KM_OPENAPI_HEADER && km_str_ieq(name, d->b->doc->key_name));
}

/* A name a header field cannot have. */
static bool sendable(struct km_str name)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);

    return km_header_put(&line, name, KM_STR("x"), NULL) == 0;
}

static struct km_openapi_param *find(struct km_openapi_draft *d, struct km_str name,
                                     enum km_openapi_in in)
{
    for (size_t i = 0; i < d->nparams; i++)
        if (d->params[i].in == in && km_str_eq(d->params[i].name, name))
            return &d->params[i];
    return NULL;
}

static const char *add(struct km_openapi_draft *d, const struct km_json *v)
{
    struct km_openapi_param p = { .name = km_openapi_text(v, "name"),
                                  .required = is_true(km_json_get(v, "required")),
                                  .json = km_json_get(v, "content") != NULL };
    struct km_openapi_param *old;

    if (!p.name.n || !place_of(d->b, km_openapi_text(v, "in"), &p.in))
        return NULL;
    if (p.in == KM_OPENAPI_HEADER && kept_back(d, p.name))
        return NULL;
    if (p.in == KM_OPENAPI_HEADER && !sendable(p.name))
        return p.required ? "a header field it needs has no usable name" : NULL;
    p.required = p.required || p.in == KM_OPENAPI_PATH;
    set_style(d->b, v, &p);
    old = find(d, p.name, p.in);
    if (!old && d->nparams == KM_OPENAPI_PARAMS)
        return "it has too many parameters";
    if (!old)
        old = &d->params[d->nparams++];
    *old = p;
    d->declared[old - d->params] = v;
    return NULL;
}

/* --- the body --- */

/* 3.x: JSON, else a form, else text, else whatever comes first. */
static int rank(struct km_str media)
{
    if (km_str_istarts(media, KM_STR("application/json")))
        return 6;
    if (km_str_find(media, KM_STR("+json")) < media.n || km_str_eq(media, KM_STR("*/*")))
        return 5;
    if (km_str_istarts(media, KM_STR("application/x-www-form-urlencoded")))
        return 4;
    if (km_str_istarts(media, KM_STR("multipart/form-data")))
        return 3;
    return km_str_istarts(media, KM_STR("text/")) ? 2 : 1;
}

static enum km_openapi_body kind_of(struct km_str media)
{
    static const enum km_openapi_body kinds[] = { KM_OPENAPI_NO_BODY,   KM_OPENAPI_TEXT,
                                                  KM_OPENAPI_TEXT,      KM_OPENAPI_MULTIPART,
                                                  KM_OPENAPI_FORM,      KM_OPENAPI_JSON,
                                                  KM_OPENAPI_JSON };

    return kinds[rank(media)];
}

static void set_media(struct km_openapi_draft *d, struct km_str media)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);

    d->op.body = kind_of(media);
    if (km_str_chr(media, '*') < media.n ||
        km_header_put(&line, KM_STR("Content-Type"), media, NULL) < 0)
        media = d->op.body == KM_OPENAPI_JSON ? KM_STR("application/json")
                                              : KM_STR("application/octet-stream");
    d->op.media = km_arena_str(&d->b->doc->arena, media);
}

static const char *take_body(struct km_openapi_draft *d)
{
    const struct km_json *body =
        km_openapi_follow(&d->b->refs, km_json_get(d->operation, "requestBody"));
    const struct km_json *item, *best = NULL;
    struct km_str media, chosen = KM_STR_NONE;
    struct km_json_iter it;

    if (!km_json_get(d->operation, "requestBody"))
        return NULL;
    for (km_json_iter(km_json_get(body, "content"), &it); km_json_next(&it, &media, &item);)
        if (media.n && (!best || rank(media) > rank(chosen))) {
            chosen = media;
            best = item;
        }
    if (!best)
        return is_true(km_json_get(body, "required")) ? "its body is of no known kind" : NULL;
    set_media(d, chosen);
    d->body = km_json_get(best, "schema");
    d->body_description = km_openapi_text(body, "description");
    d->body_required = is_true(km_json_get(body, "required"));
    d->op.body_arg = KM_STR("body");
    return NULL;
}

static bool consumes(const struct km_openapi_draft *d, const char *media)
{
    const struct km_json *list = km_json_get(d->operation, "consumes"), *item;
    struct km_json_iter it;
    struct km_str key, text;

    if (!list)
        list = km_json_get(d->b->refs.root, "consumes");
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &text) && km_str_istarts(text, km_str_c(media)))
            return true;
    return false;
}

/* 2.0: `in: body`. */
static void take_parameter_body(struct km_openapi_draft *d, const struct km_json *v)
{
    struct km_str name = km_openapi_text(v, "name");

    set_media(d, KM_STR("application/json"));
    d->body = km_json_get(v, "schema");
    d->body_description = km_openapi_text(v, "description");
    d->body_required = is_true(km_json_get(v, "required"));
    d->op.body_arg = km_arena_str(&d->b->doc->arena, name.n ? name : KM_STR("body"));
}

/* 2.0: `in: formData`. */
static void take_fields(struct km_openapi_draft *d)
{
    bool some = false, file = false;

    for (size_t i = 0; i < d->nparams; i++) {
        if (d->params[i].in != KM_OPENAPI_FIELD)
            continue;
        some = true;
        file = file || km_str_eq(km_openapi_text(d->declared[i], "type"), KM_STR("file"));
    }
    if (some)
        set_media(d, file || consumes(d, "multipart/form-data")
                         ? KM_STR("multipart/form-data")
                         : KM_STR("application/x-www-form-urlencoded"));
}

/* --- all of them --- */

static const char *add_list(struct km_openapi_draft *d, const struct km_json *list)
{
    const struct km_json *item;
    struct km_json_iter it;
    const char *why = NULL;
    struct km_str key;

    for (km_json_iter(list, &it); !why && km_json_next(&it, &key, &item);) {
        item = km_openapi_follow(&d->b->refs, item);
        if (!item)
            why = "a parameter of it refers to nothing";
        else if (d->b->swagger && km_str_eq(km_openapi_text(item, "in"), KM_STR("body")))
            take_parameter_body(d, item);
        else
            why = add(d, item);
    }
    return why;
}

static bool taken(const struct km_openapi_draft *d, struct km_str arg, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (km_str_eq(d->params[i].arg, arg))
            return true;
    return km_str_eq(arg, d->op.body_arg);
}

static void name_arguments(struct km_openapi_draft *d)
{
    static const char *const places[] = { "path", "query", "header", "cookie", "field" };

    for (size_t i = 0; i < d->nparams; i++) {
        struct km_openapi_param *p = &d->params[i];

        p->arg = p->name;
        if (taken(d, p->arg, i))
            p->arg = km_arena_printf(d->b->scratch, "%.*s_%s", KM_STR_ARG(p->name), places[p->in]);
        for (int n = 2; p->arg.n && taken(d, p->arg, i); n++)
            p->arg =
                km_arena_printf(d->b->scratch, "%.*s_%s_%d", KM_STR_ARG(p->name), places[p->in], n);
    }
}

/* The {names} of the path; NULL, or what is wrong with it. */
static const char *add_places(struct km_openapi_draft *d)
{
    struct km_str rest = d->path;

    for (;;) {
        size_t open = km_str_chr(rest, '{'), close;
        struct km_str name;

        if (km_str_chr(km_str_sub(rest, 0, open), '}') < open)
            return "its path has a brace too many";
        if (open == rest.n)
            return NULL;
        close = km_str_chr(km_str_skip(rest, open), '}');
        name = km_str_sub(rest, open + 1, close - 1);
        if (open + close == rest.n || !name.n || km_str_chr(name, '{') < name.n)
            return "its path has a brace too many";
        if (!find(d, name, KM_OPENAPI_PATH)) {
            if (d->nparams == KM_OPENAPI_PARAMS)
                return "it has too many parameters";
            d->declared[d->nparams] = NULL;
            d->params[d->nparams++] =
                (struct km_openapi_param){ .name = name, .in = KM_OPENAPI_PATH, .required = true };
        }
        rest = km_str_skip(rest, open + close + 1);
    }
}

/* What is written between the places stands in the request as it is. */
static const char *set_path(struct km_openapi_draft *d)
{
    static const char more[] = "/-._~!$&'()*+,;=:@%{}";
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_TARGET_BYTES);
    bool inside = false;

    for (size_t i = 0; i < d->path.n; i++) {
        char c = d->path.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        inside = c == '{' || (inside && c != '}');
        if (word || inside || (c && strchr(more, c)))
            km_buf_byte(&b, c);
        else
            km_url_encode(&b, km_str(&c, 1));
    }
    d->op.path = km_arena_str(&d->b->doc->arena, km_buf_view(&b));
    return km_buf_failed(&b) ? "its path is too long" : NULL;
}

/* Declared for the path, but no place in it. */
static void drop_placeless(struct km_openapi_draft *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->nparams; i++) {
        struct km_str place =
            km_arena_printf(d->b->scratch, "{%.*s}", KM_STR_ARG(d->params[i].name));

        if (d->params[i].in == KM_OPENAPI_PATH && km_str_find(d->path, place) == d->path.n)
            continue;
        d->params[kept] = d->params[i];
        d->declared[kept++] = d->declared[i];
    }
    d->nparams = kept;
}

const char *km_openapi_params(struct km_openapi_draft *d)
{
    const char *why = add_list(d, km_json_get(d->item, "parameters"));

    if (!why)
        why = add_list(d, km_json_get(d->operation, "parameters"));
    if (!why)
        why = add_places(d);
    if (!why)
        why = set_path(d);
    if (!why && !d->b->swagger)
        why = take_body(d);
    if (why)
        return why;
    drop_placeless(d);
    if (d->b->swagger && !d->op.body_arg.n)
        take_fields(d);
    name_arguments(d);
    return NULL;
}
