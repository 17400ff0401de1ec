/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - kanmon with one kind of server more: `builtin: fixture`.
 *
 *     kanmon_fixture stdio               the fixture alone, on standard input and output
 *     kanmon_fixture serve --config ...  the gateway, which may name it in mcp_servers
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/builtins.h"
#include "app/cli.h"
#include "app/main.h"
#include "app/server_stdio.h"
#include "sys/shim.h"

#include "fixture.h"

/* In place of the program's own list (app/builtins.c). */
const struct km_mcp_builtin *const km_app_builtins[] = {
    KM_BUILTINS(KM_BUILTIN_KIND) & km_fixture_builtin, NULL
};

/* One key for all processes: a gateway may have several, and each round may go to another. */
static const uint8_t state_key[] = "a key of the fixture, 32 bytes..";

/* --- what comes and goes --- */

static void toggle(struct fixture *f, size_t *n, size_t most, const char *method)
{
    *n = *n == most ? most - 1 : most;
    f->args.tell(f->args.ctx, km_str_c(method), KM_STR_NONE);
}

static int change_tools(struct km_mcp_call *call, struct km_err *err)
{
    struct fixture *f = call->server->data;

    (void)err;
    toggle(f, &f->mcp.ntools, fixture_ntools + fixture_nasking_tools + 4,
           "notifications/tools/list_changed");
    return fixture_say(call, "Changed.");
}

static int change_prompts(struct km_mcp_call *call, struct km_err *err)
{
    struct fixture *f = call->server->data;

    (void)err;
    toggle(f, &f->mcp.nprompts, fixture_nprompts + 1, "notifications/prompts/list_changed");
    return fixture_say(call, "Changed.");
}

static int change_resource(struct km_mcp_call *call, struct km_err *err)
{
    struct fixture *f = call->server->data;

    (void)err;
    f->args.tell(f->args.ctx, KM_STR("notifications/resources/updated"),
                 KM_STR("{\"uri\":\"test://watched-resource\"}"));
    return fixture_say(call, "Changed.");
}

static int here(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    return fixture_say(call, "I am here.");
}

static int prompt_here(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_members(call, KM_STR("\"messages\":[{\"role\":\"user\",\"content\":{\"type\":"
                                     "\"text\",\"text\":\"Here.\"}}]"));
    return 0;
}

static const struct km_mcp_tool changing[] = {
    { .name = TEXT("test_trigger_tool_change"),
      .description = TEXT("Shows or hides a tool"),
      .input = NO_ARGUMENTS,
      .run = change_tools },
    { .name = TEXT("test_trigger_prompt_change"),
      .description = TEXT("Shows or hides a prompt"),
      .input = NO_ARGUMENTS,
      .run = change_prompts },
    { .name = TEXT("test_trigger_resource_update"),
      .description = TEXT("Changes the watched resource"),
      .input = NO_ARGUMENTS,
      .run = change_resource },
    { .name = TEXT("test_sometimes"),
      .description = TEXT("Comes and goes"),
      .input = NO_ARGUMENTS,
      .run = here },
};
static const struct km_mcp_prompt sometimes = { .name = TEXT("test_sometimes"),
                                                .description = TEXT("Comes and goes"),
                                                .run = prompt_here };

/* --- the kind --- */

static int complete(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_str words[] = { TEXT("test"), TEXT("testing"), TEXT("tested") };
    const struct km_json *argument = km_json_get(call->msg.params, "argument");
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str value;
    bool first = true;

    if (!km_json_string(km_json_get(argument, "value"), &value))
        return km_fail(err, KM_E_INVALID, "completion/complete needs argument.value");
    km_buf_str(&b, KM_STR("\"completion\":{\"values\":["));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!km_str_starts(words[i], value))
            continue;
        if (!first)
            km_buf_byte(&b, ',');
        first = false;
        km_buf_json(&b, words[i]);
    }
    km_buf_str(&b, KM_STR("]}"));
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}

static const struct km_mcp_method own_methods[] = { { TEXT("completion/complete"), complete } };

static int check(const struct km_mcp_upstream *u, struct km_err *err)
{
    (void)u;
    (void)err;
    return 0;
}

static void add_tools(struct fixture *f, const struct km_mcp_tool *rows, size_t n)
{
    memcpy(&f->tools[f->mcp.ntools], rows, n * sizeof *rows);
    f->mcp.ntools += n;
}

static struct km_mcp_server *open_one(const struct km_mcp_builtin_args *args, struct km_err *err)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    f->args = *args;
    f->mcp = (struct km_mcp_server){
        .name = KM_STR("kanmon-fixture"),
        .version = KM_STR("1.0.0"),
        .instructions = KM_STR("Tools with fixed answers, for tests."),
        .tools = f->tools,
        .resources = fixture_resources,
        .nresources = fixture_nresources,
        .prompts = f->prompts,
        .nprompts = fixture_nprompts,
        .methods = own_methods,
        .nmethods = sizeof own_methods / sizeof own_methods[0],
        .capabilities = KM_STR("\"completions\":{},\"logging\":{}"),
        .changes = true,
        .state_key = state_key,
        .data = f,
        .cancel = fixture_cancel,
        .drop = fixture_drop,
    };
    add_tools(f, fixture_tools, fixture_ntools);
    add_tools(f, fixture_asking_tools, fixture_nasking_tools);
    add_tools(f, changing, sizeof changing / sizeof changing[0]);
    f->mcp.ntools--;
    memcpy(f->prompts, fixture_prompts, fixture_nprompts * sizeof f->prompts[0]);
    f->prompts[fixture_nprompts] = sometimes;
    return &f->mcp;
}

static void close_one(struct km_mcp_server *server)
{
    free(server->data);
}

const struct km_mcp_builtin km_fixture_builtin = {
    .name = TEXT("fixture"), .asks = true, .check = check, .open = open_one, .close = close_one
};

/* --- the program --- */

static struct km_mcp_server *open_alone(void *ctx, const struct km_mcp_builtin_args *args,
                                        struct km_err *err)
{
    (void)ctx;
    return open_one(args, err);
}

int main(int argc, char **argv)
{
    const struct km_server_stdio_args alone = { .open = open_alone, .close = close_one };
    struct km_err err = { 0 };

    if (argc > 1 && strcmp(argv[1], "--shim") == 0)
        return km_shim_main(argc, argv);
    if (argc < 2 || strcmp(argv[1], "stdio") != 0)
        return km_cli_main(km_app_commands, argc, argv);
    if (km_server_stdio(&alone, &err) == 0)
        return 0;
    fprintf(stderr, "kanmon_fixture: %s\n", err.text);
    return 1;
}
