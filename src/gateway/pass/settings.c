/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - general_settings.pass_through_endpoints. */
#include "gateway/pass/settings.h"

#define AT(member) offsetof(struct km_pass_entry, member)

static const struct km_setting pass_rows[] = {
    { .name = "path",
      .type = KM_SET_STR,
      .offset = AT(path),
      .flags = KM_SET_REQUIRED,
      .help = "Where it is found here; begins with `/`." },
    { .name = "target",
      .type = KM_SET_STR,
      .offset = AT(target),
      .flags = KM_SET_REQUIRED,
      .help = "The URL requests are passed to." },
    { .name = "headers",
      .type = KM_SET_STR_MAP,
      .offset = AT(headers),
      .help = "Header fields sent with every request." },
    { .name = "include_subpath",
      .type = KM_SET_BOOL,
      .offset = AT(include_subpath),
      .help = "What is below the path is passed, too, to the same place below the target." },
    { .name = "methods",
      .type = KM_SET_STR_LIST,
      .offset = AT(methods),
      .flags = KM_SET_SAFETY,
      .help = "The methods passed, like `[GET, POST]`; others are answered with 405. Default: "
              "all." },
    { .name = "auth",
      .type = KM_SET_BOOL,
      .offset = AT(auth),
      .def = "true",
      .help = "false: nobody is asked for a key. LiteLLM asks nobody unless this is true." },
    { .name = "forward_headers",
      .type = KM_SET_BOOL,
      .offset = AT(forward_headers),
      .help = "The caller's own header fields go along; credentials never do." },
    { .name = "set_cookie",
      .type = KM_SET_BOOL,
      .offset = AT(set_cookie),
      .help = "true: the target may set cookies for the gateway's address, which all else that is "
              "passed there shares. LiteLLM always passes them on; kanmon passes no cookie back." },
    { .name = "cost_per_request",
      .type = KM_SET_MONEY,
      .offset = AT(cost_per_request),
      .help = "USD a request is charged with." },
    { .name = "guardrails",
      .type = KM_SET_NODE,
      .class = KM_RESTRICTIVE,
      .help = "Judges what is passed; kanmon has no guardrails." },
    { .name = "default_query_params",
      .type = KM_SET_NODE,
      .class = KM_HARMLESS,
      .help = "Parameters added to the query; kanmon adds none." },
    { .name = "merge_query_params",
      .type = KM_SET_BOOL,
      .class = KM_HARMLESS,
      .help = "Merges the target's own query with the caller's; kanmon does not." },
    { .name = "timeout",
      .type = KM_SET_MS,
      .class = KM_PROTECTIVE,
      .help = "Bounds the time a request takes; kanmon uses router_settings.timeout." },
    { .name = "id",
      .type = KM_SET_STR,
      .class = KM_HARMLESS,
      .help = "A name in LiteLLM's database; here the path names it." },
    { .name = "is_from_config",
      .type = KM_SET_BOOL,
      .class = KM_HARMLESS,
      .help = "A mark of LiteLLM's own." },
    { 0 },
};

static const struct km_settings_table pass_table = {
    .rows = pass_rows,
    .size = sizeof(struct km_pass_entry),
    .extra = AT(node),
};

#undef AT
#define AT(member) offsetof(struct km_pass_settings, member)

static const struct km_setting rows[] = {
    { .name = "pass_through_endpoints",
      .type = KM_SET_TABLE_LIST,
      .offset = AT(entries),
      .table = &pass_table,
      .flags = KM_SET_WARY,
      .help = "Routes passed to another server." },
    { 0 },
};

const struct km_settings_table km_pass_settings_table = {
    .section = "general_settings",
    .rows = rows,
    .size = sizeof(struct km_pass_settings),
    .extra = SIZE_MAX,
};
