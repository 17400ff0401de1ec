/* SPDX-License-Identifier: Apache-2.0 */
/* execution.h - what a caller may say of one request: how it is carried out, not what it asks.
 *
 *     header x-kanmon-...  <  body {"kanmon": {...}}, MCP `_meta["io.kanmon/execution"]`
 *                                     └──> struct km_execution, for calls of every kind
 *
 * One table has each member's name, type, range and header; it is all there is to say.  What is
 * said wrong is an error that names the member; what cannot be had as it was asked (a number above
 * its ceiling, a cache that is not there) is noted, and told in the answer.  Thread: any.
 */
#ifndef KM_POLICY_EXECUTION_H
#define KM_POLICY_EXECUTION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/setting.h"
#include "policy/queue.h"

struct km_buf;
struct km_headers;
struct km_json;

#define KM_EXECUTION_BODY "kanmon" /* the member of a body */
#define KM_EXECUTION_META "io.kanmon/execution" /* of MCP's _meta */
#define KM_EXECUTION_META_BY "kanmon/requestedBy" /* of MCP's _meta: requestedBy alone */
#define KM_EXECUTION_HEADERS "x-kanmon-" /* what headers of this table begin with */
#define KM_REQUESTED_BY_BYTES 128
#define KM_EXECUTION_TIMEOUT_MS 86400000 /* the longest that can be said */

/* XX(MEMBER, name in JSON, header behind x-kanmon-, type, least, most, help) */
#define KM_EXECUTION_TABLE(XX)                                                                     \
    XX(TIMEOUT, "timeout", "timeout", SECONDS, 1, KM_EXECUTION_TIMEOUT_MS,                         \
       "Seconds, with decimals: the whole call, retries and fallbacks included.")                  \
    XX(DRY_RUN, "dryRun", "dry-run", BOOL, 0, 0, "Says what would happen; nothing is called.")     \
    XX(CACHING, "enableCaching", "enable-caching", BOOL, 0, 0,                                     \
       "The answer may be one that was kept.")                                                     \
    XX(BATCHING, "enableBatching", "enable-batching", BOOL, 0, 0,                                  \
       "It may be sent together with others of the same kind.")                                    \
    XX(PRIORITY, "priority", "priority", PRIORITY, 0, 1000000,                                     \
       "low, medium, high or critical; or a number as LiteLLM's, 0 first.")                        \
    XX(RETRIES, "maxRetries", "max-retries", COUNT, 0, 1000000, "Further attempts at most.")       \
    XX(FALLBACK, "fallbackProvider", "fallback-provider", TEXT, 1, 256,                            \
       "The model, or the provider, that is asked if all attempts fail.")                          \
    XX(BY, "requestedBy", "requested-by", TEXT, 1, KM_REQUESTED_BY_BYTES,                          \
       "On whose behalf: in the log, the books and the audit log.")                                \
    XX(RESUME, "resumeStream", "resume-stream", BOOL, 0, 0,                                        \
       "A stream that breaks goes on at another deployment.")

enum km_execution_member {
#define XX(MEMBER, name, header, type, least, most, help) KM_EXECUTION_##MEMBER,
    KM_EXECUTION_TABLE(XX)
#undef XX
        KM_EXECUTION_MEMBERS,
};
#define KM_EXECUTION_BIT(MEMBER) (1U << KM_EXECUTION_##MEMBER)

enum km_execution_type {
    KM_EXECUTION_AS_BOOL,
    KM_EXECUTION_AS_COUNT,
    KM_EXECUTION_AS_SECONDS, /* least and most: milliseconds */
    KM_EXECUTION_AS_TEXT, /* least and most: bytes */
    KM_EXECUTION_AS_PRIORITY, /* least and most: of its number */
};

struct km_execution {
    unsigned said; /* KM_EXECUTION_BIT of each that was given */
    unsigned lowered; /* likewise: more was asked for than is allowed, and the value is that */
    unsigned inactive; /* likewise: there is no such thing for this call */
    int64_t timeout_ms;
    int64_t max_retries;
    bool dry_run, caching, batching, resume;
    enum km_priority priority; /* UNSAID: not said */
    struct km_str fallback, requested_by;
};

static inline bool km_execution_says(const struct km_execution *x, enum km_execution_member m)
{
    return x && (x->said >> m & 1);
}

/* Whose requests may meet. */
enum km_batching_by { KM_BATCHING_BY_KEY, KM_BATCHING_BY_TEAM };

struct km_execution_settings {
    int64_t max_retries; /* the ceiling of what a request may ask for */
    bool batching; /* light requests that meet go as one */
    int64_t batching_by; /* enum km_batching_by */
};

extern const struct km_settings_table km_execution_settings_table;

/* The members of an object into *x, in the place of what is there.  where: how the object is called
 * in messages.  Texts are copied into arena.  KM_E_INVALID names the member, and what it may have
 * been meant as. */
int km_execution_read(struct km_execution *x, const struct km_json *object, const char *where,
                      struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* The same of an object that is still text. */
int km_execution_read_text(struct km_execution *x, struct km_str json, const char *where,
                           struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* Does one of the fields begin with KM_EXECUTION_HEADERS? */
bool km_execution_in_head(const struct km_headers *h);
/* The fields of the table.  A field that is none of it but nearly is KM_E_INVALID: what was meant
 * as a dry run is not to be carried out. */
int km_execution_read_head(struct km_execution *x, const struct km_headers *h,
                           struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* What clients of old say of requestedBy: cut where it is too long, control characters blanked. */
int km_execution_read_by(struct km_execution *x, struct km_str who, struct km_arena *arena,
                         struct km_err *err) KM_MUST_USE;
/* No more than the ceilings. */
void km_execution_bound(struct km_execution *x, const struct km_execution_settings *settings);

/* Is anything other than it was asked for? */
static inline bool km_execution_differs(const struct km_execution *x)
{
    return x && (x->lowered || x->inactive);
}
/* What, and how: "maxRetries=3, enableCaching=not active"; json: as members of an object. */
void km_execution_put(const struct km_execution *x, bool json, struct km_buf *out);

#endif
