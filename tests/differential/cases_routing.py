# SPDX-License-Identifier: Apache-2.0
"""Who is asked, how often and in which order: with routing.yaml, whose models fail in a known way."""

LONG = "word " * 400


def routing_cases(chat, get):
    def ask(name, model, **more):
        return chat(f"routing-{name}", "routing", model, **more)

    def said(text):
        return [{"role": "user", "content": text}]

    return [
        ask("fallback", "bad"),
        ask("fallback-stream", "bad", stream=True),
        ask("fallback-of-alias", "nickname"),
        ask("hidden-alias", "hidden-name"),
        ask("fallbacks-in-turn", "bad-twice"),
        ask("fallback-after-400", "strict"),
        ask("fallback-after-401", "refused"),
        ask("fallback-after-404", "absent"),
        ask("fallback-after-timeout", "late"),
        ask("no-fallback", "bad-lone"),
        ask("retries-of-429-then-fallback", "full"),
        ask("fallbacks-disabled", "bad", disable_fallbacks=True),
        ask("own-fallbacks", "bad-lone", fallbacks=["good"]),
        ask("own-fallbacks-before-those-of-the-file", "bad", fallbacks=["good"]),
        ask("own-fallbacks-with-members", "bad-lone",
            fallbacks=[{"model": "good", "messages": said("otherwise")}]),
        ask("own-fallbacks-all-bad", "bad-lone", fallbacks=["bad-twice"]),
        ask("own-fallbacks-unknown", "bad-lone", fallbacks=["nothing"]),
        ask("context-fallback", "long"),
        ask("content-fallback", "filtered"),
        ask("own-context-fallback", "long", context_window_fallbacks=[{"long": ["good"]}]),
        ask("own-retries", "flaky/flaky-1-500-x", num_retries=1),
        ask("own-retries-not-enough", "flaky/flaky-3-500-y", num_retries=1),
        ask("own-retries-429", "flaky/flaky-2-429-z"),
        ask("retries-header", "flaky/flaky-1-503-v", headers={"x-litellm-num-retries": "2"}),
        ask("order", "ordered"),
        ask("weight", "heavy"),
        ask("fits", "narrow", max_tokens=5),
        ask("fits-not", "narrow", messages=said(LONG)),
        ask("fits-one", "narrow-or-wide", messages=said(LONG)),
        ask("tag", "tagged", metadata={"tags": ["paid"]}),
        ask("tag-at-top", "tagged", tags=["free"]),
        ask("tag-header", "tagged", headers={"x-litellm-tags": "free"}),
        ask("tags-two", "tagged", metadata={"tags": ["fast", "unknown"]}),
        ask("tag-default", "tagged"),
        ask("tag-unknown", "tagged", metadata={"tags": ["unknown"]}),
        ask("tag-none-fits", "only-paid", metadata={"tags": ["free"]}),
        ask("tag-untagged-group", "good", metadata={"tags": ["free"]}),
        ask("tag-needed", "only-paid"),
        get("routing-model-info", "routing", "/v1/models/hidden-name"),
    ]
