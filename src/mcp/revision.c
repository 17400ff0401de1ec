/* SPDX-License-Identifier: Apache-2.0 */
/* revision.c - see revision.h for the contract.
 *
 * A message whose params._meta names a protocol version is of the stateless era, whatever else
 * comes with it; so is one whose header names a version of that era.  All others are of the
 * handshake era, in the revision of their header; without one (revisions before 2025-06-18 had
 * none) it is 2025-03-26, as the specification says.  An initialize is not asked for its header:
 * the revision is what it is about to agree on.
 */
#include "mcp/revision.h"

#define ASSUMED 1 /* 2025-03-26 */
#define SHOWN 64 /* bytes of a version that nobody speaks */
#define LAST_HANDSHAKE 3

/* In order of time. */
static const struct km_mcp_revision revisions[] = {
    { { "2024-11-05", 10 }, KM_MCP_HANDSHAKE, false, false, false },
    { { "2025-03-26", 10 }, KM_MCP_HANDSHAKE, true, false, false },
    { { "2025-06-18", 10 }, KM_MCP_HANDSHAKE, true, true, false },
    { { "2025-11-25", 10 }, KM_MCP_HANDSHAKE, true, true, true },
    { { "2026-07-28", 10 }, KM_MCP_STATELESS, true, true, true },
};

#define STATELESS (&revisions[LAST_HANDSHAKE + 1])

const struct km_mcp_revision *km_mcp_revision_find(struct km_str name)
{
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++)
        if (km_str_eq(revisions[i].name, name))
            return &revisions[i];
    return NULL;
}

const struct km_mcp_revision *km_mcp_revision_negotiate(struct km_str asked)
{
    const struct km_mcp_revision *r = km_mcp_revision_find(asked);

    return r && r->era == KM_MCP_HANDSHAKE ? r : &revisions[LAST_HANDSHAKE];
}

const struct km_mcp_revision *km_mcp_revision_latest(enum km_mcp_era era)
{
    return era == KM_MCP_STATELESS ? STATELESS : &revisions[LAST_HANDSHAKE];
}

/* A version as it may be said again, whatever was sent for one. */
static struct km_str shown(struct km_str version, char out[SHOWN])
{
    size_t n = version.n < SHOWN ? version.n : SHOWN;

    for (size_t i = 0; i < n; i++)
        out[i] = version.p[i] >= ' ' && version.p[i] <= '~' ? version.p[i] : '?';
    return km_str(out, n);
}

static int unsupported(struct km_str version, enum km_rpc_fault *ret_fault, struct km_err *err)
{
    char text[SHOWN];

    *ret_fault = KM_RPC_UNSUPPORTED_VERSION;
    return km_fail(err, KM_E_UNSUPPORTED, "Unsupported protocol version: %.*s",
                   KM_STR_ARG(shown(version, text)));
}

/* A message with our stateless era's _meta, or with its header. */
static int select_stateless(const struct km_json *meta, const struct km_json *version_member,
                            bool http, struct km_str header, enum km_rpc_fault *ret_fault,
                            struct km_err *err)
{
    const struct km_mcp_revision *found;
    struct km_str version;

    if (!km_json_string(version_member, &version)) {
        *ret_fault = KM_RPC_MISSING_META;
        return km_fail(err, KM_E_INVALID, "params._meta needs \"" KM_MCP_META_VERSION "\"");
    }
    if (http && !km_str_eq(version, header)) {
        *ret_fault = KM_RPC_HEADER_MISMATCH;
        return km_fail(err, KM_E_INVALID,
                       header.n ? "MCP-Protocol-Version and the body's protocol version differ"
                                : "the header MCP-Protocol-Version is missing");
    }
    found = km_mcp_revision_find(version);
    if (!found || found->era != KM_MCP_STATELESS)
        return unsupported(version, ret_fault, err);
    if (km_json_kind(km_json_get(meta, KM_MCP_META_CAPABILITIES)) != KM_JSON_OBJECT) {
        *ret_fault = KM_RPC_MISSING_META;
        return km_fail(err, KM_E_INVALID, "params._meta needs \"" KM_MCP_META_CAPABILITIES "\"");
    }
    return 0;
}

int km_mcp_revision_select(const struct km_rpc_message *msg, bool http, struct km_str header,
                           const struct km_mcp_revision **ret_revision,
                           enum km_rpc_fault *ret_fault, struct km_err *err)
{
    const struct km_json *meta = km_json_get(msg->params, "_meta");
    const struct km_json *version = km_json_get(meta, KM_MCP_META_VERSION);
    const struct km_mcp_revision *found;

    if (version || km_str_cmp(header, STATELESS->name) >= 0) {
        *ret_revision = STATELESS;
        if (!version && !km_mcp_revision_find(header))
            return unsupported(header, ret_fault, err);
        return !version && msg->kind != KM_RPC_REQUEST
                   ? 0
                   : select_stateless(meta, version, http, header, ret_fault, err);
    }
    *ret_revision = &revisions[ASSUMED];
    if (!header.n || km_str_eq(msg->method, KM_STR("initialize")))
        return 0;
    found = km_mcp_revision_find(header);
    if (!found)
        return unsupported(header, ret_fault, err);
    *ret_revision = found;
    return 0;
}

void km_mcp_put_versions(const struct km_rpc_message *msg, struct km_str header, struct km_buf *out)
{
    struct km_str asked = header;
    char text[SHOWN];

    (void)km_json_string(km_json_get(km_json_get(msg->params, "_meta"), KM_MCP_META_VERSION),
                         &asked);
    km_buf_str(out, KM_STR("{\"supported\":["));
    km_buf_json(out, STATELESS->name);
    km_buf_str(out, KM_STR("],\"requested\":"));
    km_buf_json(out, shown(asked, text));
    km_buf_byte(out, '}');
}

static const struct km_str levels[] = { { "debug", 5 },   { "info", 4 },     { "notice", 6 },
                                        { "warning", 7 }, { "error", 5 },    { "critical", 8 },
                                        { "alert", 5 },   { "emergency", 9 } };

unsigned km_mcp_level(struct km_str name)
{
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (km_str_eq(name, levels[i]))
            return i + 1;
    return 0;
}

struct km_str km_mcp_level_name(unsigned level)
{
    return level && level <= sizeof levels / sizeof levels[0] ? levels[level - 1] : KM_STR_NONE;
}
