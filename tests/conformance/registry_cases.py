"""What Confluent's registry API promises, as data: each case is steps of (method, path, body, status, what the answer holds).

`{s}` is a subject of the case's own, `{id}` the id that the first registration gave. In an expectation a dict is looked for
key by key, a list item by item, `...` stands for anything, and a plain value must be equal.
"""

from __future__ import annotations

import json
from typing import Any

Step = tuple[str, str, Any, int, Any]

# A header of this name and value goes with each step of a case whose name ends in NEWS: what newer clients send to say that
# they take members which older ones would trip over (RestService of schema-registry 8, SchemaRegistryClient of
# confluent-kafka-python 2.16).
NEWS = "(newer clients)"
NEWS_HEADER = {"Confluent-Accept-Unknown-Properties": "true"}

ONE = json.dumps({"type": "record", "name": "One", "fields": [{"name": "a", "type": "int"}]})
TWO = json.dumps({"type": "record", "name": "One", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}]})
BROKEN = json.dumps({"type": "record", "name": "One", "fields": [{"name": "a", "type": "string"}]})
PROTO = 'syntax = "proto3";\nmessage M {\n  string a = 1;\n}\n'

UNSORTED = '{"type":"record","name":"One","fields":[{"name":"a","type":"int","zz":1,"aa":2}]}'
SORTED = '{"type":"record","name":"One","fields":[{"name":"a","type":"int","aa":2,"zz":1}]}'

VERSIONS = "/subjects/{s}/versions"

RULE = {"name": "check", "kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": "true"}


def properties(**pairs: str) -> dict[str, Any]:
    return {"properties": pairs}


def register(schema: str = ONE, status: int = 200, answer: Any = None, **more: Any) -> Step:
    return ("POST", VERSIONS, {"schema": schema, **more}, status, answer or ({"id": ...} if status == 200 else ...))


def refused(method: str, path: str, status: int, code: int, body: Any = None) -> Step:
    return (method, path, body, status, {"error_code": code, "message": ...})


CASES: dict[str, list[Step]] = {
    "service: root, types, contexts, id and version": [
        ("GET", "/", None, 200, {}),
        ("GET", "/schemas/types", None, 200, ...),
        ("GET", "/contexts", None, 200, ...),
        ("GET", "/v1/metadata/id", None, 200, {"scope": ...}),
        ("GET", "/v1/metadata/version", None, 200, {"version": ...}),
        ("GET", "/v1/metadata/deployment", None, 200, {"attributes": ["opensource"]}),
    ],
    "the root takes a POST, too, and subjects are listed by their beginning": [
        ("POST", "/", {}, 200, {}),
        register(),
        ("GET", "/subjects?subjectPrefix={s}", None, 200, ["{s}"]),
        ("GET", "/subjects?subjectPrefix={s}&deletedOnly=true", None, 200, []),
    ],
    "what is set for everything can be unset": [
        ("PUT", "/config", {"compatibility": "BACKWARD"}, 200, {"compatibility": "BACKWARD"}),
        ("GET", "/config", None, 200, {"compatibilityLevel": "BACKWARD"}),
        ("DELETE", "/config", None, 200, {"compatibilityLevel": "BACKWARD"}),
        ("GET", "/config", None, 200, {"compatibilityLevel": "BACKWARD"}),
        ("PUT", "/mode", {"mode": "READWRITE"}, 200, {"mode": "READWRITE"}),
        ("GET", "/mode", None, 200, {"mode": "READWRITE"}),
        ("DELETE", "/mode", None, 200, {"mode": "READWRITE"}),
        ("GET", "/mode", None, 200, {"mode": "READWRITE"}),
    ],
    "a context may lack its second colon": [
        ("PUT", "/config/:.open-{s}", {"compatibility": "NONE"}, 200, ...),
        ("GET", "/config/:.open-{s}:", None, 200, {"compatibilityLevel": "NONE"}),
        ("GET", "/config/:.open-{s}:x?defaultToGlobal=true", None, 200, {"compatibilityLevel": "NONE"}),
        ("DELETE", "/config/:.open-{s}:", None, 200, ...),
        refused("POST", "/subjects/:.open-{s}/versions", 422, 42208, {"schema": ONE}),
    ],
    "a schema and its guid know each other (newer clients)": [
        register(answer={"guid": ...}),
        ("GET", "/schemas/guids/{guid}/ids", None, 200, [{"context": ".", "id": "{id}"}]),
    ],
    "all versions at once, by the beginning of their subject": [
        register(), register(TWO),
        ("POST", "/subjects/{s}-p/versions", {"schema": PROTO, "schemaType": "PROTOBUF"}, 200, ...),
        ("GET", "/schemas?subjectPrefix={s}&offset=1&limit=1", None, 200, [{"subject": "{s}", "version": 2, "id": ..., "schema": ...}]),
        ("GET", "/schemas?subjectPrefix={s}&latestOnly=true", None, 200,
         [{"subject": "{s}", "version": 2}, {"subject": "{s}-p", "version": 1, "schemaType": "PROTOBUF"}]),
        ("DELETE", "/subjects/{s}-p", None, 200, [1]),
        ("GET", "/schemas?subjectPrefix={s}-p", None, 200, []),
        ("GET", "/schemas?subjectPrefix={s}-p&deleted=true", None, 200, [{"subject": "{s}-p", "version": 1}]),
        ("GET", "/schemas?subjectPrefix={s}&limit=0", None, 200, []),
        ("GET", "/schemas?subjectPrefix=:*:{s}", None, 200, [{"version": 1}, {"version": 2}]),
        refused("GET", "/schemas?limit=x", 400, 400),
    ],
    "a version by the properties in its metadata": [
        register(metadata={"properties": {"owner": "a", "tier": "1"}}),
        register(TWO, metadata={"properties": {"owner": "a", "tier": "2"}}),
        ("GET", "/subjects/{s}/metadata?key=owner&value=a", None, 200, {"subject": "{s}", "version": 2, "id": ..., "metadata": ...}),
        ("GET", "/subjects/{s}/metadata?key=owner&value=a&key=tier&value=1", None, 200, {"version": 1, "id": "{id}"}),
        refused("GET", "/subjects/{s}/metadata?key=owner&value=b", 404, 40403),
        refused("GET", "/subjects/{s}-other/metadata?key=owner&value=a", 404, 40401),
        refused("GET", "/subjects/{s}/metadata?key=owner", 400, 400),
        ("DELETE", VERSIONS + "/2", None, 200, 2),
        ("GET", "/subjects/{s}/metadata?key=owner&value=a", None, 200, {"version": 1}),
        ("GET", "/subjects/{s}/metadata?key=owner&value=a&deleted=true", None, 200, {"version": 2}),
    ],
    "paths and methods that are not there": [
        refused("GET", "/nowhere", 404, 404),
        refused("PATCH", "/subjects", 405, 405),
        refused("GET", "/schemas/ids/x", 404, 404),
    ],
    "registering again changes nothing": [
        register(), register(), ("GET", VERSIONS, None, 200, [1]),
        ("GET", VERSIONS + "/latest", None, 200, {"subject": "{s}", "version": 1, "id": "{id}", "schema": ...}),
        ("GET", VERSIONS + "/-1/schema", None, 200, {"type": "record", "name": "One", "fields": ...}),
    ],
    "white space and the order of keys make no other schema": [
        register(), register(json.dumps(json.loads(ONE), indent=3)), ("GET", VERSIONS, None, 200, [1]),
    ],
    "a schema by id, its subjects and versions": [
        register(),
        ("GET", "/schemas/ids/{id}", None, 200, {"schema": ...}),
        ("GET", "/schemas/ids/{id}?fetchMaxId=true", None, 200, {"maxId": ...}),
        ("GET", "/schemas/ids/{id}/schema", None, 200, {"name": "One", "type": "record", "fields": ...}),
        refused("GET", "/schemas/ids/2147483647", 404, 40403),
    ],
    "what is no schema": [
        register("{", 422, {"error_code": 42201, "message": ...}),
        register('{"type": "record"}', 422, {"error_code": 42201, "message": ...}),
        register('"nope"', 422, {"error_code": 42201, "message": ...}),
        register(ONE, 422, {"error_code": 42201, "message": ...}, schemaType="XML"),
        register("message", 422, {"error_code": 42201, "message": ...}, schemaType="PROTOBUF"),
        ("POST", VERSIONS, {}, 422, {"error_code": 42201, "message": ...}),
        refused("GET", VERSIONS, 404, 40401),
    ],
    "versions that are not there, or no versions": [
        register(),
        refused("GET", VERSIONS + "/2", 404, 40402),
        refused("GET", VERSIONS + "/0", 422, 42202),
        refused("GET", VERSIONS + "/2147483648", 422, 42202),
        refused("GET", VERSIONS + "/one", 422, 42202),
        refused("GET", "/subjects/{s}-other/versions/1", 404, 40401),
    ],
    "looking up never registers": [
        register(),
        ("POST", "/subjects/{s}", {"schema": ONE}, 200, {"subject": "{s}", "version": 1, "id": "{id}", "schema": ...}),
        refused("POST", "/subjects/{s}", 404, 40403, {"schema": TWO}),
        refused("POST", "/subjects/{s}-other", 404, 40401, {"schema": ONE}),
        ("GET", VERSIONS, None, 200, [1]),
    ],
    "an incompatible schema is refused with every reason": [
        register(),
        ("POST", VERSIONS, {"schema": BROKEN}, 409, {"error_code": 409, "message": ...}),
        ("POST", "/compatibility" + VERSIONS + "/latest", {"schema": BROKEN}, 200, {"is_compatible": False}),
        ("POST", "/compatibility" + VERSIONS + "/latest?verbose=true", {"schema": BROKEN}, 200, {"is_compatible": False, "messages": ...}),
        ("POST", "/compatibility" + VERSIONS, {"schema": TWO}, 200, {"is_compatible": True}),
        refused("POST", "/compatibility" + VERSIONS + "/7", 404, 40402, {"schema": TWO}),
        ("POST", "/compatibility/subjects/{s}-other/versions", {"schema": TWO}, 200, {"is_compatible": True}),
    ],
    "levels of a subject": [
        refused("GET", "/config/{s}", 404, 40408),
        ("GET", "/config/{s}?defaultToGlobal=true", None, 200, {"compatibilityLevel": ...}),
        ("PUT", "/config/{s}", {"compatibility": "full_transitive"}, 200, {"compatibility": "FULL_TRANSITIVE"}),
        ("GET", "/config/{s}", None, 200, {"compatibilityLevel": "FULL_TRANSITIVE"}),
        ("PUT", "/config/{s}", {"compatibility": "STRICT"}, 200, {"compatibility": "STRICT"}),
        refused("PUT", "/config/{s}", 422, 42203, {"compatibility": "SOMEHOW"}),
        ("DELETE", "/config/{s}", None, 200, {"compatibilityLevel": "STRICT"}),
        refused("GET", "/config/{s}", 404, 40408),
    ],
    "NONE makes everything compatible": [
        register(), ("PUT", "/config/{s}", {"compatibility": "NONE"}, 200, ...), register(BROKEN), ("GET", VERSIONS, None, 200, [1, 2]),
    ],
    "modes of a subject": [
        refused("GET", "/mode/{s}", 404, 40409),
        refused("PUT", "/mode/{s}", 422, 42204, {"mode": "SLEEPY"}),
        register(),
        ("PUT", "/mode/{s}", {"mode": "READONLY"}, 200, {"mode": "READONLY"}),
        register(TWO, 422, {"error_code": 42205, "message": ...}),
        register(),  # it is there already
        refused("DELETE", "/subjects/{s}", 422, 42205),
        refused("PUT", "/config/{s}", 422, 42205, {"compatibility": "NONE"}),
        ("DELETE", "/mode/{s}", None, 200, {"mode": "READONLY"}),
        register(TWO),
    ],
    "IMPORT keeps ids and versions": [
        ("PUT", "/mode/{s}", {"mode": "IMPORT"}, 200, {"mode": "IMPORT"}),
        register(ONE, 422, {"error_code": 42205, "message": ...}),
        ("PUT", "/mode/{s}", {"mode": "READWRITE"}, 200, ...),
        register(ONE, 422, {"error_code": 42205, "message": ...}, id=99),
    ],
    "soft deletion hides, permanent deletion removes": [
        register(), register(TWO),
        refused("DELETE", "/subjects/{s}?permanent=true", 404, 40405),
        refused("DELETE", VERSIONS + "/1?permanent=true", 404, 40407),
        ("DELETE", VERSIONS + "/1", None, 200, 1),
        refused("DELETE", VERSIONS + "/1", 404, 40406),
        ("GET", VERSIONS, None, 200, [2]),
        ("GET", VERSIONS + "?deleted=true", None, 200, [1, 2]),
        ("GET", VERSIONS + "?deletedOnly=true", None, 200, [1]),
        ("DELETE", "/subjects/{s}", None, 200, [2]),
        refused("DELETE", "/subjects/{s}", 404, 40404),
        ("DELETE", "/subjects/{s}?permanent=true", None, 200, [1, 2]),
        refused("GET", VERSIONS + "?deleted=true", 404, 40401),
        register(), ("GET", VERSIONS, None, 200, [1]),
    ],
    "references hold what they point to": [
        register(PROTO, schemaType="PROTOBUF"),
        ("POST", "/subjects/{s}-user/versions", {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; import "m.proto"; message N { M m = 1; }',
                                                 "references": [{"name": "m.proto", "subject": "{s}", "version": 1}]}, 200, {"id": ...}),
        ("GET", "/subjects/{s}-user/versions/1", None, 200, {"schemaType": "PROTOBUF", "references": [{"name": "m.proto", "subject": "{s}", "version": 1}]}),
        refused("DELETE", VERSIONS + "/1", 422, 42206),
        refused("DELETE", "/subjects/{s}", 422, 42206),
        ("DELETE", "/subjects/{s}-user", None, 200, [1]),
    ],
    "a context is a room of its own": [
        register(),
        ("POST", "/contexts/.room/subjects/{s}/versions", {"schema": TWO}, 200, {"id": ...}),
        ("GET", "/subjects/:.room:{s}/versions/1", None, 200, {"subject": ":.room:{s}", "version": 1}),
        ("GET", VERSIONS, None, 200, [1]),
        refused("GET", "/subjects/:.other:{s}/versions", 404, 40401),
    ],
    "a subject with a slash and other letters": [
        ("POST", "/subjects/{s}%2Fa%C3%A9/versions", {"schema": ONE}, 200, {"id": ...}),
        ("GET", "/subjects/{s}%2Fa%C3%A9/versions/1", None, 200, {"subject": "{s}/aé"}),
    ],
    # docs.confluent.io/cloud/current/ccloud/update-subject-level-config: the keys and what they mean. Which of them are taken
    # from the global config, and when: Config.mergeConfigs() and ConfigValue.update() of schema-registry 8.
    "the keys of a config are kept apart, and shown again": [
        ("PUT", "/config/{s}", {"normalize": True}, 200, {"normalize": True}),
        ("GET", "/config/{s}", None, 200, {"normalize": True, "compatibilityLevel": ...}),
        ("PUT", "/config/{s}", {"compatibility": "FULL", "compatibilityGroup": "major"}, 200,
         {"compatibility": "FULL", "compatibilityGroup": "major", "normalize": True}),
        ("PUT", "/config/{s}", {"defaultMetadata": properties(a="1"), "overrideRuleSet": {"domainRules": [RULE]}}, 200, ...),
        ("GET", "/config/{s}", None, 200, {"compatibilityLevel": "FULL", "compatibilityGroup": "major", "normalize": True,
                                           "defaultMetadata": properties(a="1"), "overrideRuleSet": {"domainRules": [RULE]}}),
        ("PUT", "/config/{s}", {"compatibility": None, "overrideRuleSet": None, "defaultMetadata": None, "compatibilityGroup": None}, 200,
         {"normalize": True}),
        ("DELETE", "/config/{s}", None, 200, {"normalize": True, "compatibilityLevel": ...}),
        refused("GET", "/config/{s}", 404, 40408),
        refused("DELETE", "/config/{s}", 404, 40401),
    ],
    "a config that says nothing, or the wrong thing": [
        refused("PUT", "/config/{s}", 422, 42203, {}),
        refused("PUT", "/config/{s}", 422, 42203, {"normalise": True}),
        refused("PUT", "/config/{s}", 422, 42203, {"normalize": True, "compatibility": "SOMEHOW"}),
        refused("PUT", "/config/{s}", 400, 400, {"normalize": "yes"}),
        refused("PUT", "/config/{s}", 400, 400, {"defaultMetadata": []}),
        refused("PUT", "/config/{s}", 422, 42208, {"alias": "a\nb"}),
        refused("PUT", "/config", 422, 42205, {"alias": "{s}"}),
        refused("PUT", "/config/{s}", 422, 42205, {"validateFields": True}),
        refused("PUT", "/config/{s}", 422, 42205, {"compatibilityPolicy": "LOGICAL"}),
        refused("PUT", "/config/{s}", 422, 42210, {"defaultRuleSet": {"domainRules": [RULE, RULE]}}),
        refused("GET", "/config/{s}", 404, 40408),
        refused("PUT", "/config/" + "s" * 2000, 422, 42208, {"compatibility": "FULL"}),
        refused("PUT", "/mode/" + "s" * 2000, 422, 42208, {"mode": "READONLY"}),
    ],
    # The same page: "clients do not have to pass the normalize query parameter".
    "normalize brings schemas into order without being asked": [
        ("PUT", "/config/{s}", {"normalize": True}, 200, ...),
        register(UNSORTED), register(SORTED), ("GET", VERSIONS, None, 200, [1]),
        ("GET", VERSIONS + "/1", None, 200, {"schema": SORTED}),
        ("POST", "/subjects/{s}", {"schema": UNSORTED}, 200, {"version": 1, "id": "{id}"}),
        ("PUT", "/config/{s}", {"normalize": False}, 200, {"normalize": False}),
        refused("POST", "/subjects/{s}", 404, 40403, {"schema": UNSORTED}),
        ("POST", "/subjects/{s}?normalize=true", {"schema": UNSORTED}, 200, {"version": 1}),
        ("PUT", "/config/:.norm-{s}:", {"normalize": True}, 200, ...),
        ("POST", "/subjects/:.norm-{s}:x/versions", {"schema": UNSORTED}, 200, ...),
        ("GET", "/subjects/:.norm-{s}:x/versions/1", None, 200, {"schema": SORTED}),
        refused("GET", "/config/:.norm-{s}:x", 404, 40408),
        ("GET", "/config/:.norm-{s}:x?defaultToGlobal=true", None, 200, {"normalize": True}),
    ],
    # The same page: "any reference to this subject will be replaced by the alias"; below /subjects only (AliasFilter of
    # schema-registry 8), not in /config and /mode.
    "an alias stands for another subject": [
        ("PUT", "/config/{s}-old", {"alias": "{s}"}, 200, {"alias": "{s}"}),
        ("POST", "/subjects/{s}-old/versions", {"schema": ONE}, 200, {"id": ...}),
        ("GET", VERSIONS, None, 200, [1]),
        ("GET", "/subjects/{s}-old/versions/latest", None, 200, {"subject": "{s}", "version": 1}),
        ("POST", "/subjects/{s}-old", {"schema": ONE}, 200, {"subject": "{s}", "version": 1}),
        ("POST", "/compatibility/subjects/{s}-old/versions/latest", {"schema": BROKEN}, 200, {"is_compatible": False}),
        ("GET", "/config/{s}-old", None, 200, {"alias": "{s}"}),
        refused("GET", "/config/{s}", 404, 40408),
        ("PUT", "/config/{s}-far", {"alias": ":.far-{s}:x"}, 200, ...),
        ("POST", "/subjects/{s}-far/versions", {"schema": TWO}, 200, {"id": 1}),
        ("GET", "/subjects/{s}-far/versions/1", None, 200, {"subject": ":.far-{s}:x"}),
        ("GET", "/schemas/ids/1?subject={s}-far", None, 200, {"schema": ...}),
        ("DELETE", "/subjects/{s}-old", None, 200, [1]),
        refused("GET", VERSIONS, 404, 40401),
        ("PUT", "/config/{s}-old", {"alias": None}, 200, {}),
        refused("GET", "/config/{s}-old", 404, 40408),
    ],
    # docs.confluent.io/platform/current/schema-registry/fundamentals/data-contracts: compatibility groups.
    "only versions of a compatibility group are compared": [
        ("PUT", "/config/{s}", {"compatibilityGroup": "major"}, 200, ...),
        register(metadata=properties(major="1")),
        register(BROKEN, 409, {"error_code": 409, "message": ...}, metadata=properties(major="1")),
        ("POST", "/compatibility" + VERSIONS + "/latest", {"schema": BROKEN, "metadata": properties(major="2")}, 200, {"is_compatible": True}),
        ("POST", "/compatibility" + VERSIONS + "/latest", {"schema": BROKEN}, 200, {"is_compatible": False}),
        register(BROKEN, metadata=properties(major="2")),
        register(TWO, metadata=properties(major="1")),
        ("GET", VERSIONS, None, 200, [1, 2, 3]),
        ("POST", "/compatibility" + VERSIONS + "/latest", {"schema": BROKEN, "metadata": properties(major="2")}, 200, {"is_compatible": True}),
        ("POST", "/compatibility" + VERSIONS, {"schema": BROKEN, "metadata": properties(major="1")}, 200, {"is_compatible": False}),
    ],
    # The same pages: defaults and overrides; what a schema leaves out comes from the version before it (maybeSetMetadataRuleSet()
    # of schema-registry 8), so that a producer's own schema, which has neither, finds the version that has.
    "metadata and rules of the version before, of defaults and of overrides": [
        register(metadata=properties(owner="a"), ruleSet={"domainRules": [RULE]}),
        register(TWO),
        ("GET", VERSIONS + "/2", None, 200, {"metadata": properties(owner="a"), "ruleSet": {"domainRules": [RULE]}}),
        register(), register(TWO), ("GET", VERSIONS, None, 200, [1, 2]),
        ("POST", "/subjects/{s}", {"schema": TWO}, 200, {"version": 2}),
        ("POST", VERSIONS, {"metadata": properties(owner="b")}, 200, {"version": 3, "schema": ..., "metadata": properties(owner="b")}),
        ("PUT", "/config/{s}", {"defaultMetadata": properties(owner="nobody", team="x"), "overrideMetadata": properties(site="s1")}, 200, ...),
        register(TWO, metadata=properties(owner="c")),
        ("GET", VERSIONS + "/latest", None, 200, {"version": 4, "metadata": properties(owner="c", team="x", site="s1")}),
        register(TWO), ("GET", VERSIONS, None, 200, [1, 2, 3, 4]),
        ("POST", "/subjects/{s}", {"schema": TWO, "metadata": properties(owner="c")}, 200, {"version": 4}),
    ],
    "a rule set that no client could execute": [
        register(ONE, 422, {"error_code": 42210, "message": ...}, ruleSet={"domainRules": [{**RULE, "name": "1st"}]}),
        register(ONE, 422, {"error_code": 42210, "message": ...}, ruleSet={"domainRules": [{**RULE, "mode": "UPGRADE"}]}),
        register(ONE, 422, {"error_code": 42210, "message": ...}, ruleSet={"migrationRules": [RULE]}),
        register(ONE, 422, {"error_code": 42210, "message": ...}, ruleSet={"domainRules": [{"name": "check"}]}),
        register(ONE, 422, {"error_code": 42210, "message": ...}, ruleSet={"domainRules": [{**RULE, "onFailure": "DLQ,NONE"}]}),
        register(ruleSet={"migrationRules": [{**RULE, "mode": "UPGRADE"}], "domainRules": [{**RULE, "name": "other"}]}),
    ],
    # Query parameters of schema-registry 8: SchemasResource, SubjectVersionsResource, ContextsResource; what kafbat/kafka-ui,
    # AKHQ (by Confluent's RestService) and Redpanda Console (by franz-go's pkg/sr) ask for is among them.
    "long lists come in parts": [
        register(), register(TWO),
        ("GET", VERSIONS + "?offset=1&limit=5", None, 200, [2]),
        ("POST", "/subjects/:.page-{s}-1:x/versions", {"schema": ONE}, 200, {"id": 1}),
        ("POST", "/subjects/:.page-{s}-1:y/versions", {"schema": ONE}, 200, {"id": 1}),
        ("GET", "/contexts/.page-{s}-1/schemas/ids/1/subjects?offset=1", None, 200, [":.page-{s}-1:y"]),
        ("GET", "/contexts/.page-{s}-1/schemas/ids/1/subjects?limit=1", None, 200, [":.page-{s}-1:x"]),
        ("GET", "/contexts/.page-{s}-1/schemas/ids/1/versions?offset=1&limit=1", None, 200, [{"subject": ":.page-{s}-1:y", "version": 1}]),
        ("GET", "/contexts/.page-{s}-1/schemas/ids/1/versions?limit=0", None, 200, []),
        refused("GET", "/schemas/ids/{id}/versions?limit=all", 400, 400),
        ("POST", "/subjects/:.page-{s}-2:x/versions", {"schema": ONE}, 200, ...),
        ("GET", "/contexts?contextPrefix=.page-{s}", None, 200, [".page-{s}-1", ".page-{s}-2"]),
        ("GET", "/contexts?contextPrefix=.page-{s}&offset=1&limit=1", None, 200, [".page-{s}-2"]),
    ],
    "versions that were deleted can be told apart": [
        register(), register(TWO),
        ("DELETE", VERSIONS + "/1", None, 200, 1),
        ("GET", VERSIONS + "?deletedAsNegative=true", None, 200, [-1, 2]),
        ("GET", VERSIONS + "/LATEST", None, 200, {"version": 2}),
    ],
    "who refers to a version, now or before it was deleted": [
        register(PROTO, schemaType="PROTOBUF"),
        ("POST", "/subjects/:.ref-{s}:n/versions", {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; import "m.proto"; message N { M m = 1; }',
                                                    "references": [{"name": "m.proto", "subject": ":.:{s}", "version": 1}]}, 200, {"id": 1}),
        ("GET", "/subjects/:.ref-{s}:n/versions/1?referenceFormat=qualified", None, 200, {"references": [{"subject": "{s}"}]}),
        ("GET", VERSIONS + "/1/referencedby", None, 200, [1]),
        ("GET", VERSIONS + "/1/referencedby?offset=1", None, 200, []),
        ("DELETE", "/subjects/:.ref-{s}:n", None, 200, [1]),
        ("GET", VERSIONS + "/1/referencedby", None, 200, []),
        ("GET", VERSIONS + "/1/referencedby?deleted=true", None, 200, [1]),
    ],
    # DELETE /contexts/{context} of schema-registry 8 (franz-go calls it); error code 42211.
    "an empty context can be deleted": [
        ("POST", "/subjects/:.end-{s}:x/versions", {"schema": ONE}, 200, {"id": 1}),
        ("PUT", "/config/:.end-{s}:", {"normalize": True}, 200, ...),
        refused("DELETE", "/contexts/.end-{s}", 422, 42211),
        ("DELETE", "/subjects/:.end-{s}:x", None, 200, [1]),
        refused("DELETE", "/contexts/.end-{s}", 422, 42211),
        ("DELETE", "/subjects/:.end-{s}:x?permanent=true", None, 200, [1]),
        ("DELETE", "/contexts/:.end-{s}:", None, 204, None),
        ("GET", "/contexts?contextPrefix=.end-{s}", None, 200, []),
        refused("DELETE", "/contexts/.end-{s}", 404, 40401),
        refused("DELETE", "/contexts/.", 422, 42205),
        ("POST", "/subjects/:.end-{s}:x/versions", {"schema": UNSORTED}, 200, {"id": 1}),
        ("GET", "/subjects/:.end-{s}:x/versions/1", None, 200, {"schema": UNSORTED}),
    ],
    # GET /schemas/guids/… of schema-registry 8; confluent-kafka's HeaderSchemaIdSerializer sends the guid in a header.
    "a schema by its guid " + NEWS: [
        ("POST", VERSIONS, {"schema": ONE}, 200, {"id": ..., "version": 1, "guid": ...}),
        ("GET", VERSIONS + "/1", None, 200, {"guid": "{guid}"}),
        ("GET", "/schemas/ids/{id}", None, 200, {"guid": "{guid}", "schema": ...}),
        ("POST", "/subjects/{s}", {"schema": ONE}, 200, {"guid": "{guid}", "id": "{id}"}),
        ("GET", "/schemas/guids/{guid}", None, 200, {"guid": "{guid}", "schema": ...}),
        ("GET", "/schemas/guids/{guid}?format=serialized", None, 200, {"schema": ...}),
        ("POST", "/subjects/:.guid-{s}:x/versions", {"schema": ONE}, 200, {"id": 1, "guid": "{guid}"}),
        refused("GET", "/schemas/guids/00000000-0000-0000-0000-000000000000", 404, 40403),
        refused("GET", "/schemas/guids/none", 404, 40403),
    ],
    # ModeResource of schema-registry 8.
    "the modes of a context and of all its subjects": [
        ("PUT", "/mode/:.mode-{s}:", {"mode": "READONLY"}, 200, ...),
        ("PUT", "/mode/:.mode-{s}:x", {"mode": "IMPORT"}, 200, ...),
        ("DELETE", "/mode/:.mode-{s}:", None, 200, {"mode": "READONLY"}),
        ("GET", "/mode/:.mode-{s}:x", None, 200, {"mode": "IMPORT"}),
        ("DELETE", "/mode/:.mode-{s}:?recursive=true", None, 200, {}),
        refused("GET", "/mode/:.mode-{s}:x", 404, 40409),
        refused("DELETE", "/mode/:.mode-{s}:x?recursive=true", 404, 40401),
        ("GET", "/mode/:.mode-{s}:x?defaultToGlobal=true", None, 200, {"mode": "READWRITE"}),
    ],
    "schemas with rules of a type": [
        register(), register(TWO, ruleSet={"domainRules": [RULE]}),
        ("GET", "/schemas?subjectPrefix={s}&ruleType=CEL", None, 200, [{"version": 2}]),
        ("GET", "/schemas?subjectPrefix={s}&ruleType=ENCRYPT", None, 200, []),
        ("GET", "/schemas?subjectPrefix={s}&ruleType=", None, 200, [{"version": 1}, {"version": 2}]),
    ],
    # AvroSchema.formattedString() of schema-registry 8: an unknown format is no error.
    "a text that needs no references": [
        register('{"type":"enum","name":"shop.Unit","symbols":["KG"]}'),
        ("POST", "/subjects/{s}-user/versions", {"schema": '{"type":"record","name":"shop.Parcel","fields":[{"name":"unit","type":"Unit"}]}',
                                                 "references": [{"name": "shop.Unit", "subject": "{s}", "version": 1}]}, 200, ...),
        ("GET", "/subjects/{s}-user/versions/1?format=resolved", None, 200, {"schema":
         '{"type":"record","name":"Parcel","namespace":"shop","fields":[{"name":"unit","type":{"type":"enum","name":"Unit","symbols":["KG"]}}]}'}),
        ("GET", "/subjects/{s}-user/versions/1/schema?format=resolved", None, 200, {"name": "Parcel"}),
        ("GET", "/subjects/{s}-user/versions/1?format=later", None, 200, {"schema":
         '{"type":"record","name":"Parcel","namespace":"shop","fields":[{"name":"unit","type":"Unit"}]}'}),
    ],
    # ProtobufSchema.KNOWN_DEPENDENCIES of schema-registry 8: data contracts in Protobuf are written with the first of them.
    "files that everybody may import": [
        register('syntax = "proto3"; import "confluent/meta.proto"; import "confluent/type/decimal.proto"; import "google/type/money.proto"; '
                 'message A { string card = 1 [(confluent.field_meta) = {tags: ["PII"]}]; confluent.type.Decimal d = 2; google.type.Money m = 3; }',
                 schemaType="PROTOBUF"),
        ("GET", "/schemas/ids/{id}?format=serialized", None, 200, {"schemaType": "PROTOBUF"}),
    ],
    "absent and null are the same in rules and metadata": [
        register(ruleSet={"domainRules": [{**RULE, "doc": None}], "migrationRules": None}, metadata={"properties": {"a": "1"}, "tags": None}),
        register(ruleSet={"domainRules": [RULE]}, metadata=properties(a="1")),
        ("GET", VERSIONS, None, 200, [1]),
    ],
    "bodies that are no JSON object": [
        ("POST", VERSIONS, b"{", 400, {"error_code": 400, "message": ...}),
        ("POST", VERSIONS, b"[]", 400, {"error_code": 400, "message": ...}),
        ("POST", VERSIONS, b"", 400, {"error_code": 400, "message": ...}),
    ],
}
