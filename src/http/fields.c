/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - see fields.h.
 *
 * The lists are short and looked at for each field of a request, so a name is compared by its
 * length first (km_str_ieq); what a route adds to them, it has beside its own code.
 */
#include "http/fields.h"

const struct km_key_field km_key_fields[KM_KEY_FIELDS] = {
    { { "authorization", 13 }, true },
    { { "x-api-key", 9 }, false },
    { { "api-key", 7 }, false },
    { { "x-goog-api-key", 14 }, false },
    { { "ocp-apim-subscription-key", 25 }, false },
    { { "x-litellm-api-key", 17 }, false },
};

bool km_field_proves(struct km_str name)
{
    static const struct km_str others[] = { { "proxy-authorization", 19 }, { "cookie", 6 } };

    for (size_t i = 0; i < KM_KEY_FIELDS; i++)
        if (km_str_ieq(name, km_key_fields[i].name))
            return true;
    return km_str_iamong(name, others, sizeof others / sizeof others[0]);
}

bool km_field_of_hop(struct km_str name)
{
    static const struct km_str names[] = {
        { "host", 4 },
        { "connection", 10 },
        { "proxy-connection", 16 },
        { "keep-alive", 10 },
        { "te", 2 },
        { "trailer", 7 },
        { "transfer-encoding", 17 },
        { "content-length", 14 },
        { "upgrade", 7 },
        { "http2-settings", 14 },
        { "expect", 6 },
    };

    return km_str_iamong(name, names, sizeof names / sizeof names[0]);
}
