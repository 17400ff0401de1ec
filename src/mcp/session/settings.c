/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - rows of kanmon_settings.mcp_sessions: bounds of the sessions clients have.
 *
 * They bound what a client can make the gateway keep: an MCP session costs under a kilobyte while
 * nothing happens, and up to `event_bytes` when it has streams to go on with.  A change holds from
 * the next session, and `idle` from the next look; `parked` from the next call that is parked,
 * `acknowledge` from the next listen, `first_list` from the next list.
 */
#include "mcp/session/session.h"

#define AT(member) offsetof(struct km_mcp_session_bounds, member)

static const struct km_setting session_rows[] = {
    { .name = "idle",
      .type = KM_SET_MS,
      .offset = AT(idle_ms),
      .def = "1h",
      .min = 1000,
      .max = INT64_C(30) * 24 * 3600 * 1000,
      .help = "A session without a message, a call or an open stream ends after so long." },
    { .name = "per_key",
      .type = KM_SET_INT,
      .offset = AT(per_key),
      .def = "16384",
      .min = 1,
      .max = (int64_t)KM_MCP_SESSIONS_MOST,
      .help = "Sessions one key has with each worker; for another one its longest unused goes." },
    { .name = "events",
      .type = KM_SET_INT,
      .offset = AT(events),
      .def = "512",
      .min = 1,
      .max = 100000,
      .help =
          "Messages of a session that are kept for a client that goes on with a broken stream." },
    { .name = "event_bytes",
      .type = KM_SET_BYTES,
      .offset = AT(event_bytes),
      .def = "4MiB",
      .min = 4096,
      .max = INT64_C(1) << 30,
      .help = "The same in bytes, all of a session together." },
    { .name = "parked",
      .type = KM_SET_MS,
      .offset = AT(parked_ms),
      .def = "2m",
      .min = 100,
      .max = INT64_C(3600) * 1000,
      .help = "How long a call whose server asks something waits for a client of the stateless "
              "era, which answers with its next request; then the server is told to stop." },
    { .name = "answer",
      .type = KM_SET_MS,
      .offset = AT(answer_ms),
      .def = "10m",
      .min = 100,
      .max = INT64_C(86400) * 1000,
      .help = "How long a client with a session has to answer what a server asks while it works on "
              "a call (elicitation, sampling, roots); then the server is told that nobody did." },
    { .name = "acknowledge",
      .type = KM_SET_MS,
      .offset = AT(acknowledge_ms),
      .def = "10s",
      .min = 100,
      .max = INT64_C(60) * 1000,
      .help = "How long `subscriptions/listen` of a client of the stateless era waits for the "
              "servers whose resources it names; then it is acknowledged without those of a server "
              "that has not answered." },
    { .name = "first_list",
      .type = KM_SET_MS,
      .offset = AT(first_list_ms),
      .def = "10s",
      .min = 0,
      .max = INT64_C(60) * 1000,
      .help = "How long a list waits for servers that were never heard; then it is answered "
              "without theirs, which are announced when they come." },
    { 0 },
};

static const struct km_settings_table session_table = {
    .rows = session_rows, .size = sizeof(struct km_mcp_session_bounds), .extra = SIZE_MAX
};

static const struct km_setting rows[] = {
    { .name = "mcp_sessions",
      .type = KM_SET_TABLE,
      .table = &session_table,
      .flags = KM_SET_SAFETY,
      .help = "Bounds of the sessions that MCP clients have with the gateway." },
    { 0 },
};

const struct km_settings_table km_mcp_session_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_mcp_session_bounds),
    .extra = SIZE_MAX,
};
