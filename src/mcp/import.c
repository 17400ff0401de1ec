/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - see import.h.
 *
 *     text ── strip ──> JSON ── a server each ──> YAML, and notes of what a person must do
 *
 * The result is written with quoted strings only, which JSON and YAML spell alike.  A value is
 * one of three: plain; a reference in the other program's words (${NAME}, ${env:NAME},
 * ${input:id}), which becomes os.environ/NAME; or a secret, known by the name it stands under or
 * by how it begins, which becomes os.environ/SERVER_NAME and is asked for in a note.  A reference
 * in the middle of a text has no words of ours: it is kept and noted.
 */
#include "mcp/import.h"

#include <ctype.h>
#include <strings.h>

#include "http/json.h"

#define NAME_BYTES 256

struct import {
    struct km_buf *yaml, *notes;
    struct km_arena arena;
    struct km_str server;
};

/* --- JSON with comments --- */

static size_t skip_string(const char *text, size_t i, size_t n)
{
    for (i++; i < n && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < n ? i + 1 : n;
}

static void blank(char *text, size_t from, size_t to)
{
    for (; from < to; from++)
        if (text[from] != '\n')
            text[from] = ' ';
}

/* The end of a comment that begins at i; i: there is none. */
static size_t comment_end(const char *text, size_t i, size_t n)
{
    struct km_str rest = km_str(text + i, n - i);
    size_t end;

    if (km_str_starts(rest, KM_STR("//")))
        return i + km_str_chr(rest, '\n');
    if (!km_str_starts(rest, KM_STR("/*")))
        return i;
    end = km_str_find(km_str_skip(rest, 2), KM_STR("*/"));
    return end == rest.n - 2 ? n : i + 2 + end + 2;
}

void km_jsonc_strip(char *text, size_t n)
{
    size_t comma = n; /* the last one, while only blanks followed */

    for (size_t i = 0; i < n;) {
        size_t end = comment_end(text, i, n);

        if (end > i) {
            blank(text, i, end);
            i = end;
        } else if (text[i] == '"') {
            i = skip_string(text, i, n);
            comma = n;
        } else {
            if ((text[i] == '}' || text[i] == ']') && comma < n)
                text[comma] = ' ';
            if (!strchr(" \t\r\n", text[i]))
                comma = text[i] == ',' ? i : n;
            i++;
        }
    }
}

/* --- what is a secret, what a reference --- */

static bool has_word(struct km_str s, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= s.n; i++)
        if (strncasecmp(s.p + i, word, n) == 0)
            return true;
    return false;
}

static bool is_secret_name(struct km_str name)
{
    static const char *const words[] = { "key",        "token",         "secret", "password",
                                         "credential", "authorization", "passwd", "cookie" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (has_word(name, words[i]))
            return true;
    return false;
}

/* "https://user:password@host/?api_key=...", by any scheme. */
static bool is_secret_url(struct km_str value)
{
    struct km_str rest = km_str_skip(value, km_str_find(value, KM_STR("://")) + 3), pair;
    struct km_str host = km_str_sub(rest, 0, km_str_chr(rest, '/'));
    struct km_str query = km_str_skip(rest, km_str_chr(rest, '?') + 1);

    if (!rest.n || km_str_find(value, KM_STR("${")) < value.n)
        return false;
    if (km_str_chr(host, ':') < km_str_chr(host, '@') && km_str_chr(host, '@') < host.n)
        return true;
    while (km_str_split(&query, '&', &pair))
        if (km_str_chr(pair, '=') + 1 < pair.n &&
            is_secret_name(km_str_sub(pair, 0, km_str_chr(pair, '='))))
            return true;
    return false;
}

static bool is_secret_value(struct km_str value)
{
    static const char *const begins[] = { "sk-",   "ghp_", "gho_", "github_pat_",
                                          "glpat-", "xoxb-", "xoxp-", "AKIA",
                                          "AIza",  "npm_", "hf_",  "ctx7sk" };

    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (km_str_starts(value, km_str_c(begins[i])))
            return true;
    return is_secret_url(value);
}

/* "api-key" of server "my-docs": MY_DOCS_API_KEY; without a server: API_KEY.  Never empty: names
 * are cut, since a secret without a variable would be written out. */
static struct km_str variable(struct import *im, struct km_str server, struct km_str name)
{
    struct km_buf b = KM_BUF(NAME_BYTES);
    struct km_str s;

    km_buf_str(&b, km_str_sub(server, 0, NAME_BYTES / 2 - 2));
    if (server.n || !name.n)
        km_buf_byte(&b, '_');
    km_buf_str(&b, km_str_sub(name, 0, NAME_BYTES / 2 - 2));
    for (size_t i = 0; i < b.n; i++)
        b.p[i] = isalnum((unsigned char)b.p[i]) ? (char)toupper((unsigned char)b.p[i]) : '_';
    s = km_arena_str(&im->arena, km_buf_view(&b));
    km_buf_done(&b);
    return s;
}

/* Nothing but a reference: its variable; else an empty view. */
static struct km_str reference(struct import *im, struct km_str value)
{
    struct km_str name;

    if (!km_str_starts(value, KM_STR("${")) || km_str_chr(value, '}') + 1 != value.n)
        return KM_STR_NONE;
    name = km_str_sub(value, 2, value.n - 3);
    if (km_str_starts(name, KM_STR("input:")))
        return variable(im, KM_STR_NONE, km_str_skip(name, 6));
    if (km_str_starts(name, KM_STR("env:")))
        name = km_str_skip(name, 4);
    /* ${workspaceFolder} and the like: only the editor knows. */
    return km_str_chr(name, ':') < name.n || km_str_starts(name, KM_STR("workspace"))
               ? KM_STR_NONE
               : km_str_sub(name, 0, km_str_chr(name, '}'));
}

static void note(struct import *im, const char *what, struct km_str name, const char *why)
{
    km_buf_printf(im->notes, "%.*s: %s %.*s%s\n", KM_STR_ARG(im->server), what, KM_STR_ARG(name),
                  why);
}

/* A value that stands under `name`. */
static void put_value(struct import *im, struct km_str name, struct km_str value, bool secret)
{
    struct km_str var = reference(im, value);

    if (!var.n && value.n && (secret || is_secret_value(value))) {
        var = variable(
            im, is_secret_name(name) && km_str_chr(name, '_') < name.n ? KM_STR_NONE : im->server,
            name);
        note(im, "put the secret into the environment as", var, "; it was left out here");
    } else if (var.n) {
        note(im, "is read from the environment:", var, "");
    } else if (km_str_find(value, KM_STR("${")) < value.n) {
        note(im, "write out what only the other program knew in", name, "");
    }
    if (var.n) {
        km_buf_str(im->yaml, KM_STR("\"os.environ/"));
        km_buf_str(im->yaml, var);
        km_buf_byte(im->yaml, '"');
    } else {
        km_buf_json(im->yaml, value);
    }
    km_buf_byte(im->yaml, '\n');
}

/* --- a server --- */

static void put_key(struct import *im, const char *indent, struct km_str name)
{
    km_buf_str(im->yaml, km_str_c(indent));
    km_buf_json(im->yaml, name);
    km_buf_str(im->yaml, KM_STR(": "));
}

/* In "--api-key=..." a secret stands.  A variable cannot be a part of a word of ours, so it becomes
 * two words, which programs take as the same. */
static bool put_pair(struct import *im, struct km_str text)
{
    size_t at = km_str_chr(text, '=');
    struct km_str name = km_str_skip(km_str_sub(text, 0, at), 2);

    if (!km_str_starts(text, KM_STR("--")) || at + 1 >= text.n || !is_secret_name(name))
        return false;
    km_buf_json(im->yaml, km_str_sub(text, 0, at));
    km_buf_str(im->yaml, KM_STR("\n      - "));
    put_value(im, name, km_str_skip(text, at + 1), true);
    return true;
}

/* After "--api-key" comes a secret. */
static void put_args(struct import *im, const struct km_json *args)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, text, before = KM_STR_NONE;

    if (km_json_count(args) == 0)
        return;
    km_buf_str(im->yaml, KM_STR("    args:\n"));
    for (km_json_iter(args, &it); km_json_next(&it, &key, &item);) {
        if (!km_json_string(item, &text))
            continue;
        km_buf_str(im->yaml, KM_STR("      - "));
        if (put_pair(im, text)) {
            before = KM_STR_NONE;
            continue;
        }
        put_value(im, before.n ? before : KM_STR("argument"), text,
                  before.n && is_secret_name(before) && !km_str_starts(text, KM_STR("-")));
        before = km_str_starts(text, KM_STR("--")) && km_str_chr(text, '=') == text.n
                     ? km_str_skip(text, 2)
                     : KM_STR_NONE;
    }
}

static void put_map(struct import *im, const char *title, const struct km_json *map)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, text;
    bool first = true;

    for (km_json_iter(map, &it); km_json_next(&it, &key, &item);) {
        if (!km_json_string(item, &text) && !km_json_number(item, &text)) {
            note(im, "is no text, and was left out:", key, "");
            continue;
        }
        if (first)
            km_buf_printf(im->yaml, "    %s:\n", title);
        first = false;
        put_key(im, "      ", key);
        put_value(im, key, text, is_secret_name(key));
    }
}

/* "Bearer ..." is a kind of authentication of ours; other headers go as they are. */
static void put_headers(struct import *im, const struct km_json *headers)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, text;
    bool first = true;

    for (km_json_iter(headers, &it); km_json_next(&it, &key, &item);) {
        if (!km_json_string(item, &text))
            continue;
        if (km_str_ieq(key, KM_STR("Authorization")) && km_str_istarts(text, KM_STR("Bearer "))) {
            km_buf_str(im->yaml, KM_STR("    auth_type: bearer_token\n    auth_value: "));
            put_value(im, KM_STR("TOKEN"), km_str_trim(km_str_skip(text, 7)), true);
        }
    }
    for (km_json_iter(headers, &it); km_json_next(&it, &key, &item);) {
        if (!km_json_string(item, &text) ||
            (km_str_ieq(key, KM_STR("Authorization")) && km_str_istarts(text, KM_STR("Bearer "))))
            continue;
        if (first)
            km_buf_str(im->yaml, KM_STR("    static_headers:\n"));
        first = false;
        put_key(im, "      ", key);
        put_value(im, key, text, is_secret_name(key));
    }
}

static void put_text(struct import *im, const struct km_json *server, const char *from,
                     const char *to)
{
    struct km_str text;

    if (!km_json_string(km_json_get(server, from), &text) || !text.n)
        return;
    km_buf_printf(im->yaml, "    %s: ", to);
    put_value(im, km_str_c(from), text, false);
}

static void put_transport(struct import *im, const struct km_json *server, struct km_str url)
{
    struct km_str type = KM_STR_NONE;
    bool sse;

    (void)(km_json_string(km_json_get(server, "type"), &type) ||
           km_json_string(km_json_get(server, "transport"), &type));
    sse = type.n ? km_str_ieq(type, KM_STR("sse")) : km_str_ends(url, KM_STR("/sse"));
    km_buf_printf(im->yaml, "    transport: %s\n", url.n == 0 ? "stdio" : sse ? "sse" : "http");
}

static int put_server(struct import *im, const struct km_json *server, struct km_err *err)
{
    struct km_str url = KM_STR_NONE, command = KM_STR_NONE;
    bool off = false;

    if (!km_json_string(km_json_get(server, "url"), &url))
        (void)km_json_string(km_json_get(server, "serverUrl"), &url);
    (void)km_json_string(km_json_get(server, "command"), &command);
    if (!url.n && !command.n)
        return km_fail(err, KM_E_INVALID, "server \"%.*s\" has neither a command nor a url",
                       KM_STR_ARG(im->server));
    km_buf_str(im->yaml, KM_STR("  "));
    km_buf_json(im->yaml, im->server);
    km_buf_str(im->yaml, KM_STR(":\n"));
    put_transport(im, server, url);
    if (url.n) {
        km_buf_str(im->yaml, KM_STR("    url: "));
        put_value(im, KM_STR("url"), url, false);
        put_headers(im, km_json_get(server, "headers"));
    } else {
        put_text(im, server, "command", "command");
        put_args(im, km_json_get(server, "args"));
        put_text(im, server, "cwd", "cwd");
        put_map(im, "env", km_json_get(server, "env"));
        if (km_json_get(server, "envFile"))
            note(im, "copy what is needed from its", KM_STR("envFile"), "");
    }
    if (km_json_bool(km_json_get(server, "disabled"), &off) && off)
        km_buf_str(im->yaml, KM_STR("    enabled: false\n"));
    return 0;
}

static const struct km_json *find_servers(const struct km_json *root)
{
    const struct km_json *v = km_json_get(root, "mcpServers");

    if (!v)
        v = km_json_get(root, "servers");
    if (!v)
        v = km_json_get(km_json_get(root, "mcp"), "servers");
    return v ? v : km_json_get(root, "mcp.servers");
}

int km_mcp_import(char *text, size_t n, struct km_buf *yaml, struct km_buf *notes,
                  struct km_err *err)
{
    struct import im = { .yaml = yaml, .notes = notes };
    const struct km_json *root, *servers, *server;
    struct km_json_iter it;
    int r;

    if (n > KM_MCP_IMPORT_BYTES)
        return km_fail(err, KM_E_LIMIT, "a file of servers may have %zu bytes",
                       KM_MCP_IMPORT_BYTES);
    if (km_str_starts(km_str(text, n), KM_STR("\xef\xbb\xbf"))) { /* as editors on Windows begin */
        text += 3;
        n -= 3;
    }
    km_jsonc_strip(text, n);
    km_arena_init(&im.arena, 64 * KM_MCP_IMPORT_BYTES, NULL);
    r = km_json_parse(&im.arena, km_str(text, n), &root, err);
    servers = r == 0 ? find_servers(root) : NULL;
    if (r == 0 && km_json_kind(servers) != KM_JSON_OBJECT)
        r = km_fail(
            err, KM_E_INVALID,
            "there is no \"mcpServers\" (Claude, Cursor) and no \"servers\" (VS Code) in it");
    km_buf_str(yaml, KM_STR("mcp_servers:"));
    km_buf_str(yaml, km_json_count(servers) ? KM_STR("\n") : KM_STR(" {}\n"));
    for (km_json_iter(servers, &it); r == 0 && km_json_next(&it, &im.server, &server);)
        r = put_server(&im, server, err);
    if (r == 0 && (km_buf_failed(yaml) || km_buf_failed(notes)))
        r = km_fail(err, KM_E_LIMIT, "the result is too large");
    km_arena_done(&im.arena);
    return r;
}
