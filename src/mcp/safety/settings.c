/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - kanmon_settings.mcp_safety: what holds for all MCP servers that do not say
 * otherwise in their own entry (upstream/settings.c has the same words there).
 *
 * What counts for each server is found out when the configuration is read, and put in force with it
 * (km_mcp_rules), so that whoever decides about a call or a catalogue has one place to look at, and
 * a change restarts no server.
 */
#include "mcp/upstream/upstream.h"

static const char *const pins[] = { "off", "warn", "strict", NULL };
static const char *const approvals[] = { "never", "destructive", "write", "always", "deny", NULL };
static const char *const unknowns[] = { "never", "always", "deny", NULL };
static const char *const askers[] = { "client", "administrator", NULL };

/* By the index of `unknowns`. */
static const enum km_approve unknown_rules[] = { KM_APPROVE_NEVER, KM_APPROVE_ALWAYS,
                                                 KM_APPROVE_DENY };

#define AT(member) offsetof(struct km_mcp_safety, member)
#define CHOICE(key, member, value, list, text)                                                     \
    { .name = key, .type = KM_SET_ENUM, .offset = AT(member), .def = value, .choices = list,       \
      .help = text }

static const struct km_setting safety_rows[] = {
    CHOICE("pin", pin, "warn", pins,
           "Tool definitions are remembered at first sight. `warn` tells when one is not what it "
           "was, is new or hides something; `strict` also withholds it until it is approved."),
    CHOICE("approve", approve, "destructive", approvals,
           "Calls of which tools a person has to approve: up from the risk named."),
    CHOICE("approve_unknown", approve_unknown, "never", unknowns,
           "The same for tools that say nothing of their risk."),
    CHOICE("approve_by", approve_by, "client", askers,
           "Who is asked: the client's own user, where the client can ask, and the administrator "
           "where it cannot; or the administrator alone."),
    { 0 },
};

static const struct km_settings_table safety_table = {
    .rows = safety_rows, .size = sizeof(struct km_mcp_safety), .extra = SIZE_MAX
};

static const struct km_setting rows[] = {
    { .name = "mcp_safety",
      .type = KM_SET_TABLE,
      .table = &safety_table,
      .flags = KM_SET_SAFETY,
      .help = "What MCP servers may do unasked, where their own entry does not say." },
    { 0 },
};

const struct km_settings_table km_mcp_safety_table = { .section = "kanmon_settings",
                                                       .rows = rows,
                                                       .size = sizeof(struct km_mcp_safety),
                                                       .extra = SIZE_MAX };

struct km_mcp_rules km_mcp_rules_of(const struct km_mcp_safety *all, const struct km_mcp_entry *e)
{
    return (struct km_mcp_rules){
        .pin = (enum km_pin_mode)(e->pin ? e->pin - 1 : all->pin),
        .policy = { .known = (enum km_approve)(e->approve ? e->approve - 1 : all->approve),
                    .unknown = unknown_rules[e->approve_unknown ? e->approve_unknown - 1
                                                                : all->approve_unknown] },
        .ask_client = all->approve_by == 0,
    };
}

/* One word, so that nobody sees half of a change: a byte each. */
void km_mcp_rules_set(struct km_mcp_upstream *u, struct km_mcp_rules rules)
{
    u->rules = (uint32_t)rules.pin | (uint32_t)rules.policy.known << 8 |
               (uint32_t)rules.policy.unknown << 16 | (uint32_t)rules.ask_client << 24;
}

struct km_mcp_rules km_mcp_rules(const struct km_mcp_upstream *u)
{
    uint32_t word = u->rules;

    return (struct km_mcp_rules){ .pin = (enum km_pin_mode)(word & 255),
                                  .policy = { .known = (enum km_approve)(word >> 8 & 255),
                                              .unknown = (enum km_approve)(word >> 16 & 255) },
                                  .ask_client = word >> 24 };
}
