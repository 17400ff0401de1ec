# SPDX-License-Identifier: Apache-2.0
"""/model/new, /model/update, PATCH /model/{id}/update and /model/delete: LiteLLM's routes for models
that are stored beside those of the file."""

import concurrent.futures
import json
import uuid

from gateway import wait_until

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


# -- what is refused, and changes nothing ------------------------------------------------------


BAD = [
    ({"litellm_params": {"model": "openai/x"}}, "model_name"),
    ({"model_name": "", "litellm_params": {"model": "openai/x"}}, "model_name"),
    ({"model_name": 7, "litellm_params": {"model": "openai/x"}}, "model_name"),
    ({"model_name": "n" * 257, "litellm_params": {"model": "openai/x"}}, "model_name"),
    ({"model_name": "n"}, "litellm_params"),
    ({"model_name": "n", "litellm_params": ["model"]}, "litellm_params"),
    ({"model_name": "n", "litellm_params": {}}, "litellm_params.model"),
    ({"model_name": "n", "litellm_params": {"model": 5}}, "litellm_params.model"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "model_info": []}, "model_info"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "model_info": {"id": 7}},
     "model_info.id"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "model_info": {"id": "a b"}},
     "model_info.id"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "model_info": {"id": "i" * 129}},
     "model_info.id"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "blocked": True}, "blocked"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"}, "model_info": {"team_id": "t"}},
     "model_info.team_id"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"},
      "model_info": {"access_windows": []}}, "model_info.access_windows"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "timeout": "soon"}},
     "litellm_params.timeout"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "rpm": {"a": 1}}},
     "litellm_params.rpm"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "num_retries": 99}},
     "litellm_params.num_retries"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "input_cost_per_token": "cheap"}},
     "litellm_params.input_cost_per_token"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "tag_regex": ["^a"]}},
     "litellm_params.tag_regex"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x", "extra_headers": 3}},
     "litellm_params.extra_headers"),
    ({"model_name": "n", "litellm_params": {"model": "openai/x"},
      "model_info": {"max_tokens": "many"}}, "model_info.max_tokens"),
]


def test_what_is_wrong_is_named_and_changes_nothing(gateway):
    def state():
        rows = done(gateway.call("GET", "/v1/model/info"))["data"]
        last = done(gateway.call("GET", "/kanmon/audit?limit=1"))["records"]
        return rows, last
    before = state()
    for body, member in BAD:
        answer = gateway.call("POST", "/model/new", body)
        error = done(answer, 400)["error"]
        assert member in error["message"], (body, error)
        assert "model_list[" not in error["message"], error
    for text, said in ((b"", "object"), (b"[]", "object"), (b"{", "JSON"),
                       (b'{"model_name": "a", "model_name": "b"}', "model_name")):
        answer = gateway.call("POST", "/model/new", text)
        assert answer.status == 400 and said in answer.json()["error"]["message"], answer
    assert state() == before


def test_ids_that_are_not_there_are_answered_as_litellm_does(gateway):
    for path, method, status, body in (
            ("/model/update", "POST", 400, {"model_info": {"id": "nobody"}}),
            ("/model/update", "POST", 400, {"id": "nobody", "litellm_params": {"model": "a/b"}}),
            ("/model/delete", "POST", 400, {"id": "nobody"}),
            ("/model/nobody/update", "PATCH", 404, {"model_name": "x"})):
        said = refused(gateway, path, body, status, method)
        assert "nobody" in said and "not found" in said, said
    for path in ("/model/update", "/model/delete"):
        assert "id" in refused(gateway, path, {"litellm_params": {"model": "a/b"}})
    assert "keeps its id" in refused(gateway, "/model/nobody/update",
                                     {"model_info": {"id": "other"}}, method="PATCH")


def test_models_of_the_file_are_the_files(gateway):
    line = next(i for i, text in enumerate(gateway.config.read_text().splitlines(), 1)
                if "model_name: chat" in text)
    place = f"config.yaml:{line}"
    for path, method, body in (
            ("/model/new", "POST", {"model_name": "mine", "litellm_params": {"model": "openai/x"},
                                    "model_info": {"id": "chat-1"}}),
            ("/model/update", "POST", {"model_info": {"id": "chat-1"}}),
            ("/model/chat-1/update", "PATCH", {"model_name": "mine"}),
            ("/model/delete", "POST", {"id": "chat-1"})):
        said = refused(gateway, path, body, 400, method)
        assert "chat-1" in said and place in said, said
    assert gateway.chat("chat").status == 200


def test_a_model_is_stored_once(gateway, upstream):
    made = store(gateway, upstream, info={"id": name("fixed")})
    again = {"model_name": "x", "litellm_params": {"model": "openai/x"},
             "model_info": {"id": made["model_id"]}}
    assert "already exists" in refused(gateway, "/model/new", again)
    assert gateway.chat(made["model_name"]).status == 200


def test_unknown_members_are_a_warning(gateway, upstream):
    made = store(gateway, upstream, info={"cost_centre": "a7"})
    post(gateway, "/model/update", {"id": made["model_id"], "colour": "red"})
    wait_until(lambda: "unknown key 'colour'" in gateway.log.read_text())
    assert made["model_info"]["cost_centre"] == "a7"
    assert gateway.chat(made["model_name"]).status == 200


def test_what_is_too_long_is_refused(gateway):
    long = {"model_name": "n", "litellm_params": {"model": "openai/x", "mock_response": "m" * 70000}}
    answer = gateway.call("POST", "/model/new", long)
    assert answer.status in (400, 413) and "bytes" in answer.json()["error"]["message"], answer


# -- who may, and what is told --------------------------------------------------------------


def user_key(gateway, role):
    return post(gateway, "/user/new", {"user_id": name("u"), "user_role": role})["key"]


def test_only_a_proxy_admin_may(gateway, upstream):
    team = post(gateway, "/team/new", {"team_alias": name("t")})["team_id"]
    user = post(gateway, "/user/new", {"user_id": name("u"), "user_role": "internal_user"})
    post(gateway, "/team/member_add", {"team_id": team, "member": {"role": "admin",
                                                                   "user_id": user["user_id"]}})
    made = store(gateway, upstream)
    bodies = (("/model/new", "POST", {"model_name": "x", "litellm_params": {"model": "openai/x"}}),
              ("/model/update", "POST", {"model_info": {"id": made["model_id"]}}),
              (f"/model/{made['model_id']}/update", "PATCH", {"model_name": "x"}),
              ("/model/delete", "POST", {"id": made["model_id"]}))
    for key in (gateway.new_key(), gateway.new_key(team_id=team), user["key"],
                user_key(gateway, "proxy_admin_viewer")):
        for path, method, body in bodies:
            assert gateway.call(method, path, body, key=key).status == 403
    for path, method, body in bodies:
        assert gateway.call(method, path, body, key=None).status == 401
    admin = user_key(gateway, "proxy_admin")
    changed = post(gateway, *("/model/update", {"id": made["model_id"]}), key=admin)
    assert changed["created_by"] == "master" and changed["updated_by"].startswith("key:")
    assert gateway.chat(made["model_name"]).status == 200


def test_credentials_are_never_shown_again(new_gateway, upstream):
    gateway = new_gateway()
    made = store(gateway, upstream, extra_headers={"x-far": "also-" + SECRET}, rpm=7)
    model_id = made["model_id"]
    said = [json.dumps(made)]
    said.append(json.dumps(post(gateway, "/model/update", {
        "id": model_id, "litellm_params": {"aws_secret_access_key": "aws-" + SECRET}})))
    # Refusals, of the frame and of the settings.
    said.append(refused(gateway, "/model/update", {"id": model_id, "litellm_params": {
        "api_key": SECRET, "rpm": "secret-" + SECRET}}))
    said.append(refused(gateway, "/model/update", {"id": model_id, "litellm_params": {
        "api_key": {"a": SECRET}}}))
    for path in ("/model/info", "/v1/model/info", "/v2/model/info", "/model_group/info",
                 "/kanmon/config", "/kanmon/audit?limit=50", "/kanmon/status"):
        said.append(gateway.call("GET", path).body.decode())
    for words in (("config", "show"), ("config", "show", "--json"), ("config", "check"),
                  ("doctor",), ("audit",), ("status",)):
        ended = gateway.command(*words, "--config", gateway.config)
        said.append(ended.stdout + ended.stderr)
    assert gateway.chat(made["model_name"]).status == 200
    assert upstream.seen()[-1].header("authorization") == f"Bearer {SECRET}"
    post(gateway, "/model/delete", {"id": model_id})
    said.append(gateway.log.read_text())
    for text in said:
        assert SECRET not in text, text[max(0, text.find(SECRET) - 200):][:500]
    for file in (gateway.folder / "state").iterdir():
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file
    assert f"{upstream.url}/v1" not in said[0] + said[1]


def test_what_the_machine_knows_goes_to_no_stored_address(new_gateway, upstream):
    gateway = new_gateway(env={"OPENAI_API_KEY": "sk-of-the-machine", "AZURE_AD_TOKEN": "machines",
                               "AZURE_API_KEY": "machines-too", "AWS_ACCESS_KEY_ID": "AKIAMACHINE",
                               "AWS_SECRET_ACCESS_KEY": "machines-secret", "AWS_REGION": "us-east-1"})
    base = {"api_base": f"{upstream.url}/v1"}

    def new(status=200, **more):
        return post(gateway, "/model/new", {"model_name": "n", "litellm_params": {
            "model": "openai/served", **base, **more}}, status)
    for more in ({"api_key": "os.environ/OPENAI_API_KEY"},
                 {"extra_headers": {"x": "os.environ/OPENAI_API_KEY"}},
                 {"extra_body": {"deep": [{"x": "\u006fs.environ/OPENAI_API_KEY"}]}},
                 {"api_key": "enc:abcdef"},
                 {"litellm_credential_name": "theirs"}, {"aws_profile_name": "default"},
                 {"aws_web_identity_token": "/var/run/token"},
                 {"vertex_credentials": "/etc/passwd"}):
        said = new(403, **more)["error"]["message"]
        assert "configuration file" in said and "control socket" in said, said
    # A key of the environment is the provider's; elsewhere it does not go.
    made = new()
    assert gateway.chat("n").status == 200
    assert upstream.seen()[-1].header("authorization") is None
    post(gateway, "/model/delete", {"id": made["model_id"]})
    for more in ({"model": "azure/served"}, {"model": "bedrock/anthropic.claude-3-haiku-20240307-v1:0"},
                 {"model": "vertex_ai/gemini-2.0-flash", "vertex_project": "p"}):
        seen = len(upstream.seen())
        made = new(**more)
        answer = gateway.chat("n")
        assert answer.status >= 400 and len(upstream.seen()) == seen, answer
        post(gateway, "/model/delete", {"id": made["model_id"]})
    # Nor to a region that is an address.
    del base["api_base"]
    new(model="bedrock/anthropic.claude-3-haiku-20240307-v1:0",
        aws_region_name=f"x@127.0.0.1:{upstream.url.rpartition(':')[2]}/")
    answer = gateway.chat("n")
    assert answer.status >= 400 and "region" in answer.json()["error"]["message"], answer


def test_a_stored_address_is_never_the_machines_metadata(gateway):
    body = {"model_name": name("meta"), "litellm_params": {"model": "openai/x", "api_key": "k"}}
    for member, address in (("api_base", "http://169.254.169.254/v1"),
                            ("base_url", "http://[fd00:ec2::254]/"),
                            ("aws_sts_endpoint", "https://169.254.170.2/")):
        asked = {**body, "litellm_params": {**body["litellm_params"], member: address}}
        said = refused(gateway, "/model/new", asked, 403)
        assert member in said and "only the configuration file" in said


def test_storing_can_be_switched_off(new_gateway, upstream):
    gateway = new_gateway()
    made = store(gateway, upstream)
    gateway.reload(gateway.config.read_text().replace(
        "general_settings:", "general_settings:\n  store_model_in_db: false"))
    wait_until(lambda: "config.reloaded" in gateway.log.read_text().rpartition(made["model_id"])[0]
               or gateway.call("POST", "/model/delete", {"id": "x"}).status == 403)
    said = refused(gateway, "/model/delete", {"id": made["model_id"]}, 403)
    assert "store_model_in_db" in said
    assert gateway.chat(made["model_name"]).status == 200


# -- when it counts, and for how long ---------------------------------------------------------


def test_a_change_counts_from_its_answer_on_at_every_worker(new_gateway, upstream):
    gateway = new_gateway()
    for _ in range(10):
        made = store(gateway, upstream)
        for _ in range(8): # each on a connection of its own
            assert gateway.chat(made["model_name"]).status == 200
        post(gateway, "/model/delete", {"id": made["model_id"]})
        for _ in range(8):
            assert gateway.chat(made["model_name"]).status == 400


def test_it_survives_a_restart_in_its_order(new_gateway, upstream):
    gateway = new_gateway()
    made = [store(gateway, upstream) for _ in range(3)]
    post(gateway, "/model/update", {"id": made[0]["model_id"], "litellm_params": {"rpm": 9}})
    post(gateway, "/model/delete", {"id": made[1]["model_id"]})
    wanted = [made[0]["model_name"], made[2]["model_name"]]
    assert names(gateway)[-2:] != []
    before = done(gateway.call("GET", "/v1/model/info"))
    gateway.stop()
    gateway.start()
    assert done(gateway.call("GET", "/v1/model/info")) == before
    assert [n for n in names(gateway) if n.startswith("stored-")] == wanted
    assert gateway.chat(wanted[0]).header("x-litellm-model-id") == made[0]["model_id"]
    gateway.kill()
    gateway.start()
    assert gateway.chat(wanted[1]).status == 200


def test_changes_at_once_lose_nothing(gateway, upstream):
    made = store(gateway, upstream)
    fields = [f"note_{i}" for i in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(gateway.chat, "chat") for _ in range(40)]
        news = [pool.submit(store, gateway, upstream) for _ in range(8)]
        changes = [pool.submit(post, gateway, "/model/update",
                               {"id": made["model_id"], "model_info": {field: field}})
                   for field in fields]
        assert {c.result().status for c in calls} == {200}
        stored = [n.result()["model_name"] for n in news]
        for change in changes:
            change.result()
    last = post(gateway, "/model/update", {"id": made["model_id"]})
    assert {f: last["model_info"].get(f) for f in fields} == {f: f for f in fields}
    assert set(stored) <= set(names(gateway))


def test_one_id_stored_by_many_at_once_is_stored_by_one(gateway, upstream):
    model_id = name("raced")

    def new(i):
        return gateway.call("POST", "/model/new", {
            "model_name": f"{model_id}-{i}", "litellm_params": params(upstream),
            "model_info": {"id": model_id}}).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(new, range(8))) == [200] + [400] * 7


def test_the_audit_log_has_names_and_no_values(gateway, upstream):
    made = store(gateway, upstream)
    model_id = made["model_id"]
    post(gateway, f"/model/{model_id}/update", {"litellm_params": {"api_key": SECRET}}, method="PATCH")
    post(gateway, "/model/delete", {"id": model_id})
    records = done(gateway.call("GET", "/kanmon/audit?limit=3"))["records"]
    assert [(r["action"], r["target"]) for r in records] == [
        ("model.delete", model_id), ("model.update", model_id), ("model.create", model_id)]
    assert "api_key" in json.dumps(records[1]) and SECRET not in json.dumps(records)
    assert done(gateway.call("GET", "/kanmon/audit/verify"))["ok"] is True


def test_null_leaves_a_member_but_takes_a_price_away(gateway, upstream):
    made = store(gateway, upstream, rpm=5, input_cost_per_token=1e-06, output_cost_per_token=2e-06,
                 temperature=1e-1)
    assert made["litellm_params"]["input_cost_per_token"] == 1e-06
    row, = listed(gateway, made["model_name"])
    assert row["model_info"]["input_cost_per_token"] == 1e-06
    gateway.chat(made["model_name"])
    assert upstream.seen()[-1].json()["temperature"] == 0.1
    changed = post(gateway, "/model/update", {"id": made["model_id"], "litellm_params": {
        "rpm": None, "api_key": None, "input_cost_per_token": None}})
    assert changed["litellm_params"] == {"model": "openai/served", "rpm": 5, "temperature": 0.1,
                                         "output_cost_per_token": 2e-06}
    gateway.chat(made["model_name"])
    assert upstream.seen()[-1].header("authorization") == f"Bearer {SECRET}"


# -- beside the file ---------------------------------------------------------------------------


def test_an_id_that_the_file_takes_later_is_the_files(new_gateway, upstream):
    gateway = new_gateway()
    made = store(gateway, upstream)
    text = gateway.config.read_text()
    gateway.reload(text.replace("id: chat-1", f"id: {made['model_id']}"))
    wait_until(lambda: made["model_name"] not in names(gateway))
    assert "is left out" in gateway.log.read_text()
    assert gateway.chat("chat").header("x-litellm-model-id") == made["model_id"]
    gateway.reload(text)
    wait_until(lambda: made["model_name"] in names(gateway))
    assert gateway.chat(made["model_name"]).status == 200


def test_one_that_does_not_go_with_the_file_is_left_out_alone(new_gateway, upstream):
    gateway = new_gateway(more="  accept_unsupported: [model_list.litellm_params.tag_regex]")
    first = store(gateway, upstream)
    odd = store(gateway, upstream, tag_regex=["^x"])
    last = store(gateway, upstream)
    gateway.stop()
    gateway.config.write_text(gateway.config.read_text().replace("accept_unsupported", "#"))
    gateway.start()
    have = names(gateway)
    assert first["model_name"] in have and last["model_name"] in have
    assert odd["model_name"] not in have
    assert f"'{odd['model_id']}' is left out" in gateway.log.read_text()
    store(gateway, upstream)  # and it is in nobody's way
    assert odd["model_name"] not in names(gateway)
    post(gateway, "/model/delete", {"id": odd["model_id"]})
    gateway.stop()
    gateway.log.write_text("")
    gateway.start()
    assert "is left out" not in gateway.log.read_text()


def test_a_file_that_does_not_load_stores_nothing(new_gateway, upstream):
    gateway = new_gateway()
    whole = gateway.config.read_text()
    gateway.config.write_text(whole + "\nmodel_list: oops\n")
    said = refused(gateway, "/model/new", {"model_name": "n", "litellm_params": params(upstream)})
    assert "config.yaml" in said or "model_list" in said
    gateway.config.write_text(whole)
    assert done(gateway.call("GET", "/kanmon/audit?limit=50"))["records"] == []
    assert "n" not in names(gateway)
    store(gateway, upstream)
