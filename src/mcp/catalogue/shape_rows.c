/* SPDX-License-Identifier: Apache-2.0 */
/* shape_rows.c - what an item of each list is (shape.h), as the SDKs have it in common: the Python
 * ones (pydantic) and the TypeScript ones (zod), the lines of the handshake era and of both.
 *
 *     DROP     what adorns an item, or describes it to a person: it is usable without
 *     STRICT   what a caller needs to know, if it is there
 *     NEED     what each item has, and what stands for it where that can be said
 *
 * An outputSchema is held against more: one TypeScript client makes a validator of each when it
 * lists, and one that its compiler refuses costs it the list.  Without the schema the tool's
 * results are not checked there, and are the same.
 */
#include "mcp/catalogue/shape.h"

#define N(rows) sizeof(rows) / sizeof(rows)[0]
#define LEAF(KIND, text)                                                                           \
    {                                                                                              \
        .kind = KM_SHAPE_##KIND, .said = text                                                      \
    }
#define WORDS(list, text)                                                                          \
    {                                                                                              \
        .kind = KM_SHAPE_WORD, .words = list, .said = text                                         \
    }
#define OBJECT(rows)                                                                               \
    {                                                                                              \
        .kind = KM_SHAPE_OBJECT, .members = rows, .n = N(rows)                                     \
    }
#define OF(KIND, shape)                                                                            \
    {                                                                                              \
        .kind = KM_SHAPE_##KIND, .of = &(shape)                                                    \
    }
#define OR(a, b)                                                                                   \
    {                                                                                              \
        .kind = KM_SHAPE_EITHER, .of = &(a), .other = &(b)                                         \
    }

static const struct km_shape any = LEAF(ANY, ""), string = LEAF(STRING, "is no string"),
                             boolean = LEAF(BOOL, "is neither true nor false"),
                             number = LEAF(NUMBER, "is no number"),
                             whole = LEAF(WHOLE, "is no whole number"),
                             share = LEAF(SHARE, "is not from 0 to 1"),
                             time_of = LEAF(TIME, "is no time with its zone"),
                             url = LEAF(URL, "is no absolute URI"),
                             pattern = LEAF(PATTERN, "is no regular expression of JavaScript"),
                             reference = LEAF(REFERENCE, "leads nowhere"),
                             object_word = WORDS("object", "is not \"object\""),
                             theme = WORDS("light dark", "is neither light nor dark"),
                             role = WORDS("user assistant", "is neither user nor assistant"),
                             support = WORDS("forbidden optional required", "is no such word"),
                             nothing = { .kind = KM_SHAPE_WORD, .words = "", .said = "is refused" };

static const struct km_shape strings = OF(LIST, string), roles = OF(LIST, role),
                             anything = { .kind = KM_SHAPE_LIST, .of = &any, .least = 1 },
                             open = { .kind = KM_SHAPE_OBJECT };

/* --- schemas --- */

static const struct km_shape subschema;
static const struct km_shape subschemas = OF(LIST, subschema), named = OF(MAP, subschema);
static const struct km_shape items = OR(subschemas, subschema), lists = OF(MAP, items);
static const struct km_shape type_word = WORDS("string number integer boolean object array null",
                                               "is no type"),
                             type_words = OF(LIST, type_word), type = OR(type_words, type_word);

static const struct km_shape_member keywords[] = {
    { "$ref", &reference, KM_SHAPE_STRICT, NULL },
    { "$id", &string, KM_SHAPE_STRICT, NULL },
    { "id", &nothing, KM_SHAPE_STRICT, NULL },
    { "nullable", &nothing, KM_SHAPE_STRICT, NULL },
    { "type", &type, KM_SHAPE_STRICT, NULL },
    { "enum", &anything, KM_SHAPE_STRICT, NULL },
    { "format", &string, KM_SHAPE_STRICT, NULL },
    { "pattern", &pattern, KM_SHAPE_STRICT, NULL },
    { "minimum", &number, KM_SHAPE_STRICT, NULL },
    { "maximum", &number, KM_SHAPE_STRICT, NULL },
    { "exclusiveMinimum", &number, KM_SHAPE_STRICT, NULL },
    { "exclusiveMaximum", &number, KM_SHAPE_STRICT, NULL },
    { "multipleOf", &number, KM_SHAPE_STRICT, NULL },
    { "minLength", &number, KM_SHAPE_STRICT, NULL },
    { "maxLength", &number, KM_SHAPE_STRICT, NULL },
    { "minItems", &number, KM_SHAPE_STRICT, NULL },
    { "maxItems", &number, KM_SHAPE_STRICT, NULL },
    { "minProperties", &number, KM_SHAPE_STRICT, NULL },
    { "maxProperties", &number, KM_SHAPE_STRICT, NULL },
    { "uniqueItems", &boolean, KM_SHAPE_STRICT, NULL },
    { "required", &strings, KM_SHAPE_STRICT, NULL },
    { "properties", &named, KM_SHAPE_STRICT, NULL },
    { "patternProperties", &named, KM_SHAPE_STRICT, NULL },
    { "dependencies", &lists, KM_SHAPE_STRICT, NULL },
    { "definitions", &named, KM_SHAPE_STRICT, NULL },
    { "$defs", &named, KM_SHAPE_STRICT, NULL },
    { "items", &items, KM_SHAPE_STRICT, NULL },
    { "prefixItems", &subschemas, KM_SHAPE_STRICT, NULL },
    { "additionalItems", &subschema, KM_SHAPE_STRICT, NULL },
    { "additionalProperties", &subschema, KM_SHAPE_STRICT, NULL },
    { "propertyNames", &subschema, KM_SHAPE_STRICT, NULL },
    { "contains", &subschema, KM_SHAPE_STRICT, NULL },
    { "allOf", &subschemas, KM_SHAPE_STRICT, NULL },
    { "anyOf", &subschemas, KM_SHAPE_STRICT, NULL },
    { "oneOf", &subschemas, KM_SHAPE_STRICT, NULL },
    { "not", &subschema, KM_SHAPE_STRICT, NULL },
    { "if", &subschema, KM_SHAPE_STRICT, NULL },
    { "then", &subschema, KM_SHAPE_STRICT, NULL },
    { "else", &subschema, KM_SHAPE_STRICT, NULL },
};
static const struct km_shape compiled = OBJECT(keywords);
static const struct km_shape subschema = OR(boolean, compiled);

/* What else a property says is not looked at where nobody compiles it. */
static const struct km_shape property = OF(SCHEMA, open), properties = OF(MAP, property);
static const struct km_shape property_out = OF(SCHEMA, compiled),
                             properties_out = OF(MAP, property_out);

static const struct km_shape_member input_members[] = {
    { "$schema", &string, KM_SHAPE_DROP, NULL },
    { "type", &object_word, KM_SHAPE_NEED, "\"object\"" },
    { "properties", &properties, KM_SHAPE_STRICT, NULL },
    { "required", &strings, KM_SHAPE_STRICT, NULL },
};
static const struct km_shape input = OBJECT(input_members);

/* Twice over it: as any schema is compiled, and its own properties as the lists' rules want. */
static const struct km_shape_member output_members[] = {
    { "$schema", &string, KM_SHAPE_DROP, NULL },
    { "properties", &properties_out, KM_SHAPE_STRICT, NULL },
};
static const struct km_shape output_own = OBJECT(output_members);
static const struct km_shape output = { .kind = KM_SHAPE_ROOT,
                                        .of = &output_own,
                                        .other = &compiled };

/* --- what adorns --- */

static const struct km_shape_member icon_members[] = {
    { "src", &string, KM_SHAPE_NEED, NULL },
    { "mimeType", &string, KM_SHAPE_DROP, NULL },
    { "sizes", &strings, KM_SHAPE_DROP, NULL },
    { "theme", &theme, KM_SHAPE_DROP, NULL },
};
static const struct km_shape icon = OBJECT(icon_members), icons = OF(LIST, icon);

static const struct km_shape_member hint_members[] = {
    { "title", &string, KM_SHAPE_DROP, NULL },
    { "readOnlyHint", &boolean, KM_SHAPE_DROP, NULL },
    { "destructiveHint", &boolean, KM_SHAPE_DROP, NULL },
    { "idempotentHint", &boolean, KM_SHAPE_DROP, NULL },
    { "openWorldHint", &boolean, KM_SHAPE_DROP, NULL },
};
static const struct km_shape hints = OBJECT(hint_members);

static const struct km_shape_member execution_members[] = {
    { "taskSupport", &support, KM_SHAPE_DROP, NULL },
};
static const struct km_shape execution = OBJECT(execution_members);

static const struct km_shape_member annotation_members[] = {
    { "audience", &roles, KM_SHAPE_DROP, NULL },
    { "priority", &share, KM_SHAPE_DROP, NULL },
    { "lastModified", &time_of, KM_SHAPE_DROP, NULL },
};
static const struct km_shape annotations = OBJECT(annotation_members);

#define ADORNED                                                                                    \
    { "title", &string, KM_SHAPE_DROP, NULL }, { "description", &string, KM_SHAPE_DROP, NULL },    \
        { "icons", &icons, KM_SHAPE_DROP, NULL }, { "_meta", &open, KM_SHAPE_DROP, NULL }

/* --- items --- */

static const struct km_shape_member tool_members[] = {
    { "name", &string, KM_SHAPE_NEED, NULL },
    { "inputSchema", &input, KM_SHAPE_NEED, "{\"type\":\"object\"}" },
    { "outputSchema", &output, KM_SHAPE_DROP, NULL },
    { "annotations", &hints, KM_SHAPE_DROP, NULL },
    { "execution", &execution, KM_SHAPE_DROP, NULL },
    ADORNED,
};

static const struct km_shape_member resource_members[] = {
    { "uri", &url, KM_SHAPE_NEED, NULL },
    { "name", &string, KM_SHAPE_NEED, "@uri" },
    { "mimeType", &string, KM_SHAPE_DROP, NULL },
    { "size", &whole, KM_SHAPE_DROP, NULL },
    { "annotations", &annotations, KM_SHAPE_DROP, NULL },
    ADORNED,
};

static const struct km_shape_member template_members[] = {
    { "uriTemplate", &string, KM_SHAPE_NEED, NULL },
    { "name", &string, KM_SHAPE_NEED, "@uriTemplate" },
    { "mimeType", &string, KM_SHAPE_DROP, NULL },
    { "annotations", &annotations, KM_SHAPE_DROP, NULL },
    ADORNED,
};

static const struct km_shape_member argument_members[] = {
    { "name", &string, KM_SHAPE_NEED, NULL },
    { "title", &string, KM_SHAPE_DROP, NULL },
    { "description", &string, KM_SHAPE_DROP, NULL },
    { "required", &boolean, KM_SHAPE_STRICT, NULL },
};
static const struct km_shape argument = OBJECT(argument_members), arguments = OF(LIST, argument);

static const struct km_shape_member prompt_members[] = {
    { "name", &string, KM_SHAPE_NEED, NULL },
    { "arguments", &arguments, KM_SHAPE_STRICT, NULL },
    ADORNED,
};

const struct km_shape km_shapes[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = OBJECT(tool_members),
    [KM_MCP_RESOURCES] = OBJECT(resource_members),
    [KM_MCP_TEMPLATES] = OBJECT(template_members),
    [KM_MCP_PROMPTS] = OBJECT(prompt_members),
};
