/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - reading a command line against the table of commands.
 *
 * A command is one or two words ("key list").  Without one, flags alone start the gateway, as
 * LiteLLM's own command line does: `kanmon --config FILE --port 4000`.
 */
#include "app/cli.h"
#include "app/main.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "mcp/safety/scan.h"
#include "mcp/safety/shown_args.h"
#include "sys/read_file.h"

#define ERROR_TEXT 1024
#define ERROR_BYTES (16 * 1024)

static const struct km_option common[] = {
    { "config", "FILE", "the configuration (default: config.yaml here)", 'c' },
    { "state-dir", "DIR", "the state folder (default: .kanmon beside the configuration)", 0 },
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

/* Where JSON was asked for.  The output stays what it is in success, or empty. */
static void say_json(const char *text, const char *code, int exit)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ERROR_BYTES);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(4 * ERROR_BYTES);

    km_buf_str(&out, KM_STR("{\"error\":{\"message\":"));
    km_buf_json(&out, km_str_c(text));
    km_buf_printf(&out, ",\"code\":\"%s\",\"exit_code\":%d}}", code, exit);
    km_args_json(km_buf_view(&out), &plain); /* the words of a server may be in it */
    fprintf(stderr, "%.*s\n", KM_STR_ARG(km_buf_view(&plain)));
}

int km_cli_usage(const struct km_cli *cli, const char *fmt, ...)
{
    char text[ERROR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (km_cli_flag(cli, "json"))
        say_json(text, "usage", KM_EXIT_USAGE);
    else
        fprintf(stderr, "error: %s\nTry: kanmon %s%s--help\n", text,
                cli->command ? cli->command->name : "", cli->command ? " " : "");
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

/* The exit code and what it is called. */
static int exit_of(int code, const char **ret_name)
{
    static const struct {
        int code, exit;
        const char *name;
    } rows[] = {
        { KM_E_NOT_RUNNING, KM_EXIT_NOT_RUNNING, "not_running" },
        { KM_E_UNAUTHENTICATED, KM_EXIT_DENIED, "denied" },
        { KM_E_FORBIDDEN, KM_EXIT_DENIED, "denied" },
        { KM_E_CONFIG, KM_EXIT_CONFIG, "invalid_configuration" },
        { KM_E_STORE, KM_EXIT_UNREACHABLE, "unreachable" },
        { KM_E_UPSTREAM_CONNECT, KM_EXIT_UNREACHABLE, "unreachable" },
        { KM_E_UPSTREAM_TIMEOUT, KM_EXIT_TIMEOUT, "timeout" },
        { KM_E_NOT_FOUND, KM_EXIT_FAILURE, "not_found" },
    };

    *ret_name = "failure";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == code) {
            *ret_name = rows[i].name;
            return rows[i].exit;
        }
    return KM_EXIT_FAILURE;
}

/* The words of a server may be in it: their lines do not begin where kanmon's do. */
static void print_error(const char *text)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(ERROR_BYTES);
    struct km_str rest = km_str_c(text), line;

    while (km_str_split(&rest, '\n', &line)) {
        km_buf_str(&plain, plain.n ? KM_STR("\n  ") : KM_STR("error: "));
        km_scan_plain(&plain, line);
    }
    fprintf(stderr, "%.*s\n", KM_STR_ARG(km_buf_view(&plain)));
}

int km_cli_fail(const struct km_cli *cli, const struct km_err *err)
{
    const char *name;
    const int exit = exit_of(err->code, &name);

    if (km_cli_flag(cli, "json"))
        say_json(err->text, name, exit);
    else
        print_error(err->text);
    return exit;
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

static bool is_group(const struct km_command *all, const char *word)
{
    for (const struct km_command *c = all; c->name; c++)
        if (in_group(c, word))
            return true;
    return false;
}

static void list_commands(const struct km_command *all, FILE *out, const char *group)
{
    for (const struct km_command *c = all; c->name; c++)
        if (in_group(c, group))
            fprintf(out, "  %-18s %s\n", c->name, c->summary);
}

static int help_group(const struct km_command *all, FILE *out, const char *group)
{
    fprintf(out, "Commands of `kanmon %s`:\n", group);
    list_commands(all, out, group);
    fputs("\n`kanmon COMMAND --help` explains one.\n", out);
    return out == stdout ? KM_EXIT_OK : KM_EXIT_USAGE;
}

static int help_all(const struct km_command *all, FILE *out)
{
    fputs("kanmon - one gateway for every model and MCP server\n\n"
          "Examples:\n"
          "  kanmon config check config.yaml     is this configuration right?\n"
          "  kanmon start --config config.yaml   run in the background\n"
          "  kanmon key generate --alias team-a  make a virtual key\n\n"
          "Commands:\n",
          out);
    list_commands(all, out, NULL);
    fputs("\n`kanmon COMMAND --help` explains one. Exit codes: 0 ok, 1 failure, 2 usage, 3 not "
          "running,\n4 denied, 5 invalid configuration, 6 unreachable, 7 problems found, 8 "
          "time-out.\n",
          out);
    return out == stdout ? KM_EXIT_OK : KM_EXIT_USAGE;
}

/* The command at argv[1..]; *ret_words is how many words name it. */
static const struct km_command *find_command(const struct km_command *all, int argc, char **argv,
                                             int *ret_words)
{
    for (const struct km_command *c = all; c->name; c++) {
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

static void suggest(const struct km_command *all, const char *first, const char *second)
{
    const struct km_command *best = NULL;
    unsigned least = 1000;
    char word[80];

    snprintf(word, sizeof word, "%s%s%s", first, second ? " " : "", second ? second : "");

    for (const struct km_command *c = all; c->name; c++) {
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
static int no_command(const struct km_command *all, int argc, char **argv)
{
    bool group = is_group(all, argv[1]);

    if (group && argc > 2 && asks_for_help(argv[2]))
        return help_group(all, stdout, argv[1]);
    if (group && argc == 2)
        return help_group(all, stderr, argv[1]);
    suggest(all, argv[1], group ? argv[2] : NULL);
    return KM_EXIT_USAGE;
}

/* `kanmon help [COMMAND]` */
static int help_on(const struct km_command *all, int argc, char **argv)
{
    const struct km_command *c;
    int words;

    if (argc < 3)
        return help_all(all, stdout);
    c = find_command(all, argc - 1, argv + 1, &words);
    if (c)
        return help_command(c);
    return argc == 3 && is_group(all, argv[2]) ? help_group(all, stdout, argv[2])
                                               : no_command(all, argc - 1, argv + 1);
}

/* One option at argv[i]; returns how many words it took, or a negative usage error. */
static int read_option(struct km_cli *cli, int argc, char **argv, int i)
{
    const char *word = argv[i], *eq = strchr(word, '=');
    bool is_long = word[1] == '-';
    size_t n = is_long ? (eq ? (size_t)(eq - word) - 2 : strlen(word) - 2) : 1;
    const struct km_option *o = find_option(cli->command, word + 2, n, is_long ? 0 : word[1]);
    const char *value = "";
    char name[KM_OPTION_VARIABLE];

    if (!o || (!is_long && word[2]))
        return -km_cli_usage(cli, "'%s' is not an option of `kanmon %s`", word, cli->command->name);
    if (o->arg) {
        value = is_long && eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL;
        if (!value)
            return -km_cli_usage(cli, "--%s needs a %s", o->name, o->arg);
    }
    snprintf(name, sizeof name, "--%s", o->name);
    if (km_option_judge(cli, o, value, name) != 0 || km_option_give(cli, o, value, false) != 0)
        return -KM_EXIT_USAGE;
    return o->arg && !(is_long && eq) ? 2 : 1;
}

/* How many words the usage line has room for: "[ID | SERVER [TOOL]]" for two, "NAME..." for any. */
static size_t most_words(const char *args)
{
    size_t most = 0, n = 0;
    bool inside = false;

    if (!args || strstr(args, "..."))
        return args ? KM_CLI_ARGS : 0;
    for (; *args; args++) {
        const bool letter = (*args >= 'A' && *args <= 'Z') || *args == '_';

        n = *args == '|' ? 0 : n + (letter && !inside);
        inside = letter;
        most = n > most ? n : most;
    }
    return most;
}

static int too_many(const struct km_cli *cli, size_t most, const char *word)
{
    char what[40] = "";
    size_t n = 0;

    for (const char *p = cli->command->args; *p && n < sizeof what - 1; p++)
        if (isupper((unsigned char)*p))
            what[n++] = (char)tolower((unsigned char)*p);
    if (most == 1)
        return km_cli_usage(cli, "name one %s", what);
    return km_cli_usage(cli, "`kanmon %s` takes %s: '%s' is one too many", cli->command->name,
                        cli->command->args, word);
}

static int read_words(struct km_cli *cli, int argc, char **argv, int i)
{
    const size_t most = most_words(cli->command->args);
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
        } else if (cli->nargs < most) {
            cli->args[cli->nargs++] = argv[i++];
        } else {
            return too_many(cli, most, argv[i]);
        }
    }
    return 0;
}

static const struct km_command *by_name(const struct km_command *all, const char *name)
{
    for (const struct km_command *c = all; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* Everybody who reads it may be called from another folder. */
static int take_state_dir(struct km_cli *cli)
{
    const char *given = km_cli_flag_value(cli, "state-dir");
    char here[PATH_MAX] = "";
    int n;

    if (!given || !*given)
        return 0;
    if (*given != '/' && !getcwd(here, sizeof here))
        return km_cli_usage(cli, "--state-dir: there is no current folder");
    n = snprintf(cli->state_dir, sizeof cli->state_dir, "%s%s%s", here, *here ? "/" : "", given);
    return n < PATH_MAX ? 0 : km_cli_usage(cli, "--state-dir is too long");
}

/* What a command printed may not have arrived: a full disk, a pipe nobody reads. */
static int end(const struct km_cli *cli, int code)
{
    struct km_err err;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    km_fail_errno(&err, errno, "cannot write the output");
    return code ? code : km_cli_fail(cli, &err);
}

static int run(struct km_cli *cli, int argc, char **argv)
{
    const struct km_command *all = cli->commands;
    int words = 0, r;

    if (argc < 2)
        return help_all(all, stderr);
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)(uintptr_t) "version";
    if (asks_for_help(argv[1]))
        return help_on(all, argc, argv);
    cli->command =
        argv[1][0] == '-' ? by_name(all, "serve") : find_command(all, argc, argv, &words);
    if (!cli->command)
        return no_command(all, argc, argv);
    r = read_words(cli, argc, argv, 1 + words);
    if (r == 0 && km_cli_flag(cli, "help"))
        return help_command(cli->command);
    if (r == 0)
        r = km_options_take_variables(cli, cli->command->options);
    if (r == 0)
        r = km_options_take_variables(cli, common);
    if (r == 0)
        r = take_state_dir(cli);
    if (r != 0)
        return r;
    cli->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && !km_cli_flag(cli, "no-color");
    return cli->command->run(cli);
}

int km_cli_main(const struct km_command *commands, int argc, char **argv)
{
    struct km_cli cli = { .commands = commands, .argv0 = argv[0] };

    return end(&cli, run(&cli, argc, argv));
}
