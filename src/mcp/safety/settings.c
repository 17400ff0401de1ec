/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - kanmon_settings.mcp_safety: what holds for all MCP servers that do not say
 * otherwise in their own entry (upstream/settings.c has the same words there).
 *
 * The values are put into each upstream when the configuration is read (km_mcp_safety_apply), so
 * that whoever decides about a call or a catalogue has one place to look at.
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

void km_mcp_safety_apply(const struct km_mcp_safety *all, struct km_mcp_upstream *u)
{
    const struct km_mcp_entry *e = u->entry;

    u->pin = (enum km_pin_mode)(e->pin ? e->pin - 1 : all->pin);
    u->policy.known = (enum km_approve)(e->approve ? e->approve - 1 : all->approve);
    u->policy.unknown =
        unknown_rules[e->approve_unknown ? e->approve_unknown - 1 : all->approve_unknown];
    u->ask_client = all->approve_by == 0;
}
