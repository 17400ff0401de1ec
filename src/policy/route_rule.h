/* SPDX-License-Identifier: Apache-2.0 */
/* route_rule.h - conditional routes: by what a call comes with, to another model group.
 *
 * Rules are a table that is read from the top: the first whose conditions all hold decides.  There
 * are no expressions; a value is a text with stars.  A rule leads to one group, or gives parts in
 * per cent to several, and what is left stays where it is.  Data in, verdict out; any thread.
 */
#ifndef KM_POLICY_ROUTE_RULE_H
#define KM_POLICY_ROUTE_RULE_H

#include "base/setting.h"

enum km_route_sticky {
    KM_ROUTE_STICKY_NO, /* each call by chance */
    KM_ROUTE_STICKY_KEY, /* all calls of a key have the same part */
    KM_ROUTE_STICKY_SESSION, /* all of a session; by key where it has none */
};

struct km_route_part {
    struct km_str to; /* a model, as a caller would ask for it */
    int64_t percent;
};

struct km_route_rule {
    struct km_str name;
    struct km_str_list models, keys, teams; /* one of each, where there are any; with stars */
    struct km_str_map headers, metadata; /* all of them; the value with stars */
    int64_t tokens_from, tokens_to; /* of the prompt, by estimate; -1: any */
    struct km_str to; /* all calls; empty: split */
    struct km_table_list split; /* of struct km_route_part */
    int64_t sticky; /* enum km_route_sticky */
    struct km_str_list substitutes; /* which may serve as well, where they are cheaper */
    const struct km_node *node; /* where it stands */
};

struct km_route_rules {
    const struct km_route_rule *v;
    size_t n;
    bool counts; /* some ask how long the prompt is */
};

/* What a call comes with. */
struct km_route_call {
    struct km_str model, key, team; /* key: its alias */
    int64_t tokens;
    struct km_str (*header)(void *ctx, struct km_str name); /* empty: it has none */
    struct km_str (*metadata)(void *ctx, struct km_str name); /* a text's; likewise */
    void *ctx;
};

/* The first whose conditions hold, or NULL. */
const struct km_route_rule *km_route_rules_find(const struct km_route_rules *rules,
                                                const struct km_route_call *call);
/* Where it leads; empty: the call stays.  part: 0 to 9999, evenly (sticky.h). */
struct km_str km_route_rule_target(const struct km_route_rule *rule, unsigned part);

#endif
