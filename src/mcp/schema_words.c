/* SPDX-License-Identifier: Apache-2.0 */
/* schema_words.c - does a schema say more than is looked at?  Then what fits it may not.
 *
 *     {"type": "string", "title": "A name"}            all of it is known
 *     {"type": "string", "pattern": "^a"}              pattern is passed over
 *     {"items": [{"type": "string"}]}, {"required": 1} in a form that is not read
 *
 * It matters below a oneOf alone (schema.c).
 */
#include "mcp/schema_part.h"

/* What a word's value has to be for us to have read it; ANY: it restricts nothing. */
enum form { ANY, STRING, NUMBER, LIST, OBJECT, SCHEMA, TYPE };

static const struct {
    struct km_str name;
    enum form form;
} words[] = {
    { { "type", 4 }, TYPE },          { { "properties", 10 }, OBJECT },
    { { "required", 8 }, LIST },      { { "additionalProperties", 20 }, SCHEMA },
    { { "items", 5 }, SCHEMA },       { { "prefixItems", 11 }, LIST },
    { { "enum", 4 }, LIST },          { { "const", 5 }, ANY },
    { { "minimum", 7 }, NUMBER },     { { "maximum", 7 }, NUMBER },
    { { "$ref", 4 }, STRING },        { { "allOf", 5 }, LIST },
    { { "anyOf", 5 }, LIST },         { { "oneOf", 5 }, LIST },
    { { "title", 5 }, ANY },          { { "description", 11 }, ANY },
    { { "default", 7 }, ANY },        { { "examples", 8 }, ANY },
    { { "example", 7 }, ANY },        { { "deprecated", 10 }, ANY },
    { { "readOnly", 8 }, ANY },       { { "writeOnly", 9 }, ANY },
    { { "$comment", 8 }, ANY },       { { "$schema", 7 }, ANY },
    { { "$id", 3 }, ANY },            { { "$defs", 5 }, ANY },
    { { "definitions", 11 }, ANY },
};

static bool has_form(const struct km_json *v, enum form form)
{
    enum km_json_type kind = km_json_kind(v);

    switch (form) {
    case STRING:
        return kind == KM_JSON_STRING;
    case NUMBER:
        return kind == KM_JSON_NUMBER;
    case LIST:
        return kind == KM_JSON_ARRAY;
    case OBJECT:
        return kind == KM_JSON_OBJECT;
    case SCHEMA:
        return kind == KM_JSON_OBJECT || kind == KM_JSON_TRUE || kind == KM_JSON_FALSE;
    case TYPE:
        return kind == KM_JSON_STRING || kind == KM_JSON_ARRAY;
    default:
        return true;
    }
}

static bool is_read(struct km_str name, const struct km_json *v)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (km_str_eq(words[i].name, name))
            return has_form(v, words[i].form);
    return false;
}

void km_schema_read(struct km_schema_walk *w, const struct km_json *schema)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;

    if (!has_form(schema, SCHEMA))
        w->unsure = true;
    for (km_json_iter(schema, &it); !w->unsure && km_json_next(&it, &name, &v);)
        if (!is_read(name, v))
            w->unsure = true;
}
