/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - see schema.h for the contract.
 *
 *     {"$ref": "#/components/schemas/Pet"}   written out, or {"$ref": "#/$defs/Pet"} where Pet is
 *                                            being written already, or names are enough
 *     a keyword of the table below           kept where its value is of its kind
 *     any other                              left out: example, xml, discriminator, x-...
 *
 * A client hands a tool's schema on to a model's interface, which refuses the whole request for
 * one keyword with a value of a wrong type: so what is not as it should be is left out here.
 */
#include "mcp/openapi/schema.h"

#define VALUE_DEPTH 4 /* of a default or of one of an enum */

enum kind {
    TEXT,
    NUMBER,
    COUNT,
    FLAG,
    VALUES, /* an array of anything */
    ANY,
    TYPE,
    ENUM,
    REQUIRED,
    EDGE, /* exclusiveMinimum: 3.0 has a flag, 2020-12 a number */
    SCHEMA,
    SCHEMAS, /* an array of them */
    NAMED, /* an object of them */
};

static const struct keyword {
    struct km_str name;
    enum kind kind;
} keywords[] = {
    { { "type", 4 }, TYPE },
    { { "title", 5 }, TEXT },
    { { "description", 11 }, TEXT },
    { { "format", 6 }, TEXT },
    { { "pattern", 7 }, TEXT },
    { { "contentEncoding", 15 }, TEXT },
    { { "contentMediaType", 16 }, TEXT },
    { { "default", 7 }, ANY },
    { { "const", 5 }, ANY },
    { { "enum", 4 }, ENUM },
    { { "examples", 8 }, VALUES },
    { { "deprecated", 10 }, FLAG },
    { { "writeOnly", 9 }, FLAG },
    { { "multipleOf", 10 }, NUMBER },
    { { "minimum", 7 }, NUMBER },
    { { "maximum", 7 }, NUMBER },
    { { "exclusiveMinimum", 16 }, EDGE },
    { { "exclusiveMaximum", 16 }, EDGE },
    { { "minLength", 9 }, COUNT },
    { { "maxLength", 9 }, COUNT },
    { { "minItems", 8 }, COUNT },
    { { "maxItems", 8 }, COUNT },
    { { "minContains", 11 }, COUNT },
    { { "maxContains", 11 }, COUNT },
    { { "uniqueItems", 11 }, FLAG },
    { { "minProperties", 13 }, COUNT },
    { { "maxProperties", 13 }, COUNT },
    { { "required", 8 }, REQUIRED },
    { { "properties", 10 }, NAMED },
    { { "patternProperties", 17 }, NAMED },
    { { "dependentSchemas", 16 }, NAMED },
    { { "additionalProperties", 20 }, SCHEMA },
    { { "propertyNames", 13 }, SCHEMA },
    { { "items", 5 }, SCHEMA },
    { { "contains", 8 }, SCHEMA },
    { { "not", 3 }, SCHEMA },
    { { "if", 2 }, SCHEMA },
    { { "then", 4 }, SCHEMA },
    { { "else", 4 }, SCHEMA },
    { { "prefixItems", 11 }, SCHEMAS },
    { { "allOf", 5 }, SCHEMAS },
    { { "anyOf", 5 }, SCHEMAS },
    { { "oneOf", 5 }, SCHEMAS },
};

static const struct keyword *find_keyword(struct km_str name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (km_str_eq(keywords[i].name, name))
            return &keywords[i];
    return NULL;
}

/* --- references --- */

static bool is_open(const struct km_openapi_schemas *s, const struct km_json *schema)
{
    for (unsigned i = 0; i < s->nopen; i++)
        if (s->open[i] == schema)
            return true;
    return false;
}

static void put_text(struct km_buf *out, const char *key, struct km_str text, bool *some)
{
    if (!text.n)
        return;
    km_buf_printf(out, "%s\"%s\":", *some ? "," : "", key);
    km_buf_json(out, text);
    *some = true;
}

static void put_reference(struct km_openapi_schemas *s, struct km_str pointer,
                          struct km_str description)
{
    const struct km_json *target = km_openapi_at(s->refs, pointer);
    struct km_str name = KM_STR_NONE;
    bool some = false;

    if (target && s->detail == KM_OPENAPI_WHOLE && !is_open(s, target) &&
        s->nopen < KM_OPENAPI_DEPTH) {
        s->open[s->nopen++] = target;
        km_openapi_put_schema(s, target, description);
        s->nopen--;
        return;
    }
    s->lost = true; /* as far as can be seen from here */
    if (target && s->detail != KM_OPENAPI_BLUNT)
        name = km_openapi_def(s, target, pointer);
    km_buf_byte(s->out, '{');
    if (name.n)
        put_text(s->out, "$ref", km_arena_printf(s->arena, "#/$defs/%.*s", KM_STR_ARG(name)),
                 &some);
    put_text(s->out, "description", description, &some);
    km_buf_byte(s->out, '}');
}

/* --- values --- */

static bool known_type(const struct km_json *v)
{
    static const char *const types[] = { "string",  "number", "integer", "boolean",
                                         "array",   "object", "null",    "file" };
    struct km_str text;

    for (size_t i = 0; km_json_string(v, &text) && i < sizeof types / sizeof types[0]; i++)
        if (km_str_eq(text, km_str_c(types[i])))
            return true;
    return false;
}

static bool is_flag(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_TRUE || km_json_kind(v) == KM_JSON_FALSE;
}

static bool is_true(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_TRUE;
}

static bool all_of(const struct km_json *list, bool (*fits)(const struct km_json *v))
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(list) != KM_JSON_ARRAY || !km_json_count(list))
        return false;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (!fits(item))
            return false;
    return true;
}

static bool is_schema(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_OBJECT || is_flag(v);
}

static bool is_text(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_STRING;
}

/* Is it of the kind its keyword wants? */
static bool fits(const struct keyword *k, const struct km_json *v)
{
    int64_t n;

    switch (k->kind) {
    case TEXT:
        return is_text(v);
    case NUMBER:
    case EDGE:
        return km_json_kind(v) == KM_JSON_NUMBER;
    case COUNT:
        return km_json_i64(v, &n) && n >= 0;
    case FLAG:
        return is_flag(v);
    case VALUES:
        return km_json_kind(v) == KM_JSON_ARRAY && km_json_within(v, VALUE_DEPTH);
    case ANY:
        return km_json_within(v, VALUE_DEPTH);
    case TYPE:
        return known_type(v) || all_of(v, known_type);
    case ENUM:
        return km_json_kind(v) == KM_JSON_ARRAY && km_json_count(v) &&
               km_json_within(v, VALUE_DEPTH);
    case REQUIRED:
        return all_of(v, is_text);
    case SCHEMA:
        return is_schema(v);
    case SCHEMAS:
        return all_of(v, is_schema);
    default:
        return km_json_kind(v) == KM_JSON_OBJECT;
    }
}

/* 3.0's `nullable`: what is null besides. */
static void put_nullable(const struct km_json *v, struct km_buf *out)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    bool has_null = false;

    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        km_buf_byte(out, it.left + 1 == km_json_count(v) ? '[' : ',');
        km_json_write(item, out);
        has_null = has_null || km_json_kind(item) == KM_JSON_NULL;
    }
    km_buf_str(out, has_null ? KM_STR("]") : KM_STR(",null]"));
}

static void put_type(const struct km_json *v, bool nullable, struct km_buf *out)
{
    struct km_str text;

    if (!km_json_string(v, &text)) {
        km_json_write(v, out);
        return;
    }
    if (km_str_eq(text, KM_STR("file")))
        text = KM_STR("string");
    if (nullable)
        km_buf_printf(out, "[\"%.*s\",\"null\"]", KM_STR_ARG(text));
    else
        km_buf_json(out, text);
}

/* --- objects --- */

/* A client's to give?  What is read only is the server's. */
static bool read_only(const struct km_openapi_schemas *s, const struct km_json *property)
{
    return is_true(km_json_get(km_openapi_follow(s->refs, property), "readOnly"));
}

static void put_required(struct km_openapi_schemas *s, const struct km_json *schema,
                         const struct km_json *list)
{
    const struct km_json *properties = km_json_get(schema, "properties"), *item;
    struct km_json_iter it;
    struct km_str key, name;
    bool some = false;

    km_buf_byte(s->out, '[');
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);) {
        if (!km_json_string(item, &name) || read_only(s, km_json_member(properties, name))) {
            s->lost = true;
            continue;
        }
        if (some)
            km_buf_byte(s->out, ',');
        km_buf_json(s->out, name);
        some = true;
    }
    km_buf_byte(s->out, ']');
}

static void put_many(struct km_openapi_schemas *s, const struct km_json *v, bool named)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    bool some = false;

    km_buf_byte(s->out, named ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        if (named && (!is_schema(item) || read_only(s, item))) {
            s->lost = true;
            continue;
        }
        if (some)
            km_buf_byte(s->out, ',');
        if (named) {
            km_buf_json(s->out, key);
            km_buf_byte(s->out, ':');
        }
        km_openapi_put_schema(s, item, KM_STR_NONE);
        some = true;
    }
    km_buf_byte(s->out, named ? '}' : ']');
}

static void put_value(struct km_openapi_schemas *s, const struct km_json *schema,
                      const struct keyword *k, const struct km_json *v)
{
    bool nullable = is_true(km_json_get(schema, "nullable"));

    if (k->kind == TYPE)
        put_type(v, nullable, s->out);
    else if (k->kind == ENUM && nullable)
        put_nullable(v, s->out);
    else if (k->kind == REQUIRED)
        put_required(s, schema, v);
    else if (k->kind == SCHEMA)
        km_openapi_put_schema(s, v, KM_STR_NONE);
    else if (k->kind == SCHEMAS || k->kind == NAMED)
        put_many(s, v, k->kind == NAMED);
    else
        km_json_write(v, s->out);
}

/* 3.0: a flag that says of the bound beside it that it is out of bounds itself. */
static struct km_str edge_name(const struct km_json *schema, struct km_str name)
{
    if (km_str_eq(name, KM_STR("minimum")) && is_true(km_json_get(schema, "exclusiveMinimum")))
        return KM_STR("exclusiveMinimum");
    if (km_str_eq(name, KM_STR("maximum")) && is_true(km_json_get(schema, "exclusiveMaximum")))
        return KM_STR("exclusiveMaximum");
    return name;
}

/* Is nothing lost without it?  nullable and a flag of a bound are written elsewhere. */
static bool is_spare(struct km_str name, const struct km_json *v)
{
    static const char *const names[] = { "example", "externalDocs", "xml", "nullable", "readOnly" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_eq(name, km_str_c(names[i])))
            return true;
    return km_str_starts(name, KM_STR("x-")) ||
           (is_flag(v) && km_str_starts(name, KM_STR("exclusive")));
}

/* A oneOf stands at `from` and was written just now; false: it is taken back, for there is no other
 * name it could have. */
static bool loosen(struct km_openapi_schemas *s, const struct km_json *schema, size_t from)
{
    if ((!s->lost && !km_json_get(schema, "discriminator")) || km_buf_failed(s->out))
        return true;
    s->lost = true;
    if (km_json_get(schema, "anyOf")) {
        s->out->n = from;
        return false;
    }
    memcpy(s->out->p + from + 1, "anyOf", 5);
    return true;
}

/* A member; false: it was left out after all. */
static bool put_member(struct km_openapi_schemas *s, const struct km_json *schema,
                       const struct keyword *k, const struct km_json *v)
{
    const size_t from = s->out->n;
    const bool before = s->lost, one = km_str_eq(k->name, KM_STR("oneOf"));
    bool stays;

    s->lost = s->lost && !one;
    km_buf_json(s->out, edge_name(schema, k->name));
    km_buf_byte(s->out, ':');
    put_value(s, schema, k, v);
    stays = !one || loosen(s, schema, from);
    s->lost = s->lost || before;
    return stays;
}

static void put_object(struct km_openapi_schemas *s, const struct km_json *schema,
                       struct km_str description)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    bool some = false;

    km_buf_byte(s->out, '{');
    put_text(s->out, "description", description, &some);
    for (km_json_iter(schema, &it); km_json_next(&it, &key, &item);) {
        const struct keyword *k = find_keyword(key);
        const size_t from = s->out->n;

        s->lost = s->lost || ((!k || !fits(k, item)) && !is_spare(key, item));
        if (!k || !fits(k, item) || km_buf_failed(s->out) ||
            (description.n && km_str_eq(key, KM_STR("description"))))
            continue;
        if (some)
            km_buf_byte(s->out, ',');
        if (put_member(s, schema, k, item))
            some = true;
        else
            s->out->n = from;
    }
    km_buf_byte(s->out, '}');
}

void km_openapi_put_schema(struct km_openapi_schemas *s, const struct km_json *schema,
                           struct km_str description)
{
    struct km_str pointer;

    if (km_buf_failed(s->out))
        return;
    if (is_flag(schema)) {
        km_json_write(schema, s->out);
    } else if (km_json_kind(schema) != KM_JSON_OBJECT || s->depth == KM_OPENAPI_DEPTH) {
        km_buf_str(s->out, KM_STR("{}"));
        s->lost = true;
    } else {
        s->depth++;
        s->lost = s->lost || (km_json_get(schema, "$ref") && km_json_count(schema) > 1);
        if (km_json_string(km_json_get(schema, "$ref"), &pointer))
            put_reference(s, pointer, description);
        else
            put_object(s, schema, description);
        s->depth--;
    }
}

void km_openapi_put_defs(struct km_openapi_schemas *s)
{
    for (size_t i = 0; i < s->ndefs; i++) { /* more may come while they are written */
        km_buf_str(s->out, i ? KM_STR(",") : KM_STR(",\"$defs\":{"));
        km_buf_json(s->out, s->defs[i].name);
        km_buf_byte(s->out, ':');
        s->open[0] = s->defs[i].schema;
        s->nopen = 1;
        km_openapi_put_schema(s, s->defs[i].schema, KM_STR_NONE);
        s->nopen = 0;
    }
    if (s->ndefs)
        km_buf_byte(s->out, '}');
}
