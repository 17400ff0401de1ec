/* SPDX-License-Identifier: Apache-2.0 */
/* literal.c - values that were surely meant as something else and are taken as they stand.
 *
 *     ${OPENAI_API_KEY}  $OPENAI_API_KEY        a shell's variable: nothing expands it here
 *     os.enviro/NAME  os.environ["NAME"]        nearly os.environ/NAME
 *     “sk-...”                                  quotes of a word processor, which are text
 *
 * Each would be sent as a key or an address and fail far from here, or would be a master key that
 * everybody can guess.  They are warnings, one for each of the things meant and not one for each
 * place, for LiteLLM takes such a value as it stands too.  `${X-NAME}` below mcp_servers is a
 * header of the client's request and is left alone.
 */
#include "base/near.h"
#include "config/fill.h"

#define SHOWN 64 /* bytes of a variable's name */

static const struct km_str marks[] = { { "\xe2\x80\x9c", 3 },
                                       { "\xe2\x80\x9d", 3 },
                                       { "\xe2\x80\x98", 3 },
                                       { "\xe2\x80\x99", 3 } };

static bool name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name of a variable that s begins with; empty: none. */
static struct km_str name_at(struct km_str s)
{
    size_t n = 0;

    while (n < s.n && n < SHOWN && name_byte(s.p[n]))
        n++;
    return n && !(s.p[0] >= '0' && s.p[0] <= '9') ? km_str_sub(s, 0, n) : KM_STR_NONE;
}

/* "${NAME}" or "${NAME:-default}" anywhere, or "$NAME" alone. */
static struct km_str shell_variable(struct km_str text)
{
    struct km_str name;

    for (size_t i = 0; i + 3 < text.n; i++) {
        if (text.p[i] != '$' || text.p[i + 1] != '{')
            continue;
        name = name_at(km_str_skip(text, i + 2));
        if (name.n && i + 2 + name.n < text.n &&
            (text.p[i + 2 + name.n] == '}' || text.p[i + 2 + name.n] == ':'))
            return name;
    }
    if (text.n < 2 || text.p[0] != '$')
        return KM_STR_NONE;
    name = name_at(km_str_skip(text, 1));
    return name.n == text.n - 1 ? name : KM_STR_NONE;
}

/* The same where it is in capitals and ends the text: `env/prod.json` is a file. */
static struct km_str capitals(struct km_str s)
{
    struct km_str name = name_at(s);

    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'a' && name.p[i] <= 'z')
            return KM_STR_NONE;
    for (size_t i = name.n; i < s.n; i++)
        if (!strchr("\"'])}", s.p[i]))
            return KM_STR_NONE;
    return name;
}

/* "{{ NAME }}", "${{ secrets.NAME }}", "%NAME%": of templates and of another shell. */
static struct km_str template(struct km_str text)
{
    struct km_str inner = KM_STR_NONE;
    size_t dot;

    if (km_str_starts(text, KM_STR("${{")))
        text = km_str_skip(text, 1);
    if (text.n > 4 && km_str_starts(text, KM_STR("{{")) && km_str_ends(text, KM_STR("}}")))
        inner = km_str_trim(km_str_sub(text, 2, text.n - 4));
    else if (text.n > 2 && text.p[0] == '%' && text.p[text.n - 1] == '%')
        inner = km_str_sub(text, 1, text.n - 2);
    dot = km_str_rchr(inner, '.');
    return capitals(dot < inner.n ? km_str_skip(inner, dot + 1) : inner);
}

/* What stands between a misspelt prefix and the end: the variable's name. */
static struct km_str after_prefix(struct km_str text)
{
    static const char *const others[] = { "os.environ.", "os.environ[", "os.getenv(", "os.env.",
                                          "os.env/",     "environ/",    "environ.",   "env/",
                                          "process.env.", "$env:",      "env:",       NULL };
    size_t slash = km_str_chr(text, '/'), n = 0;
    struct km_str rest = KM_STR_NONE;

    /* os.environ:NAME, os.environment/NAME, os.environNAME, os.environ.get("NAME") */
    if (text.n > 6 && km_str_ieq(km_str_sub(text, 0, 6), KM_STR("os.env"))) {
        for (n = 6; n < text.n && !((text.p[n] >= 'A' && text.p[n] <= 'Z') || text.p[n] == '_');)
            n++;
        rest = capitals(km_str_skip(text, n));
        if (rest.n)
            return rest;
    }
    rest = template(text);
    if (rest.n)
        return rest;
    if (slash < text.n && !km_str_eq(km_str_sub(text, 0, slash), KM_STR("os.environ")) &&
        km_near_miss(km_str_sub(text, 0, slash), KM_STR("os.environ")))
        rest = km_str_skip(text, slash + 1);
    for (size_t i = 0; others[i] && !rest.n; i++)
        if (text.n > strlen(others[i]) &&
            km_str_ieq(km_str_sub(text, 0, strlen(others[i])), km_str_c(others[i])))
            rest = km_str_skip(text, strlen(others[i]));
    while (rest.n && (rest.p[0] == '"' || rest.p[0] == '\'' || rest.p[0] == '/'))
        rest = km_str_skip(rest, 1);
    return capitals(rest);
}

/* " os.environ/NAME", "os.environ/ NAME", "os.environ/NAME ": not the form it has to have. */
static struct km_str nearly_variable(struct km_str text)
{
    struct km_str trimmed = km_str_trim(text), name;

    if (km_str_starts(trimmed, KM_STR("os.environ/"))) {
        name = km_str_trim(km_str_skip(trimmed, 11));
        return trimmed.n != text.n || (name.n && name.n != trimmed.n - 11) ? name_at(name)
                                                                           : KM_STR_NONE;
    }
    return after_prefix(trimmed);
}

static bool curly(struct km_str text)
{
    bool begins = false, ends = false, spaces = km_str_chr(text, ' ') < text.n;

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        begins = begins || km_str_starts(text, marks[i]);
        ends = ends || km_str_ends(text, marks[i]);
    }
    return (begins && ends) || ((begins || ends) && !spaces);
}

static void look_at(struct km_fill *fill, const struct km_node *node, struct km_str path)
{
    static const char help[] = "a variable is written os.environ/NAME, as the whole of the value";
    struct km_str name = shell_variable(node->text), meant = KM_STR_NONE;

    if (!name.n)
        meant = nearly_variable(node->text);
    if (name.n)
        km_diag_add_each(fill->diags, KM_DIAG_WARNING, "W0107", node, help, path,
                         km_arena_printf(fill->arena,
                                         ": ${%.*s} is not expanded: it is taken as "
                                         "it stands",
                                         KM_STR_ARG(name)),
                         km_arena_printf(fill->arena,
                                         "keys have ${%.*s}, which is not expanded: "
                                         "it is taken as it stands",
                                         KM_STR_ARG(name)));
    else if (meant.n)
        km_diag_add_each(
            fill->diags, KM_DIAG_WARNING, "W0107", node,
            km_arena_cstr(fill->arena, km_arena_printf(fill->arena, "did you mean os.environ/%.*s?",
                                                       KM_STR_ARG(meant))),
            path, KM_STR(": this is taken as text and not as a variable"),
            km_arena_printf(fill->arena, "keys are taken as text and not as variable %.*s",
                            KM_STR_ARG(meant)));
    else if (curly(node->text))
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0108", node,
                    "write them as \" or ', or leave them out",
                    "%.*s: its curly quotes are part of the value", KM_STR_ARG(path));
}

static void walk(struct km_fill *fill, const struct km_node *node, struct km_str path)
{
    if (node->type == KM_NODE_STR && !node->from_env && node->text.n <= 4096)
        look_at(fill, node, path);
    for (size_t i = 0; i < node->n; i++)
        walk(fill, node->v[i],
             node->type == KM_NODE_MAP
                 ? km_fill_path(fill->arena, path, node->k[i]->text)
                 : km_arena_printf(fill->arena, "%.*s[%zu]", KM_STR_ARG(path), i));
}

void km_fill_literals(struct km_fill *fill)
{
    if (fill->root)
        walk(fill, fill->root, KM_STR_NONE);
}
