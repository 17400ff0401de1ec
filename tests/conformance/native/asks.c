/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - what asks its client: its user, its model, its editor; see fixture.h. */
#include <stdio.h>

#include "fixture.h"

#define STRING "{\"type\":\"string\"}"
#define FORM(message, properties, required)                                                        \
    TEXT("{\"message\":\"" message                                                                 \
         "\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{" properties                 \
         "},\"required\":[" required "]}}")
#define ELICIT TEXT("elicitation/create")
#define SAMPLE TEXT("sampling/createMessage")
#define PROMPT(text, tokens)                                                                       \
    TEXT("{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"" text       \
         "\"}}],\"maxTokens\":" #tokens "}")

#define NAME                                                                                       \
    {                                                                                              \
        TEXT("user_name"), ELICIT, FORM("What is your name?", "\"name\":" STRING, "\"name\"")      \
    }
#define GREETING                                                                                   \
    {                                                                                              \
        TEXT("greeting"), SAMPLE, PROMPT("Generate a greeting", 50)                                \
    }
#define ROOTS                                                                                      \
    {                                                                                              \
        TEXT("client_roots"), TEXT("roots/list"), TEXT("{}")                                       \
    }

/* --- what was answered --- */

static struct km_str member(const struct km_mcp_call *call, const char *key, const char *name)
{
    const struct km_json *answer = km_mcp_call_answer(call, km_str_c(key));
    struct km_str s = KM_STR("undefined");

    (void)km_json_string(km_json_get(km_json_get(answer, "content"), name), &s);
    return s;
}

/* A model's answer is one block or a list of them. */
static struct km_str sampled(const struct km_mcp_call *call, const char *key)
{
    const struct km_json *content = km_json_get(km_mcp_call_answer(call, km_str_c(key)), "content");
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s = KM_STR_NONE;

    if (km_json_string(km_json_get(content, "text"), &s))
        return s;
    for (km_json_iter(content, &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(km_json_get(item, "text"), &s))
            return s;
    return s;
}

static int say_f(struct km_mcp_call *call, struct km_str text)
{
    km_mcp_call_text(call, text, false);
    return 0;
}

static int say_sampled(struct km_mcp_call *call, const char *key)
{
    return say_f(
        call, km_arena_printf(call->arena, "LLM response: %.*s", KM_STR_ARG(sampled(call, key))));
}

static int say_elicited(struct km_mcp_call *call, const char *begin)
{
    const struct km_json *answer = km_mcp_call_answer(call, KM_STR("answer"));
    const struct km_json *content = km_json_get(answer, "content");
    struct km_str action = KM_STR_NONE;
    struct km_str json = content ? km_json_compact(content, call->arena) : KM_STR("{}");

    (void)km_json_string(km_json_get(answer, "action"), &action);
    return say_f(call, km_arena_printf(call->arena, "%s: action=%.*s, content=%.*s", begin,
                                       KM_STR_ARG(action), KM_STR_ARG(json)));
}

static int say_hello(struct km_mcp_call *call)
{
    return say_f(call, km_arena_printf(call->arena, "Hello, %.*s!",
                                       KM_STR_ARG(member(call, "user_name", "name"))));
}

/* --- questions made of arguments --- */

/* {"message":...,"rest"} with a text of the caller's. */
static struct km_str with_text(struct km_mcp_call *call, const char *begin, const char *argument,
                               const char *end)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_str text = KM_STR_NONE;

    (void)km_json_string(km_json_get(call->args, argument), &text);
    km_buf_str(&b, km_str_c(begin));
    km_buf_json(&b, text);
    km_buf_str(&b, km_str_c(end));
    return km_arena_str(call->arena, km_buf_view(&b));
}

static int sampling(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_mcp_call_question q = {
        TEXT("answer"), SAMPLE,
        with_text(call,
                  "{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":",
                  "prompt", "}}],\"maxTokens\":100}")
    };

    (void)err;
    return km_mcp_call_ask(call, &q, 1) ? 0 : say_sampled(call, "answer");
}

static int elicitation(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_mcp_call_question q = {
        TEXT("answer"), ELICIT,
        with_text(call, "{\"message\":", "message",
                  ",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"username\":" STRING
                  ",\"email\":" STRING "},\"required\":[\"username\",\"email\"]}}")
    };

    (void)err;
    return km_mcp_call_ask(call, &q, 1) ? 0 : say_elicited(call, "User response");
}

/* --- questions that are always the same --- */

#define ASKS(name, questions, n, answer)                                                           \
    static int name(struct km_mcp_call *call, struct km_err *err)                                  \
    {                                                                                              \
        static const struct km_mcp_call_question list[] = questions;                               \
                                                                                                   \
        (void)err;                                                                                 \
        return km_mcp_call_ask(call, list, n) ? 0 : (answer);                                      \
    }
#define LIST(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static int say_roots(struct km_mcp_call *call)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, uri;

    km_buf_str(&b, KM_STR("Roots:"));
    km_json_iter(km_json_get(km_mcp_call_answer(call, KM_STR("client_roots")), "roots"), &it);
    while (km_json_next(&it, &unused, &item))
        if (km_json_string(km_json_get(item, "uri"), &uri)) {
            km_buf_byte(&b, ' ');
            km_buf_str(&b, uri);
        }
    return say_f(call, km_buf_view(&b));
}

#define DEFAULTS                                                                                   \
    "\"name\":{\"type\":\"string\",\"description\":\"Name\",\"default\":\"John Doe\"},\"age\":"    \
    "{\"type\":\"integer\",\"description\":\"Age\",\"default\":30},\"score\":{\"type\":"           \
    "\"number\",\"description\":\"Score\",\"default\":95.5},\"status\":{\"type\":\"string\","      \
    "\"description\":\"Status\",\"enum\":[\"active\",\"inactive\",\"pending\"],\"default\":"       \
    "\"active\"},\"verified\":{\"type\":\"boolean\",\"description\":\"Verified\",\"default\":"     \
    "true}"
#define OPTIONS "[\"option1\",\"option2\",\"option3\"]"
#define TITLED(noun)                                                                               \
    "[{\"const\":\"value1\",\"title\":\"First " noun "\"},{\"const\":\"value2\",\"title\":"        \
    "\"Second " noun "\"},{\"const\":\"value3\",\"title\":\"Third " noun "\"}]"
#define CHOICES                                                                                    \
    "\"untitledSingle\":{\"type\":\"string\",\"enum\":" OPTIONS "},\"titledSingle\":{\"type\":"    \
    "\"string\",\"oneOf\":" TITLED(                                                                \
        "Option") "},\"legacyEnum\":{\"type\":\"string\",\"enum\":"                                \
                  "[\"opt1\",\"opt2\",\"opt3\"],\"enumNames\":[\"Option One\",\"Option "           \
                  "Two\",\"Option Three\"]}"                                                       \
                  ",\"untitledMulti\":{\"type\":\"array\",\"items\":{\"type\":\"string\","         \
                  "\"enum\":" OPTIONS                                                              \
                  "}},\"titledMulti\":{\"type\":\"array\",\"items\":{\"anyOf\":" TITLED(           \
                      "Choice") "}}"

ASKS(defaults, LIST({ TEXT("answer"), ELICIT, FORM("Please review the form", DEFAULTS, "") }), 1,
     say_elicited(call, "Elicitation completed"))
ASKS(choices, LIST({ TEXT("answer"), ELICIT, FORM("Please choose", CHOICES, "") }), 1,
     say_elicited(call, "Elicitation completed"))
ASKS(needs_model, LIST({ TEXT("answer"), SAMPLE, PROMPT("Say pong.", 16) }), 1,
     say_sampled(call, "answer"))
ASKS(asks_name, LIST(NAME), 1, say_hello(call))
ASKS(asks_model,
     LIST({ TEXT("sample_request"), SAMPLE, PROMPT("What is the capital of France?", 100) }), 1,
     say_sampled(call, "sample_request"))
ASKS(asks_roots, LIST(ROOTS), 1, say_roots(call))
ASKS(confirms,
     LIST({ TEXT("confirm"), ELICIT,
            FORM("Please confirm", "\"ok\":{\"type\":\"boolean\"}", "\"ok\"") }),
     1, fixture_say(call, "state-ok"))
ASKS(asks_three, LIST(NAME, GREETING, ROOTS), 3, say_hello(call))

static int two_rounds(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_mcp_call_question rounds[] = {
        { TEXT("step1"), ELICIT,
          FORM("Step 1: What is your name?", "\"name\":" STRING, "\"name\"") },
        { TEXT("step2"), ELICIT,
          FORM("Step 2: What is your favorite color?", "\"color\":" STRING, "\"color\"") },
    };

    (void)err;
    for (size_t i = 0; i < 2; i++)
        if (km_mcp_call_ask(call, &rounds[i], 1))
            return 0;
    return say_f(call, km_arena_printf(call->arena, "%.*s likes %.*s.",
                                       KM_STR_ARG(member(call, "step1", "name")),
                                       KM_STR_ARG(member(call, "step2", "color"))));
}

/* What the caller can answer, and nothing else. */
static int what_it_can(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_mcp_call_question all[] = { NAME, GREETING, ROOTS };
    static const char *const needs[] = { "elicitation", "sampling", "roots" };
    struct km_mcp_call_question list[3];
    char text[128] = "Answered:";
    size_t n = 0;

    (void)err;
    for (size_t i = 0; i < 3; i++)
        if (km_mcp_call_can(call, needs[i]))
            list[n++] = all[i];
    if (n && km_mcp_call_ask(call, list, n))
        return 0;
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", list[i].key.p);
    return fixture_say(call, text);
}

int fixture_input_prompt(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_mcp_call_question q = { TEXT("user_context"), ELICIT,
                                                   FORM("What is the context?",
                                                        "\"context\":" STRING, "\"context\"") };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    (void)err;
    if (km_mcp_call_ask(call, &q, 1))
        return 0;
    km_buf_str(&b, KM_STR("\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\","
                          "\"text\":"));
    km_buf_json(&b, km_arena_printf(call->arena, "Context: %.*s",
                                    KM_STR_ARG(member(call, "user_context", "context"))));
    km_buf_str(&b, KM_STR("}}]"));
    km_mcp_call_members(call, km_buf_view(&b));
    return 0;
}

#define ROW(tool, says, fn)                                                                        \
    {                                                                                              \
        .name = TEXT(tool), .description = TEXT(says), .input = NO_ARGUMENTS, .run = (fn)          \
    }
#define INPUT "test_input_required_result_"
#define ONE_STRING(name)                                                                           \
    TEXT("{\"type\":\"object\",\"properties\":{\"" name "\":" STRING "},\"required\":[\"" name     \
         "\"]}")

const struct km_mcp_tool fixture_asking_tools[] = {
    { .name = TEXT("test_sampling"),
      .description = TEXT("Asks the caller's model"),
      .input = ONE_STRING("prompt"),
      .run = sampling },
    { .name = TEXT("test_elicitation"),
      .description = TEXT("Asks the user"),
      .input = ONE_STRING("message"),
      .run = elicitation },
    ROW("test_elicitation_sep1034_defaults", "A form with defaults", defaults),
    ROW("test_elicitation_sep1330_enums", "A form with choices", choices),
    ROW("test_missing_capability", "Needs the caller's model", needs_model),
    ROW(INPUT "elicitation", "Asks for a name", asks_name),
    ROW(INPUT "sampling", "Asks the caller's model for a capital", asks_model),
    ROW(INPUT "list_roots", "Asks for the editor's folders", asks_roots),
    ROW(INPUT "request_state", "Keeps its state with the caller", confirms),
    ROW(INPUT "tampered_state", "Trusts no state it did not write", confirms),
    ROW(INPUT "multiple_inputs", "Asks three things at once", asks_three),
    ROW(INPUT "multi_round", "Asks one thing after the other", two_rounds),
    ROW(INPUT "capabilities", "Asks what the caller can answer", what_it_can),
};
const size_t fixture_nasking_tools = sizeof fixture_asking_tools / sizeof fixture_asking_tools[0];
