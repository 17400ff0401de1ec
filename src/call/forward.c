/* SPDX-License-Identifier: Apache-2.0 */
/* forward.c - see forward.h.
 *
 * What describes a connection ends at it, and what proves who somebody is to us must never reach
 * a server that is not us.  The rest is between the client and whom it really talks to: a field
 * that nobody here knows may be the one that the request is about.
 */
#include "call/forward.h"

bool km_lines_have(struct km_str lines, struct km_str name)
{
    struct km_str line;

    while (km_str_split(&lines, '\n', &line))
        if (km_str_ieq(km_str_sub(line, 0, km_str_chr(line, ':')), name))
            return true;
    return false;
}

bool km_may_forward(const struct km_visit *v, const struct km_headers *all, struct km_str own,
                    struct km_str name, enum km_way way)
{
    struct km_str key_header = v->view->snap->general->key_header;

    return km_field_goes(name, way) && !km_header_has_token(all, KM_STR("connection"), name) &&
           !(key_header.n && km_str_ieq(name, key_header)) && !km_lines_have(own, name);
}

bool km_may_answer(const struct km_headers *all, struct km_str name)
{
    return km_field_goes(name, KM_WAY_CLIENT) &&
           !km_header_has_token(all, KM_STR("connection"), name);
}
