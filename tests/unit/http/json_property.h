/* SPDX-License-Identifier: Apache-2.0 */
/* json_property.h - the property of json_span, checked against yyjson as the independent
 * parser; shared by the unit test and the fuzz target.
 *
 *     parse(splice(body)) equals the edited parse(body), and all bytes outside the edited
 *     spans are equal and in order.
 */
#ifndef KM_TEST_JSON_PROPERTY_H
#define KM_TEST_JSON_PROPERTY_H

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "http/json.h"

#define PROPERTY(cond)                                                                             \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: property broken: %s\n", __FILE__, __LINE__, #cond);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PROPERTY_NAMES 8

static const struct km_str property_names[PROPERTY_NAMES] = {
    { "model", 5 }, { "stream", 6 },      { "", 0 },  { "a\"b\\", 4 }, { "\xf0\x9f\x98\x80", 4 },
    { "user", 4 },  { "caf\xc3\xa9", 5 }, { "n", 1 },
};

enum property_edit { PROPERTY_KEEP, PROPERTY_CUT, PROPERTY_REPLACE, PROPERTY_BOTH };

static inline size_t property_count(yyjson_val *root, struct km_str name)
{
    size_t idx, max, count = 0;
    yyjson_val *key, *val;

    yyjson_obj_foreach(root, idx, max, key, val) count += yyjson_equals_strn(key, name.p, name.n);
    return count;
}

static inline int property_depth(yyjson_val *v)
{
    size_t idx, max;
    yyjson_val *key, *val;
    int deepest = 0;

    if (yyjson_is_obj(v)) {
        yyjson_obj_foreach(v, idx, max, key, val)
        {
            int d = property_depth(val);
            deepest = d > deepest ? d : deepest;
        }
        return deepest + 1;
    }
    if (!yyjson_is_arr(v))
        return 0;
    yyjson_arr_foreach(v, idx, max, val)
    {
        int d = property_depth(val);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

static inline enum km_json_type property_type(yyjson_val *v)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL:
        return KM_JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(v) ? KM_JSON_TRUE : KM_JSON_FALSE;
    case YYJSON_TYPE_NUM:
        return KM_JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return KM_JSON_STRING;
    case YYJSON_TYPE_ARR:
        return KM_JSON_ARRAY;
    default:
        return KM_JSON_OBJECT;
    }
}

/* The span of a member says what yyjson says. */
static inline void property_span(struct km_str body, const struct km_json_span *s,
                                 struct km_str name, yyjson_val *root)
{
    yyjson_val *val = yyjson_obj_getn(root, name.p, name.n);
    struct km_str text = km_json_value(body, s);
    yyjson_doc *doc;

    if (!val) {
        PROPERTY(s->type == KM_JSON_ABSENT);
        return;
    }
    PROPERTY(s->type == property_type(val));
    doc = yyjson_read(text.p, text.n, 0);
    PROPERTY(doc != NULL);
    PROPERTY(yyjson_equals(yyjson_doc_get_root(doc), val));
    PROPERTY(s->value >= s->member && s->value + s->value_n == s->member + s->member_n);
    PROPERTY(body.p[s->member] == '"');
    if (s->type == KM_JSON_STRING) {
        struct km_arena a;
        struct km_str decoded;

        km_arena_init(&a, body.n + 65536, NULL);
        decoded = km_json_text(&a, body, s);
        PROPERTY(yyjson_equals_strn(val, decoded.p ? decoded.p : "", decoded.n));
        km_arena_done(&a);
    }
    yyjson_doc_free(doc);
}

/* The same edits on yyjson's own tree. */
static inline yyjson_mut_doc *property_model(yyjson_doc *doc, const enum property_edit *edit,
                                             const char *value, size_t adds)
{
    yyjson_mut_doc *m = yyjson_doc_mut_copy(doc, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(m);

    for (size_t i = 0; i < PROPERTY_NAMES; i++) {
        struct km_str name = property_names[i];
        yyjson_mut_val *key = NULL;

        if (edit[i] == PROPERTY_CUT || edit[i] == PROPERTY_BOTH)
            yyjson_mut_obj_remove_keyn(root, name.p, name.n);
        else if (edit[i] == PROPERTY_REPLACE && yyjson_mut_obj_getn(root, name.p, name.n)) {
            yyjson_doc *v = yyjson_read(value, strlen(value), 0);

            key = yyjson_mut_strncpy(m, name.p, name.n);
            yyjson_mut_obj_replace(root, key, yyjson_val_mut_copy(m, yyjson_doc_get_root(v)));
            yyjson_doc_free(v);
        }
    }
    for (size_t i = 0; i < adds; i++) {
        char name[32];

        snprintf(name, sizeof name, "added%zu", i);
        yyjson_mut_obj_add_uint(m, root, yyjson_mut_get_str(yyjson_mut_strcpy(m, name)), i);
    }
    return m;
}

/* Bytes that are gone lie in edited members, or are a comma or white space. */
static inline void property_bytes(struct km_str body, const struct km_str *parts, size_t n,
                                  const struct km_json_span *spans, const enum property_edit *edit)
{
    size_t at = 0;

    for (size_t i = 0; i <= n; i++) {
        size_t next;

        if (i < n && (parts[i].p < body.p || parts[i].p >= body.p + body.n))
            continue;
        next = i < n ? (size_t)(parts[i].p - body.p) : body.n;
        PROPERTY(next >= at);
        for (; at < next; at++) {
            bool fine = strchr(", \t\r\n", body.p[at]) != NULL;

            for (size_t k = 0; k < PROPERTY_NAMES && !fine; k++)
                fine = edit[k] != PROPERTY_KEEP && spans[k].type != KM_JSON_ABSENT &&
                       at >= (edit[k] == PROPERTY_REPLACE ? spans[k].value : spans[k].member) &&
                       at < spans[k].member + spans[k].member_n;
            PROPERTY(fine);
        }
        if (i < n)
            at += parts[i].n;
    }
}

static inline void property_splice(struct km_str body, yyjson_doc *doc,
                                   const struct km_json_span *spans,
                                   const struct km_json_object *object,
                                   const enum property_edit *edit, size_t adds)
{
    static const char value[] = "[1,{\"x\":\"\\u0000,}\"}]";
    struct km_json_edits edits;
    struct km_arena a;
    struct km_str *parts, joined;
    struct km_err err;
    size_t n;
    yyjson_mut_doc *model;
    yyjson_doc *got;
    char *want_text, *got_text;

    km_arena_init(&a, 4 * body.n + 65536, NULL);
    km_json_edits_init(&edits, body, object);
    for (size_t i = PROPERTY_NAMES; i-- > 0;) {
        if (edit[i] == PROPERTY_REPLACE || edit[i] == PROPERTY_BOTH)
            km_json_replace(&edits, &spans[i], km_str_c(value));
        if (edit[i] == PROPERTY_CUT || edit[i] == PROPERTY_BOTH)
            km_json_cut(&edits, &spans[i]);
        if (edit[i] == PROPERTY_CUT && i % 2 == 0)
            km_json_cut(&edits, &spans[i]); /* twice is once */
    }
    for (size_t i = 0; i < adds; i++) {
        struct km_str name = km_arena_printf(&a, "added%zu", i);

        km_json_add(&edits, &a, name, km_arena_printf(&a, "%zu", i));
    }
    PROPERTY(km_json_parts(&edits, &a, &parts, &n, &err) == 0);
    property_bytes(body, parts, n, spans, edit);
    joined = km_arena_cat(&a, parts, n);
    got = yyjson_read(joined.p, joined.n, 0);
    PROPERTY(got != NULL);
    model = property_model(doc, edit, value, adds);
    /* As text: members in order, duplicates of unwanted names included. */
    want_text = yyjson_mut_write(model, 0, NULL);
    got_text = yyjson_write(got, 0, NULL);
    PROPERTY(want_text && got_text && strcmp(want_text, got_text) == 0);
    free(want_text);
    free(got_text);
    yyjson_mut_doc_free(model);
    yyjson_doc_free(got);
    km_arena_done(&a);
}

/* Half of a surrogate pair, or something that looks like it. */
static inline bool property_surrogate(struct km_str s)
{
    for (size_t i = 0; i + 3 < s.n; i++)
        if (s.p[i] == '\\' && s.p[i + 1] == 'u' && (s.p[i + 2] | 0x20) == 'd' && s.p[i + 3] >= '8')
            return true;
    return false;
}

/* What is surely an object is one to yyjson; what is one is so surely, but for what is left to
 * yyjson on purpose. */
static inline void property_valid(struct km_str text)
{
    yyjson_doc *doc = yyjson_read(text.p, text.n, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool left =
        yyjson_is_obj(root) && (property_depth(root) > KM_JSON_DEPTH || property_surrogate(text));

    if (km_json_surely_object(text))
        PROPERTY(yyjson_is_obj(root) && property_depth(root) <= KM_JSON_DEPTH);
    else
        PROPERTY(!yyjson_is_obj(root) || left);
    yyjson_doc_free(doc);
}

static inline bool property_anywhere(yyjson_val *v, struct km_str name)
{
    size_t idx, max;
    yyjson_val *key, *val;
    bool found = false;

    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, idx, max, val) found = found || property_anywhere(val, name);
        return found;
    }
    yyjson_obj_foreach(v, idx, max, key, val) found =
        found || yyjson_equals_strn(key, name.p, name.n) || property_anywhere(val, name);
    return found;
}

/* Below the outermost object. */
static inline bool property_inside(yyjson_val *root, struct km_str name)
{
    size_t idx, max;
    yyjson_val *key, *val;
    bool found = false;

    yyjson_obj_foreach(root, idx, max, key, val) found = found || property_anywhere(val, name);
    return found;
}

/* What is seen is there, what is there is seen; where a name has escapes, all is seen.  The last
 * name counts inside only: outside it may be seen and need not. */
static inline void property_watched(struct km_str body, uint64_t seen)
{
    /* As km_json_parse() reads it: a number too large for a double is a number. */
    yyjson_doc *doc = yyjson_read(body.p, body.n, YYJSON_READ_NUMBER_AS_RAW);
    bool escapes = memchr(body.p, '\\', body.n);

    for (size_t i = 0; i < PROPERTY_NAMES; i++) {
        bool there = property_anywhere(yyjson_doc_get_root(doc), property_names[i]);
        bool due = i + 1 == PROPERTY_NAMES
                       ? property_inside(yyjson_doc_get_root(doc), property_names[i])
                       : there;

        PROPERTY(!due || ((seen >> i) & 1));
        PROPERTY(there || escapes || !((seen >> i) & 1));
    }
    yyjson_doc_free(doc);
}

/* The walk that judges finds what the other one finds. */
static inline void property_sure(struct km_str body, const struct km_json_span *spans,
                                 const struct km_json_object *object, int r)
{
    struct km_json_span sure[PROPERTY_NAMES];
    struct km_json_object whole;
    struct km_json_watch watch = { .names = property_names, .n = PROPERTY_NAMES };

    for (size_t i = 0; i < PROPERTY_NAMES; i++) {
        uint64_t bit = KM_JSON_WATCH_BIT(property_names[i].n ? property_names[i].p[0] : '"',
                                         property_names[i].n);

        watch.inside |= bit;
        watch.filter |= i + 1 < PROPERTY_NAMES ? bit : 0;
    }
    if (!km_json_sure_spans(body, property_names, PROPERTY_NAMES, sure, &whole, &watch)) {
        PROPERTY(r < 0 || !km_json_surely_object(body));
        return;
    }
    PROPERTY(r == 0 && km_json_surely_object(body));
    PROPERTY(memcmp(sure, spans, sizeof sure) == 0);
    PROPERTY(whole.open == object->open && whole.close == object->close);
    PROPERTY(whole.members == object->members);
    property_watched(body, watch.seen);
}

/* Has each object each member once?  By the plainest way there is. */
static inline bool property_unique(yyjson_val *v)
{
    size_t idx, max;
    yyjson_val *key, *val;
    bool unique = true;

    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, idx, max, val) unique = unique && property_unique(val);
        return unique;
    }
    if (!yyjson_is_obj(v)) /* the macro below adds to its pointer */
        return true;
    yyjson_obj_foreach(v, idx, max, key, val) unique =
        unique && property_unique(val) &&
        property_count(v, km_str(yyjson_get_str(key), yyjson_get_len(key))) == 1;
    return unique;
}

/* What a reader of the first member and one of the last could take for two different texts is
 * judged by neither walk nor parser.  What has no escapes and is not large the walk judges. */
static inline void property_judged(struct km_str body)
{
    yyjson_doc *doc = yyjson_read(body.p, body.n, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool unique = property_unique(root), escapes = memchr(body.p, '\\', body.n);
    struct km_json_span spans[PROPERTY_NAMES];
    const struct km_json *tree;
    struct km_arena a;

    km_arena_init(&a, 1 << 22, NULL);
    PROPERTY((km_json_parse(&a, body, &tree, NULL) == 0) == (root && unique));
    PROPERTY((km_json_parse_answer(&a, body, &tree, NULL) == 0) == (root != NULL));
    if (km_json_judged_spans(body, property_names, PROPERTY_NAMES, spans, NULL, NULL))
        PROPERTY(yyjson_is_obj(root) && unique && property_depth(root) <= KM_JSON_DEPTH);
    else
        PROPERTY(!yyjson_is_obj(root) || !unique || escapes || body.n > 400 ||
                 property_depth(root) > KM_JSON_DEPTH);
    yyjson_doc_free(doc);
    km_arena_done(&a);
}

/* Checks everything about one body; `choice` picks the edits.  Any bytes will do: what yyjson
 * refuses must only not be read out of bounds. */
static inline void property_check(const char *bytes, size_t len, uint32_t choice)
{
    struct km_str body = km_str(bytes, len);
    struct km_json_span spans[PROPERTY_NAMES];
    struct km_json_object object;
    enum property_edit edit[PROPERTY_NAMES];
    struct km_err err;
    yyjson_doc *doc = yyjson_read(bytes, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool twice = false;
    int r = km_json_spans(body, property_names, PROPERTY_NAMES, spans, &object, &err);

    property_valid(body);
    property_judged(body);
    property_sure(body, spans, &object, r);
    if (!yyjson_is_obj(root)) {
        PROPERTY(!root || r == KM_E_INVALID);
        yyjson_doc_free(doc);
        return;
    }
    for (size_t i = 0; i < PROPERTY_NAMES; i++)
        twice = twice || property_count(root, property_names[i]) > 1;
    if (r < 0) {
        PROPERTY(r == KM_E_INVALID ? twice : property_depth(root) > KM_JSON_DEPTH);
        yyjson_doc_free(doc);
        return;
    }
    PROPERTY(!twice && property_depth(root) <= KM_JSON_DEPTH);
    PROPERTY(object.members == yyjson_obj_size(root));
    PROPERTY(bytes[object.open] == '{' && bytes[object.close] == '}');
    for (size_t i = 0; i < PROPERTY_NAMES; i++) {
        property_span(body, &spans[i], property_names[i], root);
        edit[i] = (enum property_edit)((choice >> (2 * i)) & 3);
    }
    property_splice(body, doc, spans, &object, edit, (choice >> 16) & 3);
    yyjson_doc_free(doc);
}

#endif
