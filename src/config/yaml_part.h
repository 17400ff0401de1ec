/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_part.h - private to the YAML parser: what libyaml does not say, or says in its own words. */
#ifndef KM_CONFIG_YAML_PART_H
#define KM_CONFIG_YAML_PART_H

#include "base/str.h"

/* A syntax error in a person's words.  context and problem are libyaml's (NULL: none); at is the
 * text from where the problem was found.  at_context: the place to show is where the context
 * began, for there the mistake is. */
struct km_yaml_words {
    const char *what, *help; /* static; help may be NULL */
    bool at_context;
};

/* what is NULL where there are no better words than libyaml's. */
struct km_yaml_words km_yaml_explain(const char *context, const char *problem, struct km_str at);

/* Characters that belong to a quoted or block scalar, counted from the start of the text. */
struct km_yaml_span {
    size_t from, to;
};

/* The first tab where PyYAML allows none (anywhere but in a quoted or block scalar and in a
 * comment); false: there is none.  spans are in the order of the text. */
bool km_yaml_find_tab(struct km_str text, const struct km_yaml_span *spans, size_t n,
                      size_t *ret_offset);

#endif
