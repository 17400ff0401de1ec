/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - the inputSchema of an operation's tool (build.h).
 *
 *     {"type":"object","properties":{ each parameter, the body },"required":[...],
 *      "additionalProperties":false,"$defs":{...}}
 *
 * It is written with every reference in its place; when that is too large, with names; when that
 * is, too, without what the names stand for, which the interface then judges itself.  A document in
 * which that happens again and again is not worth a loop's time: it is so from the start then.
 */
#include "base/encode.h"
#include "mcp/openapi/build.h"
#include "mcp/openapi/schema.h"

#define TEXT_MOST 1024 /* of a parameter's description */
#define WASTE_MOST ((size_t)32 * 1024 * 1024) /* of a document: then the last way comes first */

/* 2.0 says type, format and items beside the name; 3.x has a schema, or one behind a media type. */
static const struct km_json *schema_of(const struct km_openapi_draft *d, size_t i)
{
    const struct km_json *v = d->declared[i], *content, *item = NULL;
    struct km_json_iter it;
    struct km_str key;

    if (d->b->swagger || !v)
        return v;
    content = km_json_get(v, "content");
    if (km_json_kind(content) != KM_JSON_OBJECT)
        return km_json_get(v, "schema");
    km_json_iter(content, &it);
    return km_json_next(&it, &key, &item) ? km_json_get(item, "schema") : NULL;
}

static void put_name(struct km_buf *out, struct km_str name, bool *some)
{
    if (*some)
        km_buf_byte(out, ',');
    km_buf_json(out, name);
    *some = true;
}

static void put_property(struct km_openapi_schemas *s, struct km_str name,
                         const struct km_json *schema, struct km_str description, bool *some)
{
    put_name(s->out, name, some);
    km_buf_byte(s->out, ':');
    if (schema) {
        km_openapi_put_schema(s, schema, km_utf8_cut(description, TEXT_MOST));
        return;
    }
    km_buf_str(s->out, KM_STR("{\"type\":\"string\",\"description\":"));
    km_buf_json(s->out, km_utf8_cut(description, TEXT_MOST));
    km_buf_byte(s->out, '}');
}

static void put_body(struct km_openapi_schemas *s, const struct km_openapi_draft *d, bool *some)
{
    struct km_str text = d->body_description;

    if (d->op.body == KM_OPENAPI_TEXT) {
        put_property(
            s, d->op.body_arg, NULL,
            km_arena_printf(d->b->scratch,
                            "%.*s%sThe body, of type %.*s: text, or a data: URL in base64.",
                            KM_STR_ARG(text), text.n ? " " : "", KM_STR_ARG(d->op.media)),
            some);
        return;
    }
    put_name(s->out, d->op.body_arg, some);
    km_buf_byte(s->out, ':');
    if (d->body)
        km_openapi_put_schema(s, d->body, text);
    else
        km_buf_str(s->out,
                   d->op.body == KM_OPENAPI_JSON ? KM_STR("{}") : KM_STR("{\"type\":\"object\"}"));
}

static void put_required(struct km_openapi_schemas *s, const struct km_openapi_draft *d)
{
    bool some = false;

    km_buf_str(s->out, KM_STR("},\"required\":["));
    for (size_t i = 0; i < d->nparams; i++)
        if (d->params[i].required)
            put_name(s->out, d->params[i].arg, &some);
    if (d->op.body_arg.n && d->body_required)
        put_name(s->out, d->op.body_arg, &some);
    km_buf_byte(s->out, ']');
}

static void put_input(struct km_openapi_schemas *s, const struct km_openapi_draft *d)
{
    bool some = false;

    km_buf_str(s->out, KM_STR("{\"type\":\"object\",\"properties\":{"));
    for (size_t i = 0; i < d->nparams; i++)
        put_property(s, d->params[i].arg, schema_of(d, i),
                     km_openapi_text(d->declared[i], "description"), &some);
    if (d->op.body_arg.n)
        put_body(s, d, &some);
    put_required(s, d);
    km_buf_str(s->out, KM_STR(",\"additionalProperties\":false"));
    km_openapi_put_defs(s);
    km_buf_byte(s->out, '}');
}

struct km_str km_openapi_input(struct km_openapi_draft *d)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_SCHEMA_BYTES);
    int first = d->b->wasted < WASTE_MOST ? KM_OPENAPI_WHOLE : KM_OPENAPI_BLUNT;

    for (int detail = first; detail <= KM_OPENAPI_BLUNT; detail++) {
        struct km_openapi_schemas s = { .refs = &d->b->refs,
                                        .arena = d->b->scratch,
                                        .out = &out,
                                        .detail = (enum km_openapi_detail)detail };

        km_buf_reset(&out);
        put_input(&s, d);
        if (!km_buf_failed(&out))
            return km_arena_str(&d->b->doc->arena, km_buf_view(&out));
        d->b->wasted += KM_OPENAPI_SCHEMA_BYTES;
    }
    return KM_STR_NONE;
}
