/* strict_test.c - WIRE, WIRE_JSON and STRICT, row by row: what each lets through of old -> new; and where findings are. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

#define FILE3(body) "syntax = \"proto3\"; package p; " body
#define M(fields)                                                                                                      \
	FILE3("message M { string id = 1; " fields " } message Card { string pan = 1; } "                              \
	      "enum E { A = 0; B = 1; } enum F { C = 0; }")
#define M2(fields) "syntax = \"proto2\"; package p; message M { optional string id = 1; " fields " }"
#define E3(values) FILE3("message M { E e = 1; } enum E { A = 0; " values " }")
/* A file with a message that can be extended: with more in the message, and beside it. */
#define X2(fields, rest)                                                                                               \
	"syntax = \"proto2\"; package p; message M { " fields " } message N { extensions 100 to 199; } " rest
#define X(fields, rest) X2("extensions 100 to 199; " fields, rest)
#define XO(rest) "syntax = \"proto2\"; package p; import \"google/protobuf/descriptor.proto\"; message M {} " rest

struct row {
	const char *change;
	const char *old;
	const char *new_text;
	bool wire;
	bool json;
	bool strict;
	const char *finding; /* that STRICT has when it refuses, and the others as well; NULL: not looked at */
};

static const struct row protobuf_rows[] = {
	{"identical", M("int32 v = 2;"), M("int32 v = 2;"), true, true, true, NULL},
	{"field added", M(""), M("int32 v = 2;"), true, true, true, NULL},
	{"message added", M(""), M("") " message N {}", true, true, true, NULL},
	{"message removed", M("") " message N {}", M(""), false, false, false, "MESSAGE_REMOVED"},
	{"field removed", M("int32 v = 2;"), M(""), false, false, false, NULL},
	{"field removed, number reserved", M("int32 v = 2;"), M("reserved 2;"), true, false, false, NULL},
	{"field removed, number and name reserved", M("int32 v = 2;"), M("reserved 2; reserved \"v\";"), true, true,
	 false, "FIELD_REMOVED"},
	{"a range reserves it, too", M("int32 v = 2;"), M("reserved 1000, 2 to 9; reserved \"v\";"), true, true, false,
	 NULL},
	{"field number changed", M("int32 v = 2;"), M("int32 v = 3;"), false, false, false, NULL},
	{"two fields of one type change their numbers", M("string a = 2; string b = 3;"),
	 M("string a = 3; string b = 2;"), false, false, false, "FIELD_NUMBER_CHANGED"},
	{"a field takes the number of another that goes", M("string a = 2; string b = 3;"),
	 M("string b = 2; reserved 3; reserved \"a\";"), false, false, false, "FIELD_NUMBER_CHANGED"},
	{"a field begins anew with an unused number", M("string v = 2;"), M("int64 v = 3; reserved 2;"), true, false,
	 false, "FIELD_NUMBER_CHANGED"},
	{"field renamed", M("int32 v = 2;"), M("int32 w = 2;"), true, false, false, "FIELD_RENAMED"},
	{"field renamed, JSON name kept", M("int32 v = 2;"), M("int32 w = 2 [json_name = \"v\"];"), true, true, false,
	 "FIELD_RENAMED"},
	{"JSON name added", M("int32 v = 2;"), M("int32 v = 2 [json_name = \"x\"];"), true, false, false,
	 "FIELD_JSON_NAME_CHANGED"},
	{"reserved number used", M("reserved 2;"), M("int32 v = 2;"), false, false, false, "RESERVED_NUMBER_FREED"},
	{"reserved range cut", M("reserved 2 to 9;"), M("reserved 2 to 8;"), false, false, false, NULL},
	{"reserved range cut in two", M("reserved 2 to 9;"), M("reserved 2 to 5, 6 to 9;"), true, true, true, NULL},
	{"reserved name used", M("reserved \"v\";"), M("int32 v = 2;"), true, false, false, "RESERVED_NAME_FREED"},
	{"int32 to int64", M("int32 v = 2;"), M("int64 v = 2;"), true, false, false, "FIELD_TYPE_CHANGED"},
	{"uint32 to int32", M("uint32 v = 2;"), M("int32 v = 2;"), true, true, false, NULL},
	{"bool to int32", M("bool v = 2;"), M("int32 v = 2;"), true, false, false, NULL},
	{"sint32 to sint64", M("sint32 v = 2;"), M("sint64 v = 2;"), true, false, false, NULL},
	{"string to bytes", M("string v = 2;"), M("bytes v = 2;"), true, false, false, NULL},
	{"bytes to string", M("bytes v = 2;"), M("string v = 2;"), false, false, false, NULL},
	{"fixed32 to sfixed32", M("fixed32 v = 2;"), M("sfixed32 v = 2;"), true, true, false, NULL},
	{"string to int32", M("string v = 2;"), M("int32 v = 2;"), false, false, false, "FIELD_SCALAR_KIND_CHANGED"},
	{"enum to int32", M("E v = 2;"), M("int32 v = 2;"), false, false, false, NULL},
	{"enum to another enum", M("E v = 2;"), M("F v = 2;"), false, false, false, NULL},
	{"map value int32 to int64", M("map<string, int32> v = 2;"), M("map<string, int64> v = 2;"), true, false, false,
	 NULL},
	{"map renamed", M("map<string, int32> v = 2;"), M("map<string, int32> w = 2;"), true, false, false,
	 "FIELD_RENAMED"},
	{"map removed", M("map<string, int32> v = 2;"), M(""), false, false, false, NULL},
	{"optional string to repeated", M("optional string v = 2;"), M("repeated string v = 2;"), false, false, false,
	 "FIELD_LABEL_CHANGED"},
	{"implicit int32 gets optional", M("int32 v = 2;"), M("optional int32 v = 2;"), true, true, false, NULL},
	{"implicit int32 to repeated", M("int32 v = 2;"), M("repeated int32 v = 2;"), false, false, false, NULL},
	{"message to repeated", M("Card v = 2;"), M("repeated Card v = 2;"), false, false, false, NULL},
	{"packed set to false", M("repeated int32 v = 2;"), M("repeated int32 v = 2 [packed = false];"), true, true,
	 true, NULL},
	{"optional string to required", M2("optional string v = 2;"), M2("required string v = 2;"), false, false, false,
	 NULL},
	{"default changed", M2("optional int32 v = 2 [default = 1];"), M2("optional int32 v = 2 [default = 2];"), false,
	 false, false, "FIELD_DEFAULT_CHANGED"},
	{"one field into a new oneof", M("int32 v = 2;"), M("oneof o { int32 v = 2; }"), false, false, false,
	 "FIELD_ONEOF_CHANGED"},
	{"oneof renamed", M("oneof o { int32 v = 2; }"), M("oneof q { int32 v = 2; }"), true, true, false,
	 "FIELD_ONEOF_CHANGED"},
	{"oneof dissolved", M("oneof o { int32 v = 2; }"), M("int32 v = 2;"), false, false, false, NULL},
	{"from one oneof to another", M("oneof o { int32 v = 2; int32 w = 3; } oneof q { int32 x = 4; }"),
	 M("oneof o { int32 v = 2; } oneof q { int32 w = 3; int32 x = 4; }"), false, false, false, NULL},
	{"new field in a oneof", M("oneof o { int32 v = 2; }"), M("oneof o { int32 v = 2; int32 w = 3; }"), true, true,
	 true, NULL},
	{"enum value added", E3(""), E3("B = 1;"), true, true, true, NULL},
	{"enum value removed", E3("B = 1;"), E3(""), false, false, false, "ENUM_VALUE_REMOVED"},
	{"enum value removed and reserved", E3("B = 1;"), E3("reserved 1; reserved \"B\";"), true, true, false, NULL},
	{"enum value removed, name free", E3("B = 1;"), E3("reserved 1;"), true, false, false, NULL},
	{"enum value renamed", E3("B = 1;"), E3("D = 1;"), true, false, false, "ENUM_VALUE_RENAMED"},
	{"two enum values change their numbers", E3("B = 1; C = 2;"), E3("B = 2; C = 1;"), false, false, false,
	 "ENUM_VALUE_NUMBER_CHANGED"},
	{"an enum value begins anew with an unused number", E3("B = 1;"), E3("B = 2; reserved 1;"), true, false, false,
	 "ENUM_VALUE_NUMBER_CHANGED"},
	{"enum alias removed", E3("option allow_alias = true; B = 1; C = 1;"), E3("B = 1;"), true, false, false,
	 "ENUM_VALUE_REMOVED"},
	{"enum alias removed, name reserved", E3("option allow_alias = true; B = 1; C = 1;"),
	 E3("B = 1; reserved \"C\";"), true, true, false, "ENUM_VALUE_REMOVED"},
	{"enum value renumbered", E3("B = 1;"), E3("B = 2;"), false, false, false, NULL},
	{"enum alias added", E3("B = 1;"), E3("option allow_alias = true; B = 1; D = 1;"), true, true, true, NULL},
	{"enum removed", FILE3("message M {} enum X { A = 0; }"), FILE3("message M {}"), true, true, false,
	 "ENUM_REMOVED"},
	{"nested enum value removed", FILE3("message M { enum X { A = 0; B = 1; } }"),
	 FILE3("message M { enum X { A = 0; } }"), false, false, false, NULL},
	{"nested field removed", FILE3("message M { message N { int32 v = 1; } }"), FILE3("message M { message N {} }"),
	 false, false, false, NULL},
	{"rpc removed", M("") " service S { rpc Go(M) returns (M); }", M("") " service S {}", true, true, false,
	 "RPC_REMOVED"},
	{"rpc becomes a stream", M("") " service S { rpc Go(M) returns (M); }",
	 M("") " service S { rpc Go(M) returns (stream M); }", false, false, false, "RPC_CHANGED"},
	{"rpc becomes idempotent", M("") " service S { rpc Go(M) returns (M); }",
	 M("") " service S { rpc Go(M) returns (M) { option idempotency_level = IDEMPOTENT; } }", false, false, false,
	 "RPC_CHANGED"},
	{"service removed", M("") " service S {}", M(""), true, true, false, "SERVICE_REMOVED"},
	{"java_package added", FILE3("message M {}"), FILE3("option java_package = \"x\"; message M {}"), true, true,
	 false, "FILE_OPTION_CHANGED"},
	{"proto2 to proto3", "syntax = \"proto2\"; message M { optional int32 v = 1; }",
	 "syntax = \"proto3\"; message M { optional int32 v = 1; }", true, true, false, "SYNTAX_CHANGED"},
	{"proto3 to proto2", "syntax = \"proto3\"; message M { optional int32 v = 1; }",
	 "syntax = \"proto2\"; message M { optional int32 v = 1; }", true, false, false, "SYNTAX_CHANGED"},
	{"extension added", X("", ""), X("", "extend M { optional int32 v = 100; }"), true, true, true, NULL},
	{"extension removed", X("", "extend M { optional int32 v = 100; }"), X("", ""), false, false, false,
	 "EXTENSION_REMOVED"},
	{"extension removed, number reserved", X("", "extend M { optional int32 v = 100; }"),
	 X2("extensions 101 to 199; reserved 100;", ""), true, true, false, "EXTENSION_REMOVED"},
	{"extension number changed", X("", "extend M { optional int32 v = 100; }"),
	 X("", "extend M { optional int32 v = 101; }"), false, false, false, "EXTENSION_NUMBER_CHANGED"},
	{"two extensions change their numbers", X("", "extend M { optional int32 v = 100; optional int32 w = 101; }"),
	 X("", "extend M { optional int32 v = 101; optional int32 w = 100; }"), false, false, false,
	 "EXTENSION_NUMBER_CHANGED"},
	{"extension of another message", X("", "extend M { optional int32 v = 100; }"),
	 X("", "extend N { optional int32 v = 100; }"), false, false, false, "EXTENSION_EXTENDEE_CHANGED"},
	{"extension of another type", X("", "extend M { optional int32 v = 100; }"),
	 X("", "extend M { optional string v = 100; }"), false, false, false, "FIELD_TYPE_CHANGED"},
	{"extension becomes repeated", X("", "extend M { optional string v = 100; }"),
	 X("", "extend M { repeated string v = 100; }"), false, false, false, "FIELD_LABEL_CHANGED"},
	{"extension's default changes", X("", "extend M { optional int32 v = 100 [default = 1]; }"),
	 X("", "extend M { optional int32 v = 100; }"), false, false, false, "FIELD_DEFAULT_CHANGED"},
	{"extension's int32 to int64", X("", "extend M { optional int32 v = 100; }"),
	 X("", "extend M { optional int64 v = 100; }"), true, false, false, "FIELD_TYPE_CHANGED"},
	{"extension renamed", X("", "extend M { optional int32 v = 100; }"),
	 X("", "extend M { optional int32 w = 100; }"), true, false, false, "FIELD_JSON_NAME_CHANGED"},
	{"extension moves into a message", X("", "extend M { optional int32 v = 100; }"),
	 X("extend M { optional int32 v = 100; }", ""), true, false, false, "FIELD_JSON_NAME_CHANGED"},
	{"extension in a message removed", X("extend M { optional int32 v = 100; }", ""), X("", ""), false, false,
	 false, "EXTENSION_REMOVED"},
	{"extension in a message of another type", X("extend M { optional int32 v = 100; }", ""),
	 X("extend M { optional string v = 100; }", ""), false, false, false, "FIELD_TYPE_CHANGED"},
	{"extension of an imported message removed",
	 XO("extend google.protobuf.FieldOptions { optional int32 v = 50000; }"), XO(""), false, false, false,
	 "EXTENSION_REMOVED"},
	{"extension of an imported message of another type",
	 XO("extend google.protobuf.FieldOptions { optional int32 v = 50000; }"),
	 XO("extend google.protobuf.FieldOptions { optional string v = 50000; }"), false, false, false,
	 "FIELD_TYPE_CHANGED"},
	{"extension becomes a field", X("", "extend M { optional int32 v = 100; }"),
	 X2("extensions 101 to 199; optional int32 v = 100;", ""), true, false, false, "FIELD_JSON_NAME_CHANGED"},
	{"extension becomes a field of another type", X("", "extend M { optional int32 v = 100; }"),
	 X2("extensions 101 to 199; optional string v = 100;", ""), false, false, false, "FIELD_TYPE_CHANGED"},
	{"field becomes an extension", X2("extensions 101 to 199; optional int32 v = 100;", ""),
	 X("", "extend M { optional int32 v = 100; }"), true, false, false, "FIELD_JSON_NAME_CHANGED"},
	{"extension range removed", X("", ""), X2("", ""), false, false, false, "EXTENSION_RANGE_REMOVED"},
	{"extension range cut", X("", ""), X2("extensions 100 to 150;", ""), false, false, false,
	 "EXTENSION_RANGE_REMOVED"},
	{"extension range cut, the rest reserved", X("", ""), X2("extensions 100 to 150; reserved 151 to 199;", ""),
	 true, true, false, "EXTENSION_RANGE_REMOVED"},
	{"extension range cut in two", X("", ""), X2("extensions 100 to 150, 151 to 199;", ""), true, true, true, NULL},
	{"numbers of extensions taken by a field", X("", ""), X2("extensions 101 to 199; optional int32 v = 100;", ""),
	 false, false, false, "EXTENSION_RANGE_REMOVED"},
};

#define R(fields) "{'type':'record','name':'R','namespace':'n','fields':[{'name':'id','type':'string'}" fields "]}"
#define V(type) R(",{'name':'v','type':" type "}")

static const struct row avro_rows[] = {
	{"identical", V("'int'"), V("'int'"), true, true, true, NULL},
	{"field added with default", R(""), R(",{'name':'v','type':'int','default':1}"), true, true, true, NULL},
	{"field added without default", R(""), V("'int'"), false, false, false, "READER_FIELD_MISSING_DEFAULT_VALUE"},
	{"field without default removed", V("'int'"), R(""), false, false, false, "READER_FIELD_MISSING_DEFAULT_VALUE"},
	{"field with default removed", R(",{'name':'v','type':'int','default':1}"), R(""), true, true, false,
	 "FIELD_REMOVED"},
	{"default that is no value", R(""), R(",{'name':'v','type':'int','default':'x'}"), false, false, false,
	 "DEFAULT_DOES_NOT_FIT"},
	{"default changed", R(",{'name':'v','type':'int','default':1}"), R(",{'name':'v','type':'int','default':2}"),
	 true, true, false, "DEFAULT_CHANGED"},
	{"int to long", V("'int'"), V("'long'"), false, false, false, "TYPE_MISMATCH"},
	{"string to bytes", V("'string'"), V("'bytes'"), true, false, false, "TYPE_CHANGED"},
	{"bytes to string", V("'bytes'"), V("'string'"), false, false, false, "TYPE_CHANGED"},
	{"decimal scale changed", V("{'type':'bytes','logicalType':'decimal','precision':4,'scale':2}"),
	 V("{'type':'bytes','logicalType':'decimal','precision':4,'scale':0}"), false, false, false, "DECIMAL_CHANGED"},
	{"decimal scale written out", V("{'type':'bytes','logicalType':'decimal','precision':4}"),
	 V("{'type':'bytes','logicalType':'decimal','precision':4,'scale':0}"), true, true, true, NULL},
	{"millis to micros", V("{'type':'long','logicalType':'timestamp-millis'}"),
	 V("{'type':'long','logicalType':'timestamp-micros'}"), false, false, false, "LOGICAL_TYPE_CHANGED"},
	{"millis to micros in a union", V("['null',{'type':'long','logicalType':'timestamp-millis'}]"),
	 V("['null',{'type':'long','logicalType':'timestamp-micros'}]"), false, false, false, "LOGICAL_TYPE_CHANGED"},
	{"logical type added", V("'long'"), V("{'type':'long','logicalType':'timestamp-micros'}"), true, true, false,
	 NULL},
	{"renamed, with defaults and alias", R(",{'name':'v','type':'int','default':1}"),
	 R(",{'name':'w','type':'int','default':1,'aliases':['v']}"), true, false, false, "FIELD_RENAMED"},
	{"namespace changed", "{'type':'record','name':'R','namespace':'a','fields':[]}",
	 "{'type':'record','name':'R','namespace':'b','fields':[]}", true, false, false, "TYPE_RENAMED"},
	{"symbol removed, default there", V("{'type':'enum','name':'E','symbols':['A','B'],'default':'A'}"),
	 V("{'type':'enum','name':'E','symbols':['A'],'default':'A'}"), true, true, false, "SYMBOL_REMOVED"},
	{"doc added", V("'int'"), R(",{'name':'v','type':'int','doc':'x'}"), true, true, true, NULL},
	{"a record in itself", R(",{'name':'n','type':['null','R'],'default':null}"),
	 R(",{'name':'n','type':['null','R'],'default':null},{'name':'b','type':'int','default':1}"), true, true, true,
	 NULL},
};

static struct schema *parse_quoted(const char *text)
{
	char quoted[1024];
	size_t len = strlen(text);

	assert_true(len < sizeof(quoted));
	memcpy(quoted, text, len + 1);
	for (char *at = quoted; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	return parse_avro(quoted);
}

static void judge(const struct row *row, const struct schema *old, const struct schema *update)
{
	static const enum compat_level levels[] = {COMPAT_WIRE, COMPAT_WIRE_JSON, COMPAT_STRICT};
	const bool expected[] = {row->wire, row->json, row->strict};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		bool is_last = levels[i] == COMPAT_STRICT;

		if (is_compatible(levels[i], old, update, is_last ? row->finding : NULL) != expected[i])
			fail_msg("%s: %s should %s it", row->change, compat_level_name(levels[i]),
				 expected[i] ? "accept" : "refuse");
	}
}

static void protobuf_rows_have_their_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(protobuf_rows); i++) {
		struct schema *old = parse_protobuf(protobuf_rows[i].old);
		struct schema *update = parse_protobuf(protobuf_rows[i].new_text);

		judge(&protobuf_rows[i], old, update);
		schema_unref(old);
		schema_unref(update);
	}
}

static void avro_rows_have_their_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(avro_rows); i++) {
		struct schema *old = parse_quoted(avro_rows[i].old);
		struct schema *update = parse_quoted(avro_rows[i].new_text);

		judge(&avro_rows[i], old, update);
		schema_unref(old);
		schema_unref(update);
	}
}

/* A stricter level never accepts what a weaker one refuses. */
static void each_level_includes_the_one_before(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(protobuf_rows); i++) {
		assert_true(protobuf_rows[i].wire || !protobuf_rows[i].json);
		assert_true(protobuf_rows[i].json || !protobuf_rows[i].strict);
	}
	for (size_t i = 0; i < ARRAY_LEN(avro_rows); i++) {
		assert_true(avro_rows[i].wire || !avro_rows[i].json);
		assert_true(avro_rows[i].json || !avro_rows[i].strict);
	}
}

static void they_look_at_every_old_schema(void **state)
{
	struct schema *oldest = parse_protobuf(M("int32 v = 2;"));
	struct schema *middle = parse_protobuf(M("reserved 2; reserved \"v\";"));
	struct schema *update = parse_protobuf(M("string v = 2;"));
	const struct schema *const old[] = {middle, oldest};
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_true(compat_check(COMPAT_BACKWARD, update, old, 2, &report));
	assert_false(compat_check(COMPAT_WIRE, update, old, 2, &report));
	compat_report_release(&report);
	schema_unref(oldest);
	schema_unref(middle);
	schema_unref(update);
}

/* The place of the only finding, in the text that was parsed. */
static void expect_place(enum compat_level level, enum schema_format format, const char *old_text, const char *text,
			 size_t line, size_t column)
{
	struct schema *old = parse_with(format, old_text, NULL, 0);
	struct schema *update = parse_with(format, text, NULL, 0);
	struct compat_report report;
	size_t found_line;
	size_t found_column;

	compat_report_init(&report);
	assert_false(compat_check(level, update, (const struct schema *const[]){old}, 1, &report));
	assert_int_equal(report.count, 1);
	assert_ptr_equal(report.items[0].place.schema, update);
	schema_locate(format, bytes_of_text(text), report.items[0].place.pointer, &found_line, &found_column);
	if (found_line != line || found_column != column)
		fail_msg("%s is at %zu:%zu, not %zu:%zu", report.items[0].description, found_line, found_column, line,
			 column);
	compat_report_release(&report);
	schema_unref(old);
	schema_unref(update);
}

static void findings_of_protobuf_have_their_line(void **state)
{
	static const char old[] = "syntax = \"proto3\";\n\nmessage A {\n  message B {\n    int32 x = 7;\n  }\n"
				  "  map<string, int32> m = 2;\n  oneof o { int32 y = 3; }\n}\nmessage Gone {}\n";

	(void)state;
	expect_place(COMPAT_BACKWARD, SCHEMA_FORMAT_PROTOBUF, old,
		     "syntax = \"proto3\";\n// moved down\nmessage Gone {}\nmessage A {\n  // x\n  message B {\n\n"
		     "    string x = 7;\n  }\n  map<string, int32> m = 2;\n  oneof o { int32 y = 3; }\n}\n",
		     8, 5);
	expect_place(COMPAT_BACKWARD, SCHEMA_FORMAT_PROTOBUF, old,
		     "syntax = \"proto3\";\nmessage Gone {}\nmessage A {\n  message B { int32 x = 7; }\n"
		     "  map<string, string> m = 2;\n  oneof o { int32 y = 3; }\n}\n",
		     5, 3);
	expect_place(COMPAT_BACKWARD, SCHEMA_FORMAT_PROTOBUF, old,
		     "syntax = \"proto3\";\nmessage Gone {}\n\n  message A {\n  message B { int32 x = 7; }\n"
		     "  map<string, int32> m = 2;\n  oneof o { int32 z = 4; }\n}\n",
		     4, 3);
}

static void findings_of_avro_have_their_line(void **state)
{
	static const char old[] =
		"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":"
		"{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}},"
		"{\"name\":\"b\",\"type\":[\"null\",\"B\"]}]}";

	(void)state;
	expect_place(
		COMPAT_BACKWARD, SCHEMA_FORMAT_AVRO, old,
		"{\n\"fields\": [\n {\"name\":\"a\", \"type\":\n  {\"type\":\"record\", \"name\":\"B\", \"fields\":[\n"
		"   {\"name\":\"x\", \"type\": \"string\"}]}},\n {\"name\":\"b\",\"type\":[\"null\",\"B\"]}],\n"
		"\"type\":\"record\", \"name\":\"R\"}",
		5, 25);
	expect_place(COMPAT_FORWARD, SCHEMA_FORMAT_AVRO, "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}",
		     "{\"type\":\"enum\",\"name\":\"E\",\n \"symbols\":\n  [\"A\", \"B\"]}", 3, 3);
	expect_place(COMPAT_FORWARD, SCHEMA_FORMAT_AVRO,
		     "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}",
		     "{\"type\":\"record\",\n\"name\":\n\"R\",\"fields\":[]}", 3, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protobuf_rows_have_their_verdicts),
		cmocka_unit_test(avro_rows_have_their_verdicts),
		cmocka_unit_test(each_level_includes_the_one_before),
		cmocka_unit_test(they_look_at_every_old_schema),
		cmocka_unit_test(findings_of_protobuf_have_their_line),
		cmocka_unit_test(findings_of_avro_have_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
