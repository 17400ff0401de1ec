# SPDX-License-Identifier: Apache-2.0
"""/model/new, /model/update, PATCH /model/{id}/update and /model/delete: LiteLLM's routes for models
that are stored beside those of the file."""

import json
import uuid

SECRET = "sk-upstream-very-secret-4711"


def name(stem):
    return f"{stem}-{uuid.uuid4().hex[:12]}"


def done(answer, status=200):
    assert answer.status == status, answer
    return answer.json()


def post(gateway, path, body, status=200, method="POST", **kwargs):
    return done(gateway.call(method, path, body, **kwargs), status)


def refused(gateway, path, body, status=400, method="POST", **kwargs):
    return post(gateway, path, body, status, method, **kwargs)["error"]["message"]


def params(upstream, model="openai/served", **more):
    return {"model": model, "api_base": f"{upstream.url}/v1", "api_key": SECRET, **more}


def store(gateway, upstream, model_name=None, info=None, **more):
    return post(gateway, "/model/new", {"model_name": model_name or name("stored"),
                                        "litellm_params": params(upstream, **more),
                                        "model_info": info or {}})


def listed(gateway, model_name):
    rows = done(gateway.call("GET", "/v1/model/info"))["data"]
    return [row for row in rows if row["model_name"] == model_name]


def names(gateway):
    return [m["id"] for m in done(gateway.call("GET", "/v1/models"))["data"]]


def test_a_stored_model_lives_in_litellms_shapes(gateway, upstream):
    made = store(gateway, upstream, info={"note": "mine", "mode": "chat"})
    model, model_id = made["model_name"], made["model_id"]
    assert made["litellm_params"] == {"model": "openai/served"}
    assert made["model_info"]["id"] == model_id and made["model_info"]["note"] == "mine"
    assert made["created_by"] == made["updated_by"] == "master" and made["blocked"] is False
    assert model in names(gateway)
    assert [row["model_info"]["db_model"] for row in listed(gateway, model)] == [True]
    answer = gateway.chat(model)
    assert answer.status == 200 and answer.header("x-litellm-model-id") == model_id

    changed = post(gateway, "/model/update", {"model_info": {"id": model_id},
                                              "litellm_params": {"model": "openai/other"}})
    assert changed["litellm_params"] == {"model": "openai/other"}
    assert changed["created_at"] == made["created_at"]
    assert gateway.chat(model).status == 200

    renamed = name("renamed")
    post(gateway, f"/model/{model_id}/update", {"model_name": renamed}, method="PATCH")
    assert gateway.chat(renamed).header("x-litellm-model-id") == model_id
    assert "There is no model" in refused(gateway, "/v1/chat/completions",
                                          {"model": model, "messages": []})

    gone = post(gateway, "/model/delete", {"id": model_id})
    assert gone == {"message": f"Model: {model_id} deleted successfully"}
    assert renamed not in names(gateway) and listed(gateway, renamed) == []
