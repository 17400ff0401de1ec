/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the built-in server `postgres`: which tools a database in its mode has.
 *
 * The rows stand in the files of the tools, with what they do; here they get the hints and the risk
 * that follow from it and from the mode.  A tool that the mode does not allow is not there at all.
 * Descriptions are constant, so that a client may keep them; what depends on the database and the
 * mode stands in the server's instructions.
 */
#include "servers/postgres/server.h"

#include "servers/postgres/digest.h"
#include "servers/postgres/meter.h"
#include "servers/postgres/prompts.h"
#include "servers/postgres/tools.h"

static const struct km_pg_rows *const lists[] = {
    &km_pg_tools_sql,
    &km_pg_tools_explain,
    &km_pg_tools_overview,
    &km_pg_tools_schema,
    &km_pg_tools_describe,
    &km_pg_tools_data,
    &km_pg_tools_change,
    &km_pg_tools_activity,
    &km_pg_tools_health,
    &km_pg_tools_advise,
};

static void add_tools(struct km_pg_server *s, const struct km_pg_rows *list, enum km_pg_mode mode)
{
    for (size_t i = 0; i < list->n; i++) {
        struct km_mcp_tool *t = &s->tools[s->mcp.ntools];

        if (list->rows[i].mode > mode)
            continue;
        km_assert(s->mcp.ntools < KM_PG_TOOLS);
        *t = list->rows[i].tool;
        km_pg_set_hints(t, list->rows[i].does, mode);
        s->mcp.ntools++;
    }
}

void km_pg_server_init(struct km_pg_server *s, struct km_pg_db *db)
{
    const struct km_pg_db_args *args = km_pg_db_args_of(db);

    *s = (struct km_pg_server){ .db = db };
    s->mcp = (struct km_mcp_server){
        .name = KM_STR("postgres"),
        .title = KM_STR("PostgreSQL"),
        .version = KM_STR(KM_VERSION),
        .tools = s->tools,
        .resources = &km_pg_table_resource,
        .nresources = 1,
        .prompts = s->prompts,
        .methods = km_pg_methods,
        .nmethods = km_pg_nmethods,
        .capabilities = KM_STR("\"completions\":{}"),
        .watched = true,
        .error_objects = true,
        .prepare = km_pg_digest_prepare,
        .data = s,
        .cancel = km_pg_task_cancel,
        .drop = km_pg_task_drop,
        .ended = km_pg_meter_ended,
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        add_tools(s, lists[i], args->mode);
    km_pg_prompts_add(s);
    km_pg_digest_write(s, NULL);
}
