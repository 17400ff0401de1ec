/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - reading a command line against the table of commands.
 *
 * A command is one or two words ("key list").  Without one, flags alone start the gateway, as
 * LiteLLM's own command line does: `kanmon --config FILE --port 4000`.
 */
#include "app/cli.h"
#include "app/main.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "sys/read_file.h"

static const struct km_option common[] = {
    { "config", "FILE", "the configuration (default: config.yaml here)", 'c' },
    { "json", NULL, "print JSON", 0 },
    { "no-color", NULL, "no colour", 0 },
    { "quiet", NULL, "say less", 'q' },
    { "help", NULL, "this help", 'h' },
    { 0 },
};

static bool same_name(const char *option, const char *word, size_t n)
{
    size_t i;

    for (i = 0; i < n && option[i]; i++)
        if (option[i] != word[i] && !(option[i] == '-' && word[i] == '_') &&
            !(option[i] == '_' && word[i] == '-'))
            return false;
    return i == n && !option[i];
}

static const struct km_option *find_option(const struct km_command *c, const char *word, size_t n,
                                           char letter)
{
    const struct km_option *lists[] = { c->options, common };

    for (size_t l = 0; l < 2; l++)
        for (const struct km_option *o = lists[l]; o && o->name; o++)
            if (letter ? o->letter == letter : same_name(o->name, word, n))
                return o;
    return NULL;
}

const char *km_cli_option(const struct km_cli *cli, const char *name)
{
    char env[64] = "KANMON_";
    size_t at = strlen(env);

    for (size_t i = cli->ngiven; i-- > 0;)
        if (strcmp(cli->given[i].option->name, name) == 0)
            return cli->given[i].value;
    for (size_t i = 0; name[i] && at < sizeof env - 1; i++)
        env[at++] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    env[at] = 0;
    return getenv(env);
}

int km_cli_usage(const struct km_cli *cli, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("error: ", stderr);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry: kanmon %s--help\n", "");
    (void)cli;
    return KM_EXIT_USAGE;
}

int km_cli_read(const char *path, struct km_buf *out, struct km_err *err)
{
    const bool given = strcmp(path, "-") == 0;
    struct km_err why;
    int r = given ? km_file_read_fd(STDIN_FILENO, KM_FILE_ANY, out, &why)
                  : km_file_read(path, KM_FILE_ANY, out, &why);

    return r < 0 ? km_fail(err, r, "cannot read %s%s%s: %s", given ? "" : "'",
                           given ? "standard input" : path, given ? "" : "'", why.text)
                 : 0;
}

int km_cli_fail(const struct km_cli *cli, const struct km_err *err)
{
    (void)cli;
    fprintf(stderr, "error: %s\n", err->text);
    switch (err->code) {
    case KM_E_NOT_RUNNING:
        return KM_EXIT_NOT_RUNNING;
    case KM_E_UNAUTHENTICATED:
    case KM_E_FORBIDDEN:
        return KM_EXIT_DENIED;
    case KM_E_CONFIG:
        return KM_EXIT_CONFIG;
    case KM_E_STORE:
    case KM_E_UPSTREAM_CONNECT:
        return KM_EXIT_UNREACHABLE;
    case KM_E_UPSTREAM_TIMEOUT:
        return KM_EXIT_TIMEOUT;
    default:
        return KM_EXIT_FAILURE;
    }
}

const char *km_cli_config_file(const struct km_cli *cli)
{
    const char *file = km_cli_option(cli, "config");

    if (!file || !*file)
        file = getenv("CONFIG_FILE_PATH"); /* LiteLLM's */
    return file && *file ? file : "config.yaml";
}

static void print_options(const struct km_option *o)
{
    for (; o && o->name; o++) {
        char left[40];

        snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "",
                 o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        printf("  %-26s %s\n", left, o->help);
    }
}

static int help_command(const struct km_command *c)
{
    printf("%s\n\n", c->summary);
    if (c->examples)
        printf("Examples:\n%s\n", c->examples);
    printf("Usage: kanmon %s [options]%s%s\n\nOptions:\n", c->name, c->args ? " " : "",
           c->args ? c->args : "");
    print_options(c->options);
    print_options(common);
    return KM_EXIT_OK;
}

/* Is the command one of `group`, as "key list" is of "key"?  NULL: any. */
static bool in_group(const struct km_command *c, const char *group)
{
    size_t n = group ? strlen(group) : 0;

    return !group || (strncmp(c->name, group, n) == 0 && c->name[n] == ' ');
}

static bool is_group(const char *word)
{
    for (const struct km_command *c = km_app_commands; c->name; c++)
        if (in_group(c, word))
            return true;
    return false;
}

static void list_commands(FILE *out, const char *group)
{
    for (const struct km_command *c = km_app_commands; c->name; c++)
        if (in_group(c, group))
            fprintf(out, "  %-18s %s\n", c->name, c->summary);
}

static int help_group(FILE *out, const char *group)
{
    fprintf(out, "Commands of `kanmon %s`:\n", group);
    list_commands(out, group);
    fputs("\n`kanmon COMMAND --help` explains one.\n", out);
    return out == stdout ? KM_EXIT_OK : KM_EXIT_USAGE;
}

static int help_all(FILE *out)
{
    fputs("kanmon - one gateway for every model and MCP server\n\n"
          "Examples:\n"
          "  kanmon config check config.yaml     is this configuration right?\n"
          "  kanmon start --config config.yaml   run in the background\n"
          "  kanmon key generate --alias team-a  make a virtual key\n\n"
          "Commands:\n",
          out);
    list_commands(out, NULL);
    fputs("\n`kanmon COMMAND --help` explains one. Exit codes: 0 ok, 1 failure, 2 usage, 3 not "
          "running,\n4 denied, 5 invalid configuration, 6 unreachable, 7 problems found, 8 "
          "time-out.\n",
          out);
    return out == stdout ? KM_EXIT_OK : KM_EXIT_USAGE;
}

/* The command at argv[1..]; *ret_words is how many words name it. */
static const struct km_command *find_command(int argc, char **argv, int *ret_words)
{
    for (const struct km_command *c = km_app_commands; c->name; c++) {
        const char *space = strchr(c->name, ' ');
        size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

        if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], c->name, first) != 0)
            continue;
        if (space && (argc < 3 || strcmp(argv[2], space + 1) != 0))
            continue;
        *ret_words = space ? 2 : 1;
        return c;
    }
    return NULL;
}

static void suggest(const char *first, const char *second)
{
    const struct km_command *best = NULL;
    unsigned least = 1000;
    char word[80];

    snprintf(word, sizeof word, "%s%s%s", first, second ? " " : "", second ? second : "");

    for (const struct km_command *c = km_app_commands; c->name; c++) {
        unsigned d = km_str_distance(km_str_c(word), km_str_c(c->name));

        if (d < least) {
            least = d;
            best = c;
        }
    }
    fprintf(stderr, "error: there is no command '%s'.", word);
    if (best && least <= 3)
        fprintf(stderr, " Did you mean '%s'?", best->name);
    fputs("\n`kanmon --help` lists them.\n", stderr);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The words name no command: a group of them, or nothing. */
static int no_command(int argc, char **argv)
{
    bool group = is_group(argv[1]);

    if (group && argc > 2 && asks_for_help(argv[2]))
        return help_group(stdout, argv[1]);
    if (group && argc == 2)
        return help_group(stderr, argv[1]);
    suggest(argv[1], group ? argv[2] : NULL);
    return KM_EXIT_USAGE;
}

/* `kanmon help [COMMAND]` */
static int help_on(int argc, char **argv)
{
    const struct km_command *c;
    int words;

    if (argc < 3)
        return help_all(stdout);
    c = find_command(argc - 1, argv + 1, &words);
    if (c)
        return help_command(c);
    return argc == 3 && is_group(argv[2]) ? help_group(stdout, argv[2])
                                          : no_command(argc - 1, argv + 1);
}

static int add_given(struct km_cli *cli, const struct km_option *o, const char *value)
{
    if (cli->ngiven == KM_CLI_ARGS)
        return km_cli_usage(cli, "too many options");
    cli->given[cli->ngiven].option = o;
    cli->given[cli->ngiven++].value = value;
    return 0;
}

/* One option at argv[i]; returns how many words it took, or a negative usage error. */
static int read_option(struct km_cli *cli, int argc, char **argv, int i)
{
    const char *word = argv[i], *eq = strchr(word, '=');
    bool is_long = word[1] == '-';
    size_t n = is_long ? (eq ? (size_t)(eq - word) - 2 : strlen(word) - 2) : 1;
    const struct km_option *o = find_option(cli->command, word + 2, n, is_long ? 0 : word[1]);
    const char *value = "";

    if (!o || (!is_long && word[2]))
        return -km_cli_usage(cli, "'%s' is not an option of `kanmon %s`", word, cli->command->name);
    if (o->arg) {
        value = is_long && eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL;
        if (!value)
            return -km_cli_usage(cli, "--%s needs a %s", o->name, o->arg);
    }
    if (add_given(cli, o, value) != 0)
        return -KM_EXIT_USAGE;
    return o->arg && !(is_long && eq) ? 2 : 1;
}

static int read_words(struct km_cli *cli, int argc, char **argv, int i)
{
    bool plain = false;

    while (i < argc) {
        if (!plain && strcmp(argv[i], "--") == 0) {
            plain = true;
            i++;
        } else if (!plain && argv[i][0] == '-' && argv[i][1]) {
            int took = read_option(cli, argc, argv, i);

            if (took < 0)
                return -took;
            i += took;
        } else if (!cli->command->args) {
            return km_cli_usage(cli, "`kanmon %s` takes no argument '%s'", cli->command->name,
                                argv[i]);
        } else if (cli->nargs < KM_CLI_ARGS) {
            cli->args[cli->nargs++] = argv[i++];
        } else {
            return km_cli_usage(cli, "too many arguments");
        }
    }
    return 0;
}

static const struct km_command *by_name(const char *name)
{
    for (const struct km_command *c = km_app_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int km_cli_main(int argc, char **argv)
{
    struct km_cli cli = { .argv0 = argv[0] };
    int words = 0, r;

    if (argc < 2)
        return help_all(stderr);
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)(uintptr_t) "version";
    if (asks_for_help(argv[1]))
        return help_on(argc, argv);
    cli.command = argv[1][0] == '-' ? by_name("serve") : find_command(argc, argv, &words);
    if (!cli.command)
        return no_command(argc, argv);
    r = read_words(&cli, argc, argv, 1 + words);
    if (r != 0)
        return r;
    cli.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && !km_cli_flag(&cli, "no-color");
    for (size_t i = 0; i < cli.ngiven; i++)
        if (strcmp(cli.given[i].option->name, "help") == 0)
            return help_command(cli.command);
    return cli.command->run(&cli);
}
