/* SPDX-License-Identifier: Apache-2.0 */
/* config_tool.c - shows tests in other languages what the configuration layer makes of things.
 *
 *     config_tool documents < FILE   YAML documents separated by NUL bytes; for each one line:
 *                                    its tree as JSON with types, or "error"
 *     config_tool schema             the JSON Schema of this layer's own rows
 *
 * A tree is written so that Python can build the same from its own objects: ["int","7"],
 * ["float","0.5"], ["str","x"], ["map",[[key,value],...]], ["seq",[...]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/litellm.h"
#include "config/yaml.h"

static const struct km_settings_table *const tables[] = { &km_config_top_table,
                                                          &km_config_own_table,
                                                          &km_litellm_top_table,
                                                          &km_litellm_settings_table,
                                                          &km_litellm_general_table,
                                                          &km_litellm_router_table,
                                                          NULL };

static void typed(const struct km_node *n, struct km_buf *out);

static void children(const struct km_node *n, struct km_buf *out)
{
    km_buf_str(out, n->type == KM_NODE_MAP ? KM_STR("[\"map\",[") : KM_STR("[\"seq\",["));
    for (size_t i = 0; i < n->n; i++) {
        if (i)
            km_buf_byte(out, ',');
        if (n->type == KM_NODE_MAP) {
            km_buf_byte(out, '[');
            typed(n->k[i], out);
            km_buf_byte(out, ',');
        }
        typed(n->v[i], out);
        if (n->type == KM_NODE_MAP)
            km_buf_byte(out, ']');
    }
    km_buf_str(out, KM_STR("]]"));
}

static void typed(const struct km_node *n, struct km_buf *out)
{
    switch (n->type) {
    case KM_NODE_NULL:
        km_buf_str(out, KM_STR("[\"null\"]"));
        break;
    case KM_NODE_BOOL:
        km_buf_printf(out, "[\"bool\",%s]", n->b ? "true" : "false");
        break;
    case KM_NODE_INT:
        if (n->big)
            km_buf_str(out, KM_STR("[\"int\",\"big\"]"));
        else
            km_buf_printf(out, "[\"int\",\"%lld\"]", (long long)n->i);
        break;
    case KM_NODE_FLOAT:
        km_buf_printf(out, "[\"float\",\"%.17g\"]", n->f);
        break;
    case KM_NODE_TIME:
        km_buf_str(out, KM_STR("[\"time\"]"));
        break;
    case KM_NODE_STR:
        km_buf_str(out, KM_STR("[\"str\","));
        km_buf_json(out, n->text);
        km_buf_byte(out, ']');
        break;
    default:
        children(n, out);
    }
}

static void document(struct km_str text)
{
    static const struct km_yaml_limits limits = KM_YAML_LIMITS;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 << 20);
    struct km_diags *diags = km_diags_new();
    const struct km_node *root = NULL;
    struct km_arena arena;

    km_arena_init(&arena, 64 << 20, NULL);
    if (km_yaml_parse(&arena, KM_STR("stdin"), text, &limits, diags, &root, NULL) == 0)
        typed(root, &out);
    else
        km_buf_str(&out, KM_STR("\"error\""));
    puts(km_buf_cstr(&out));
    km_arena_done(&arena);
    km_diags_free(diags);
}

static int documents(void)
{
    struct km_buf in KM_CLEANUP(km_buf_done) = KM_BUF(256 << 20);
    struct km_str rest, text;
    char *p;

    while (!feof(stdin) && (p = km_buf_reserve(&in, 65536)) != NULL)
        in.n += fread(p, 1, 65536, stdin);
    rest = km_buf_view(&in);
    while (km_str_split(&rest, '\0', &text))
        document(text);
    return 0;
}

int main(int argc, char **argv)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);

    if (argc == 2 && strcmp(argv[1], "documents") == 0)
        return documents();
    if (argc == 2 && strcmp(argv[1], "schema") == 0) {
        km_config_schema(tables, &out);
        fputs(km_buf_cstr(&out), stdout);
        return km_buf_failed(&out);
    }
    fputs("usage: config_tool documents|schema\n", stderr);
    return 2;
}
