/* SPDX-License-Identifier: Apache-2.0 */
/* hints.c - see hints.h.
 *
 *     42P01 relation "peple" does not exist ──> where names are found
 *     22P02 malformed array literal         ──> how a list is given
 *
 * PostgreSQL's own hint is better where it has one: these are asked for where it has none.  They
 * name the tools that every mode has.  Of one SQLSTATE the first row whose text is in the message
 * counts.
 */
#include "servers/postgres/hints.h"

static const struct hint {
    const char *sqlstate, *in, *text; /* in "": any message */
} hints[] = {
    { "22012", "", "NULLIF(divisor, 0) gives null instead" },
    { "22P02", "malformed array literal",
      "say the type of a list in params: {\"value\": [...], \"type\": \"text[]\"}" },
    { "40001", "", "another session changed the same: try again" },
    { "40P01", "", "two sessions waited for each other: try again" },
    { "42501", "",
      "the role of this connection has no privilege for it, which only an owner can give; "
      "list_objects tells what there is" },
    { "42702", "", "write whose column it is: name.column" },
    { "42703", "",
      "describe_table tells the columns; names with capitals or blanks stand in double quotes" },
    { "42P01", "",
      "list_objects and search_objects find names; names with capitals or blanks stand in double "
      "quotes, those of another schema behind its name" },
    { "42P18", "",
      "say the type in params, {\"value\": ..., \"type\": \"int4\"}, or in the statement, "
      "$1::int4; every value needs its $n there" },
    { "55P03", "", "another session holds a lock on it: list_locks tells which" },
    { "57014", "statement timeout",
      "ask for less of it, or look at its plan with explain_query" },
    { "57014", "", "it took longer than it may: ask for less of it" },
};

struct km_str km_pg_hint(struct km_str sqlstate, struct km_str message)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        struct km_str in = km_str_c(hints[i].in);

        if (km_str_eq(sqlstate, km_str_c(hints[i].sqlstate)) &&
            (!in.n || km_str_find(message, in) < message.n))
            return km_str_c(hints[i].text);
    }
    return KM_STR_NONE;
}
