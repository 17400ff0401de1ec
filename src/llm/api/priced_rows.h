/* SPDX-License-Identifier: Apache-2.0 */
/* priced_rows.h - the table behind priced.h; for priced.c and its test. */
#ifndef KM_LLM_API_PRICED_ROWS_H
#define KM_LLM_API_PRICED_ROWS_H

#include "llm/api/priced.h"

/* What a value does. */
enum km_priced_effect {
    KM_PRICED_NOTHING,
    KM_PRICED_FLEX,
    KM_PRICED_PRIORITY,
    KM_PRICED_FAST,
    KM_PRICED_US,
};

struct km_priced_value {
    const char *value; /* compared without case; of a member that is true or false: that */
    enum km_priced_effect effect;
};

/* What a member is. */
enum km_priced_kind {
    KM_PRICED_VALUE, /* one of `values` */
    KM_PRICED_OBJECT, /* an object of further members, of the APIs in `inside` */
    KM_PRICED_TOOLS, /* an array of tools */
    KM_PRICED_TOOL, /* by itself a tool that the provider runs: `tool` */
    KM_PRICED_SEARCH, /* likewise; it says how the web is searched */
    KM_PRICED_STORED, /* names what the provider keeps */
    KM_PRICED_BACKGROUND,
};

/* How a tool is paid for. */
enum km_priced_cost {
    KM_PRICED_BY_CALLER, /* the caller runs it: it costs what its text does */
    KM_PRICED_BY_TOKENS, /* the provider runs it, for what it reads and writes */
    KM_PRICED_BY_USE, /* each use has a price: `hosted` */
    KM_PRICED_UNKNOWN, /* a fee that has no column here */
};

struct km_priced_tool {
    const char *name; /* its `type`, or the member it is; NULL ends a list */
    unsigned apis;
    enum km_priced_cost cost;
    enum km_hosted_tool tool;
    enum km_hosted hosted; /* of BY_USE */
    bool starts; /* versions follow: "web_search_20250305" */
};

struct km_priced_row {
    struct km_str name; /* at the top of the body */
    unsigned apis;
    enum km_priced_kind kind;
    const char *inner; /* where the value is an object: the member of it that is meant */
    const struct km_priced_value *values; /* NULL: none is harmless */
    enum km_said member; /* of VALUE, that a deployment may have too; 0: none */
    unsigned inside;
    const struct km_priced_tool *tool;
};

extern const struct km_priced_row km_priced_rows[];
extern const size_t km_priced_rows_n;

/* Tools told by their `type`, by the name of the one member they are, and, of Converse's
 * systemTool, by its name. */
extern const struct km_priced_tool km_priced_types[], km_priced_keys[], km_priced_system[];

struct km_priced_header {
    struct km_str name;
    const struct km_priced_value *values;
};
extern const struct km_priced_header km_priced_headers[];
extern const size_t km_priced_headers_n;

#endif
