/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the file may say of tokens instead of keys; see settings.h.
 *
 * The address of this gateway as others see it is a row of kanmon_settings, for it is more than
 * OAuth's; without it the Host of a request says it, which is right for whoever speaks to the
 * gateway directly and wrong behind a proxy that ends TLS.
 */
#include "mcp/oauth/settings.h"

static const char *const servers[] = { "auto", "on", "off", NULL };

#define AT(member) offsetof(struct km_oauth_table, member)

static const struct km_setting oauth_rows[] = {
    { .name = "server",
      .type = KM_SET_ENUM,
      .offset = AT(server),
      .choices = servers,
      .def = "auto",
      .help = "The built-in authorization server, where clients log in with a virtual key: `auto` "
              "has it unless tokens of another issuer are accepted (kanmon_settings.jwt)." },
    { .name = "trusted_hosts",
      .type = KM_SET_STR_LIST,
      .offset = AT(trusted_hosts),
      .help = "Hosts, or host:port, that may be asked for keys, metadata and tokens though their "
              "address is private; any other must have a public one." },
    { .name = "client_document",
      .type = KM_SET_STR,
      .offset = AT(client_document),
      .help = "The https address of the document that says who kanmon is to authorization servers "
              "(CIMD), where it is not `/oauth/mcp/client.json` below `public_url`." },
    { 0 },
};

static const struct km_settings_table oauth_table = {
    .rows = oauth_rows,
    .size = sizeof(struct km_oauth_table),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_oauth_settings, member)

static const struct km_setting rows[] = {
    { .name = "public_url",
      .type = KM_SET_STR,
      .offset = AT(public_url),
      .help = "How clients reach this gateway, like `https://ai.example`: the issuer of its tokens "
              "and the address of its log-in. Default: http or https and the Host they asked." },
    { .name = "oauth",
      .type = KM_SET_TABLE,
      .offset = AT(oauth),
      .table = &oauth_table,
      .flags = KM_SET_SAFETY,
      .help = "Tokens instead of keys, for clients that log in." },
    { 0 },
};

const struct km_settings_table km_oauth_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_oauth_settings),
    .extra = SIZE_MAX,
};
