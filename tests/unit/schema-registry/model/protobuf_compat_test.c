/* protobuf_compat_test.c - the table of Protobuf's rules, row by row: old -> new under BACKWARD and under FORWARD. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

#define FILE3(body) "syntax = \"proto3\"; package p; import \"google/protobuf/timestamp.proto\"; " body
#define FILE2(body) "syntax = \"proto2\"; package p; " body
#define M(fields)                                                                                                      \
	FILE3("message M { string id = 1; " fields " } message Card { string pan = 1; } message Iban {} "              \
	      "enum E { A = 0; B = 1; } enum F { C = 0; }")
#define M2(fields) FILE2("message M { optional string id = 1; " fields " }")

struct row {
	const char *change;
	const char *old;
	const char *new_text;
	bool backward;
	bool forward;
	const char *finding; /* that a refusal must have; NULL: not looked at */
};

static const struct row rows[] = {
	{"field added", M(""), M("int32 v = 2;"), true, true, NULL},
	{"field removed", M("int32 v = 2;"), M(""), true, true, NULL},
	{"field renamed", M("int32 v = 2;"), M("int32 w = 2;"), true, true, NULL},
	{"field number changed", M("int32 v = 2;"), M("int32 v = 3;"), true, true, NULL},
	{"other order", M("int32 v = 2; int32 w = 3;"), M("int32 w = 3; int32 v = 2;"), true, true, NULL},
	{"number reused for another kind", M("string v = 2;"), M("int64 w = 2;"), false, false,
	 "FIELD_SCALAR_KIND_CHANGED"},
	{"removed and reserved", M("int32 v = 2;"), M("reserved 2;"), true, true, NULL},
	{"reserved number used", M("reserved 2;"), M("int32 v = 2;"), true, true, NULL},
	{"comment added", M("int32 v = 2;"), M("int32 v = 2; /* x */"), true, true, NULL},
	{"deprecated", M("int32 v = 2;"), M("int32 v = 2 [deprecated = true];"), true, true, NULL},
	{"json_name", M("int32 v = 2;"), M("int32 v = 2 [json_name = \"x\"];"), true, true, NULL},
	{"int32 to int64", M("int32 v = 2;"), M("int64 v = 2;"), true, true, NULL},
	{"uint32 to int32", M("uint32 v = 2;"), M("int32 v = 2;"), true, true, NULL},
	{"bool to int32", M("bool v = 2;"), M("int32 v = 2;"), true, true, NULL},
	{"uint64 to bool", M("uint64 v = 2;"), M("bool v = 2;"), true, true, NULL},
	{"sint32 to sint64", M("sint32 v = 2;"), M("sint64 v = 2;"), true, true, NULL},
	{"string to bytes", M("string v = 2;"), M("bytes v = 2;"), true, true, NULL},
	{"fixed32 to sfixed32", M("fixed32 v = 2;"), M("sfixed32 v = 2;"), true, true, NULL},
	{"fixed64 to sfixed64", M("fixed64 v = 2;"), M("sfixed64 v = 2;"), true, true, NULL},
	{"int32 to sint32", M("int32 v = 2;"), M("sint32 v = 2;"), false, false, NULL},
	{"int64 to fixed64", M("int64 v = 2;"), M("fixed64 v = 2;"), false, false, NULL},
	{"fixed32 to fixed64", M("fixed32 v = 2;"), M("fixed64 v = 2;"), false, false, NULL},
	{"float to double", M("float v = 2;"), M("double v = 2;"), false, false, NULL},
	{"string to int32", M("string v = 2;"), M("int32 v = 2;"), false, false, NULL},
	{"bool to string", M("bool v = 2;"), M("string v = 2;"), false, false, NULL},
	{"uint32 to fixed32", M("uint32 v = 2;"), M("fixed32 v = 2;"), false, false, NULL},
	{"float to fixed32", M("float v = 2;"), M("fixed32 v = 2;"), false, false, NULL},
	{"sint64 to uint64", M("sint64 v = 2;"), M("uint64 v = 2;"), false, false, NULL},
	{"enum to int32", M("E v = 2;"), M("int32 v = 2;"), true, true, NULL},
	{"enum to string", M("E v = 2;"), M("string v = 2;"), false, false, NULL},
	{"enum to another enum", M("E v = 2;"), M("F v = 2;"), true, true, NULL},
	{"string to message", M("string v = 2;"), M("Card v = 2;"), false, false, "FIELD_KIND_CHANGED"},
	{"message to another message", M("Card v = 2;"), M("Iban v = 2;"), false, false, "FIELD_NAMED_TYPE_CHANGED"},
	{"scalar to map", M("string v = 2;"), M("map<string, string> v = 2;"), false, false, "FIELD_KIND_CHANGED"},
	{"message to map", M("Card v = 2;"), M("map<string, string> v = 2;"), false, false, "FIELD_KIND_CHANGED"},
	{"map value int32 to int64", M("map<string, int32> v = 2;"), M("map<string, int64> v = 2;"), true, true, NULL},
	{"map value string to int32", M("map<string, string> v = 2;"), M("map<string, int32> v = 2;"), false, false,
	 "FIELD_SCALAR_KIND_CHANGED"},
	{"map key string to int32", M("map<string, string> v = 2;"), M("map<int32, string> v = 2;"), false, false,
	 NULL},
	{"map key int32 to int64", M("map<int32, string> v = 2;"), M("map<int64, string> v = 2;"), true, true, NULL},
	{"map value to another message", M("map<string, Card> v = 2;"), M("map<string, Iban> v = 2;"), false, false,
	 NULL},
	{"map added", M(""), M("map<string, Card> v = 2;"), true, true, NULL},
	{"optional int32 to repeated", M("optional int32 v = 2;"), M("repeated int32 v = 2;"), false, false,
	 "FIELD_NUMERIC_LABEL_CHANGED"},
	{"repeated int64 to optional", M("repeated int64 v = 2;"), M("optional int64 v = 2;"), false, false, NULL},
	{"optional string to repeated", M("optional string v = 2;"), M("repeated string v = 2;"), true, true, NULL},
	{"implicit int32 gets optional", M("int32 v = 2;"), M("optional int32 v = 2;"), true, true, NULL},
	{"implicit int32 to repeated", M("int32 v = 2;"), M("repeated int32 v = 2;"), true, true, NULL},
	{"message to repeated", M("Card v = 2;"), M("repeated Card v = 2;"), true, true, NULL},
	{"packed set to false", M("repeated int32 v = 2;"), M("repeated int32 v = 2 [packed = false];"), true, true,
	 NULL},
	{"required added", M2(""), M2("required int32 v = 2;"), false, false, NULL},
	{"required removed", M2("required int32 v = 2;"), M2(""), false, false, NULL},
	{"optional int32 to required", M2("optional int32 v = 2;"), M2("required int32 v = 2;"), false, false,
	 "FIELD_NUMERIC_LABEL_CHANGED"},
	{"optional string to required", M2("optional string v = 2;"), M2("required string v = 2;"), true, true, NULL},
	{"optional added", M2(""), M2("optional int32 v = 2;"), true, true, NULL},
	{"default changed", M2("optional int32 v = 2 [default = 1];"), M2("optional int32 v = 2 [default = 2];"), true,
	 true, NULL},
	{"message added", FILE3("message A {}"), FILE3("message A {} message B {}"), true, false, "MESSAGE_REMOVED"},
	{"message removed", FILE3("message A {} message B {}"), FILE3("message A {}"), false, true, "MESSAGE_REMOVED"},
	{"messages reordered", FILE3("message A {} message B {}"), FILE3("message B {} message A {}"), true, true,
	 NULL},
	{"message renamed", FILE3("message A {}"), FILE3("message B {}"), false, false, "MESSAGE_REMOVED"},
	{"nested message added", FILE3("message A {}"), FILE3("message A { message I {} }"), true, false, NULL},
	{"nested message moved up", FILE3("message A { message I {} I i = 1; }"),
	 FILE3("message A { I i = 1; } message I {}"), false, false, NULL},
	{"nested field's type changed", FILE3("message A { message I { int32 x = 1; } }"),
	 FILE3("message A { message I { string x = 1; } }"), false, false, NULL},
	{"recursive message grows", FILE3("message A { A a = 1; }"), FILE3("message A { A a = 1; int32 b = 2; }"), true,
	 true, NULL},
	{"package changed", "syntax = \"proto3\"; package a; message A {}",
	 "syntax = \"proto3\"; package b; message A {}", false, false, "PACKAGE_CHANGED"},
	{"package dropped", "syntax = \"proto3\"; package a; message A {}", "syntax = \"proto3\"; message A {}", false,
	 false, "PACKAGE_CHANGED"},
	{"java_package added", FILE3("message A {}"), FILE3("option java_package = \"x\"; message A {}"), true, true,
	 NULL},
	{"service added", FILE3("message A {}"), FILE3("message A {} service S { rpc R(A) returns (A); }"), true, true,
	 NULL},
	{"proto2 to proto3", FILE2("message A { optional int32 v = 1; }"), FILE3("message A { optional int32 v = 1; }"),
	 true, true, NULL},
	{"Timestamp to int64", M("google.protobuf.Timestamp v = 2;"), M("int64 v = 2;"), false, false, NULL},
	{"Timestamp added", M(""), M("google.protobuf.Timestamp v = 2;"), true, true, NULL},
	{"enum value added", FILE3("message A {} enum E { X = 0; }"), FILE3("message A {} enum E { X = 0; Y = 1; }"),
	 true, true, NULL},
	{"enum removed", FILE3("message A {} enum E { X = 0; }"), FILE3("message A {}"), true, true, NULL},
	{"one field into a new oneof", M("string a = 2;"), M("oneof o { string a = 2; }"), true, true, NULL},
	{"two fields into a new oneof", M("string a = 2; string b = 3;"), M("oneof o { string a = 2; string b = 3; }"),
	 false, true, "MULTIPLE_FIELDS_MOVED_TO_ONEOF"},
	{"a field into an existing oneof", M("oneof o { string a = 2; } string b = 3;"),
	 M("oneof o { string a = 2; string b = 3; }"), false, false, NULL},
	{"oneof renamed and a kind changed", M("oneof o { string a = 2; string b = 3; }"),
	 M("oneof w { string a = 2; int64 b = 3; }"), true, true, NULL},
	{"oneof dissolved, kind changed", M("oneof o { string a = 2; }"), M("int64 a = 2;"), true, true, NULL},
	{"message member added", M("oneof o { Card a = 2; }"), M("oneof o { Card a = 2; Card b = 3; }"), true, false,
	 "ONEOF_FIELD_REMOVED"},
	{"member within its kind", M("oneof o { int32 a = 2; }"), M("oneof o { int64 a = 2; }"), true, true, NULL},
	{"new member", M("oneof o { string a = 2; }"), M("oneof o { string a = 2; string b = 3; }"), true, false, NULL},
	{"member removed", M("oneof o { string a = 2; string b = 3; }"), M("oneof o { string a = 2; }"), false, true,
	 NULL},
	{"whole oneof removed", M("oneof o { string a = 2; }"), M(""), true, true, NULL},
	{"whole oneof added", M(""), M("oneof o { string a = 2; string b = 3; }"), true, true, NULL},
	{"oneof renamed", M("oneof o { string a = 2; string b = 3; }"), M("oneof w { string a = 2; string b = 3; }"),
	 true, true, NULL},
	{"member's kind changed", M("oneof o { string a = 2; }"), M("oneof o { int32 a = 2; }"), false, false, NULL},
	{"fields leave the oneof", M("oneof o { string a = 2; string b = 3; }"), M("string a = 2; string b = 3;"), true,
	 false, NULL},
};

static void every_row_has_its_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct schema *old = parse_protobuf(row->old);
		struct schema *new_schema = parse_protobuf(row->new_text);

		if (is_compatible(COMPAT_BACKWARD, old, new_schema, row->finding) != row->backward)
			fail_msg("%s: BACKWARD is not %d", row->change, row->backward);
		if (is_compatible(COMPAT_FORWARD, old, new_schema, row->finding) != row->forward)
			fail_msg("%s: FORWARD is not %d", row->change, row->forward);
		assert_true(is_compatible(COMPAT_FULL, old, old, NULL));
		schema_unref(old);
		schema_unref(new_schema);
	}
}

static struct schema *parse_bill(const char *money_text)
{
	struct schema *money = parse_protobuf(money_text);
	struct schema *bill =
		parse_with(SCHEMA_FORMAT_PROTOBUF,
			   "syntax = \"proto3\"; package r; import \"m.proto\"; message Bill { Money total = 1; }",
			   &(struct schema_reference){"m.proto", money}, 1);

	schema_unref(money);
	return bill;
}

static void imported_messages_are_compared_in_turn(void **state)
{
	struct schema *old =
		parse_bill("syntax = \"proto3\"; package r; message Money { int64 cents = 1; Money of = 2; }");
	struct schema *grown = parse_bill(
		"syntax = \"proto3\"; package r; message Money { int64 cents = 1; Money of = 2; string cur = 3; }");
	struct schema *broken =
		parse_bill("syntax = \"proto3\"; package r; message Money { string cents = 1; Money of = 2; }");

	(void)state;
	assert_true(is_compatible(COMPAT_FULL, old, grown, NULL));
	assert_false(is_compatible(COMPAT_BACKWARD, old, broken, "FIELD_SCALAR_KIND_CHANGED"));
	schema_unref(old);
	schema_unref(grown);
	schema_unref(broken);
}

static void findings_name_the_path_and_all_are_listed(void **state)
{
	struct schema *old = parse_protobuf(FILE3("message A { message B { int32 x = 7; } string y = 2; }"));
	struct schema *new_schema = parse_protobuf(FILE3("message A { message B { string x = 7; } int32 y = 2; }"));
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_false(compat_check(COMPAT_BACKWARD, new_schema, (const struct schema *const[]){old}, 1, &report));
	assert_int_equal(report.count, 2);
	assert_string_equal(report.items[0].path, "#/A/2");
	assert_string_equal(report.items[1].path, "#/A/B/7");
	assert_string_equal(report.items[1].description,
			    "field 'x' has type 'int32' in the old schema and 'string' in the "
			    "new schema, at path '#/A/B/7'");
	compat_report_release(&report);
	schema_unref(old);
	schema_unref(new_schema);
}

static void another_format_never_fits(void **state)
{
	struct schema *avro = parse_avro("\"string\"");
	struct schema *protobuf = parse_protobuf("syntax = \"proto3\"; message A {}");

	(void)state;
	assert_false(is_compatible(COMPAT_BACKWARD, avro, protobuf, "SCHEMA_TYPE_CHANGED"));
	assert_false(is_compatible(COMPAT_FORWARD, protobuf, avro, "SCHEMA_TYPE_CHANGED"));
	assert_true(is_compatible(COMPAT_NONE, protobuf, avro, NULL));
	schema_unref(avro);
	schema_unref(protobuf);
}

static void levels_have_the_names_that_clients_send(void **state)
{
	enum compat_level level = COMPAT_NONE;

	(void)state;
	for (int i = 0; i < COMPAT_LEVEL_COUNT; i++) {
		assert_true(compat_level_parse(compat_level_name((enum compat_level)i), &level));
		assert_int_equal(level, i);
	}
	assert_string_equal(compat_level_name(COMPAT_FULL_TRANSITIVE), "FULL_TRANSITIVE");
	assert_false(compat_level_parse("backward", &level));
	assert_false(compat_level_parse(NULL, &level));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_verdicts),
		cmocka_unit_test(imported_messages_are_compared_in_turn),
		cmocka_unit_test(findings_name_the_path_and_all_are_listed),
		cmocka_unit_test(another_format_never_fits),
		cmocka_unit_test(levels_have_the_names_that_clients_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
