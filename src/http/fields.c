/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - see fields.h.
 *
 * Read the table: a row is a field and the ways it does not go.  It is looked at for each field of
 * a message, so a name whose length no row of that way has is known at once (lengths), and the
 * rest is compared by length first (km_str_ieq).
 */
#include "http/fields.h"

#include <stdint.h>

const struct km_key_field km_key_fields[KM_KEY_FIELDS] = {
    { { "authorization", 13 }, true },
    { { "x-api-key", 9 }, false },
    { { "api-key", 7 }, false },
    { { "x-goog-api-key", 14 }, false },
    { { "ocp-apim-subscription-key", 25 }, false },
    { { "x-litellm-api-key", 17 }, false },
};

#define TARGET KM_WAY_TARGET
#define VENDOR KM_WAY_VENDOR
#define MCP KM_WAY_MCP
#define INNER KM_WAY_INNER
#define CLIENT KM_WAY_CLIENT
#define RENAMED KM_WAY_RENAMED
#define REQUEST (TARGET | VENDOR | MCP | INNER)

/* What a field is, beside the ways it does not go. */
#define IS_OF_HOP (1 << 8)
#define IS_PROOF (1 << 9)
#define HOP (IS_OF_HOP | REQUEST | CLIENT)
#define PROOF (IS_PROOF | TARGET | VENDOR | MCP | CLIENT)

/* XX(NAME, what it is and the ways it does not go) */
#define FIELDS(XX)                                                                                 \
    /* of a connection and of framing: whoever passes on has its own */                            \
    XX("host", HOP & ~INNER) /* within: addresses told to the client are made of it */             \
    XX("connection", HOP | RENAMED)                                                                \
    XX("proxy-connection", HOP)                                                                    \
    XX("keep-alive", HOP | RENAMED)                                                                \
    XX("te", HOP)                                                                                  \
    XX("trailer", HOP | RENAMED)                                                                   \
    XX("transfer-encoding", HOP | RENAMED)                                                         \
    XX("content-length", HOP)                                                                      \
    XX("upgrade", HOP | RENAMED)                                                                   \
    XX("http2-settings", HOP)                                                                      \
    XX("expect", HOP)                                                                              \
    /* who somebody is to us: km_key_fields, and what proxies and browsers prove by */             \
    XX("authorization", PROOF)                                                                     \
    XX("x-api-key", PROOF)                                                                         \
    XX("api-key", PROOF)                                                                           \
    XX("x-goog-api-key", PROOF)                                                                    \
    XX("ocp-apim-subscription-key", PROOF)                                                         \
    XX("x-litellm-api-key", PROOF)                                                                 \
    XX("proxy-authorization", PROOF)                                                               \
    XX("cookie", PROOF)                                                                            \
    /* of the upstream's own site, or between it and its proxies */                                \
    XX("set-cookie", CLIENT | RENAMED)                                                             \
    XX("proxy-authenticate", RENAMED)                                                              \
    XX("date", CLIENT)                                                                             \
    /* of the body: set by who makes it */                                                         \
    XX("content-type", REQUEST)                                                                    \
    XX("content-encoding", INNER | RENAMED)                                                        \
    XX("accept", REQUEST | CLIENT)                                                                 \
    XX("accept-encoding", VENDOR | MCP | INNER)                                                    \
    /* of the page or the proxy a request came by */                                               \
    XX("origin", VENDOR | INNER)                                                                   \
    XX("referer", VENDOR)                                                                          \
    XX("forwarded", VENDOR)                                                                        \
    /* of one message of MCP */                                                                    \
    XX("mcp-protocol-version", MCP | INNER)                                                        \
    XX("mcp-session-id", MCP | INNER)                                                              \
    XX("mcp-method", MCP | INNER)                                                                  \
    XX("mcp-name", MCP | INNER)                                                                    \
    XX("last-event-id", MCP | INNER)                                                               \
    /* of a signature that is made anew, or a choice among the account's own */                    \
    XX("x-amz-date", VENDOR)                                                                       \
    XX("x-amz-security-token", VENDOR)                                                             \
    XX("x-amz-content-sha256", VENDOR)                                                             \
    XX("openai-organization", VENDOR)                                                              \
    XX("openai-project", VENDOR)                                                                   \
    XX("x-goog-user-project", VENDOR)

/* Names that begin so. */
static const struct {
    struct km_str prefix;
    unsigned stops;
} families[] = {
    { { "x-litellm-", 10 }, VENDOR },
    { { "x-kanmon-", 9 }, TARGET | VENDOR }, /* how we are to carry it out */
    { { "x-forwarded-", 12 }, VENDOR },
};

static const struct {
    struct km_str name;
    unsigned stops;
} fields[] = {
#define XX(n, s) { { n, sizeof n - 1 }, s },
    FIELDS(XX)
#undef XX
};

/* The lengths of the names that do not go RENAMED, a bit each: the way each answer's fields go. */
static const uint64_t lengths_renamed = 0
#define XX(n, s) | ((s) & RENAMED ? UINT64_C(1) << (sizeof n - 1) : 0)
    FIELDS(XX)
#undef XX
    ;

static unsigned stops_of(struct km_str name)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (name.n == fields[i].name.n && km_str_ieq(name, fields[i].name))
            return fields[i].stops;
    return 0;
}

bool km_field_goes(struct km_str name, enum km_way way)
{
    if (way == KM_WAY_RENAMED && (name.n > 63 || !(lengths_renamed >> name.n & 1)))
        return true;
    if (stops_of(name) & way)
        return false;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (families[i].stops & way && km_str_istarts(name, families[i].prefix))
            return false;
    return true;
}

bool km_field_proves(struct km_str name)
{
    return stops_of(name) & IS_PROOF;
}

bool km_field_of_hop(struct km_str name)
{
    return stops_of(name) & IS_OF_HOP;
}
