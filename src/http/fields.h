/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - header fields by what they are for, one list for all who pass requests on. */
#ifndef KM_HTTP_FIELDS_H
#define KM_HTTP_FIELDS_H

#include "base/str.h"

/* Where clients of this gateway put their key; bearer: after that word. */
struct km_key_field {
    struct km_str name;
    bool bearer;
};
#define KM_KEY_FIELDS 6
extern const struct km_key_field km_key_fields[KM_KEY_FIELDS];

/* It proves a client to this gateway or to a proxy before it, whatever it may mean elsewhere: no
 * server is ever sent it as it came. */
bool km_field_proves(struct km_str name);

/* It is of one connection, or of the framing of one message (RFC 9110, 7.6.1 and 8.6): who passes
 * a request on has its own. */
bool km_field_of_hop(struct km_str name);

#endif
