/* SPDX-License-Identifier: Apache-2.0 */
/* env.c - see env.h for the contract.
 *
 * A list a source, searched in order of strength.  Configuration asks for a few dozen names
 * while it loads and never on a request, so lists do.
 *
 * The .env dialect is the one python-dotenv and docker share, since the same file feeds both:
 *
 *     NAME=value            # comment after a blank
 *     export NAME="a\nb"    escapes in double quotes; a value may span lines
 *     NAME='as it is'       nothing means anything in single quotes
 *     URL=http://${HOST}    earlier or process variables
 *
 * The text of a bad line is never shown: what is misspelt there is most likely a secret.
 */
#include "config/env.h"

#include "base/buf.h"

enum { MAX_VALUE = 256 * 1024 };

void km_env_init(struct km_env *env, struct km_arena *arena, const char *const *environ)
{
    *env = (struct km_env){ .arena = arena };
    for (; environ && *environ; environ++) {
        struct km_str s = km_str_c(*environ);
        size_t eq = km_str_chr(s, '=');

        if (eq < s.n)
            km_env_set(env, KM_ENV_PROCESS, km_str_sub(s, 0, eq), km_str_skip(s, eq + 1));
    }
}

void km_env_set(struct km_env *env, enum km_env_source source, struct km_str name,
                struct km_str value)
{
    struct km_env_var *v = km_arena_alloc(env->arena, sizeof *v);

    if (!v)
        return; /* the arena's overflow bit stops the load */
    /* In front: of two lines for one name the later counts. */
    *v = (struct km_env_var){ env->vars[source], km_arena_str(env->arena, name),
                              km_arena_str(env->arena, value) };
    env->vars[source] = v;
}

int km_env_bool(struct km_str text, bool *ret_value)
{
    static const char *const words[][2] = {
        { "false", "true" }, { "no", "yes" }, { "off", "on" }, { "0", "1" }
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int yes = 0; yes < 2; yes++)
            if (km_str_ieq(text, km_str_c(words[i][yes]))) {
                *ret_value = yes != 0;
                return 0;
            }
    return KM_E_INVALID;
}

bool km_env_is_service(struct km_str name, struct km_str value)
{
    return km_str_ends(name, KM_STR("_PORT")) &&
           (km_str_starts(value, KM_STR("tcp://")) || km_str_starts(value, KM_STR("udp://")) ||
            km_str_starts(value, KM_STR("sctp://")));
}

bool km_env_get(const struct km_env *env, struct km_str name, struct km_str *ret_value)
{
    for (int s = 0; s < KM_ENV_SOURCES; s++) {
        for (const struct km_env_var *v = env->vars[s]; v; v = v->next) {
            if (km_str_eq(v->name, name)) {
                *ret_value = v->value;
                return true;
            }
        }
    }
    return false;
}

struct dotenv {
    struct km_env *env;
    enum km_env_source source;
    struct km_str text;
    size_t at;
    unsigned line;
    struct km_buf value;
};

static char peek(const struct dotenv *d)
{
    return d->at < d->text.n ? d->text.p[d->at] : '\n';
}

static void skip_blanks(struct dotenv *d)
{
    while (peek(d) == ' ' || peek(d) == '\t' || peek(d) == '\r')
        d->at++;
}

static void skip_line(struct dotenv *d)
{
    while (peek(d) != '\n')
        d->at++;
    d->at++;
    d->line++;
}

static bool is_name_char(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

static struct km_str read_name(struct dotenv *d)
{
    size_t from = d->at;

    while (is_name_char(peek(d), d->at == from))
        d->at++;
    return km_str_sub(d->text, from, d->at - from);
}

/* ${NAME} or ${NAME:-default} at the cursor; false when it is neither and stays as it is. */
static bool expand(struct dotenv *d)
{
    struct km_str rest = km_str_skip(d->text, d->at), name, value = { 0 };
    size_t close = km_str_chr(rest, '}'), colon;

    if (!km_str_starts(rest, KM_STR("${")) || close == rest.n || km_str_chr(rest, '\n') < close)
        return false;
    name = km_str_sub(rest, 2, close - 2);
    colon = km_str_find(name, KM_STR(":-"));
    if (colon < name.n) {
        value = km_str_skip(name, colon + 2);
        name = km_str_sub(name, 0, colon);
    }
    km_env_get(d->env, name, &value);
    km_buf_str(&d->value, value);
    d->at += close + 1;
    return true;
}

static void escape(struct dotenv *d)
{
    static const char from[] = "nrt\\\"'$", to[] = "\n\r\t\\\"'$";
    char c;
    const char *known;

    d->at++;
    c = peek(d);
    known = c ? strchr(from, c) : NULL;
    if (!known)
        km_buf_byte(&d->value, '\\');
    else
        c = to[known - from];
    km_buf_byte(&d->value, c);
    d->line += c == '\n' && !known;
    d->at++;
}

/* After the opening quote; false when it never closes. */
static bool read_quoted(struct dotenv *d, char quote)
{
    while (d->at < d->text.n) {
        char c = d->text.p[d->at];

        if (c == quote) {
            d->at++;
            return true;
        }
        if (quote == '"' && c == '\\') {
            escape(d);
            continue;
        }
        if (quote == '"' && c == '$' && expand(d))
            continue;
        d->line += c == '\n';
        km_buf_byte(&d->value, c);
        d->at++;
    }
    return false;
}

static void read_plain(struct dotenv *d)
{
    while (peek(d) != '\n') {
        char c = peek(d);

        if (c == '#' && d->at && strchr(" \t=", d->text.p[d->at - 1]))
            break;
        if (c == '$' && expand(d))
            continue;
        km_buf_byte(&d->value, c);
        d->at++;
    }
    while (d->value.n && strchr(" \t\r", d->value.p[d->value.n - 1]))
        d->value.n--;
}

/* One line from its first character; false when it is no assignment. */
static bool read_assignment(struct dotenv *d)
{
    struct km_str name = read_name(d);
    char quote;

    if (km_str_eq(name, KM_STR("export")) && (peek(d) == ' ' || peek(d) == '\t')) {
        skip_blanks(d);
        name = read_name(d);
    }
    skip_blanks(d);
    if (!name.n || peek(d) != '=')
        return false;
    d->at++;
    skip_blanks(d);
    km_buf_reset(&d->value);
    quote = peek(d);
    if (quote == '"' || quote == '\'') {
        d->at++;
        if (!read_quoted(d, quote))
            return false;
    } else {
        read_plain(d);
    }
    km_env_set(d->env, d->source, name, km_buf_view(&d->value));
    return !km_buf_failed(&d->value);
}

void km_env_dotenv(struct km_env *env, enum km_env_source source, struct km_str file,
                   struct km_str text, struct km_diags *diags)
{
    struct dotenv d = {
        .env = env, .source = source, .text = text, .line = 1, .value = KM_BUF(MAX_VALUE)
    };

    if (km_str_starts(text, KM_STR("\xef\xbb\xbf")))
        d.at = 3;
    while (d.at < text.n) {
        unsigned line = d.line;

        skip_blanks(&d);
        if (peek(&d) != '\n' && peek(&d) != '#' && !read_assignment(&d))
            km_diag_add_at(diags, KM_DIAG_WARNING, "W0201", file, line, 1,
                           "write NAME=value, one a line", "this line is no assignment");
        skip_line(&d);
    }
    km_buf_done(&d.value);
}
