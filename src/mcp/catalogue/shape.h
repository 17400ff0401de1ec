/* SPDX-License-Identifier: Apache-2.0 */
/* shape.h - is an item of a list what the official SDKs of both eras take for one?
 *
 * They judge a list as a whole: one item with a member of the wrong type, and their client has no
 * list.  What they refuse is mended where that loses nothing anybody could use (a member that may
 * be left out is, a schema that says nothing says so as they want it), else it is bad.
 */
#ifndef KM_MCP_CATALOGUE_SHAPE_H
#define KM_MCP_CATALOGUE_SHAPE_H

#include "http/json.h"
#include "mcp/upstream/upstream.h"

#define KM_SHAPE_WHY 160

enum km_shape_verdict { KM_SHAPE_GOOD, KM_SHAPE_MENDED, KM_SHAPE_BAD };

/* MENDED: it is appended to out as it is to be shown.  BAD: why says so, for a person.  What
 * stands in out otherwise is of no use. */
enum km_shape_verdict km_shape_look(enum km_mcp_list list, const struct km_json *item,
                                    struct km_buf *out, char why[KM_SHAPE_WHY]);

/* --- between its files --- */

enum km_shape_kind {
    KM_SHAPE_ANY,
    KM_SHAPE_STRING,
    KM_SHAPE_BOOL,
    KM_SHAPE_NUMBER,
    KM_SHAPE_WHOLE, /* a number without a fraction */
    KM_SHAPE_SHARE, /* from 0 to 1 */
    KM_SHAPE_WORD, /* one of `words` */
    KM_SHAPE_TIME, /* date and time with its zone */
    KM_SHAPE_URL, /* absolute */
    KM_SHAPE_PATTERN, /* a regular expression */
    KM_SHAPE_REFERENCE, /* into the ROOT above, and it leads somewhere */
    KM_SHAPE_OBJECT, /* `members`; others pass */
    KM_SHAPE_LIST, /* of `of` */
    KM_SHAPE_MAP, /* an object, each member of it `of` */
    KM_SHAPE_SCHEMA, /* an object `of`; true is {}, false {"not":{}} */
    KM_SHAPE_EITHER, /* `of`, or else `other` */
    KM_SHAPE_ROOT, /* `of`, where it is `other` too: what references in it begin at */
};

enum km_shape_bad {
    KM_SHAPE_DROP, /* it is left out */
    KM_SHAPE_STRICT, /* null is left out, else what it is a member of is bad */
    KM_SHAPE_NEED, /* the same where it is not there, but for `instead` */
};

struct km_shape {
    enum km_shape_kind kind;
    const char *said; /* "an object": what it is not, if it is bad */
    const char *words; /* "light dark" */
    const struct km_shape *of, *other;
    const struct km_shape_member *members;
    size_t n;
    size_t least; /* of a LIST */
};

struct km_shape_member {
    const char *name;
    const struct km_shape *shape;
    enum km_shape_bad bad;
    const char *instead; /* JSON, or "@name" of another member: where it is not there, or null */
};

extern const struct km_shape km_shapes[KM_MCP_LISTS]; /* shape_rows.c */
/* shape_text.c: as zod's iso.datetime with an offset, as pydantic's AnyUrl. */
bool km_shape_time(struct km_str s);
bool km_shape_url(struct km_str s);
/* Some that JavaScript takes are refused, none the other way. */
bool km_shape_pattern(struct km_str s);

#endif
