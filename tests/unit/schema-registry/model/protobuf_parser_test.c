/* protobuf_parser_test.c - what is accepted as a .proto, refused, and how it is printed. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

#include "schema-registry/model/base64.h"
#include "schema-registry/model/protobuf_known.h"

static const char charge_text[] =
	"syntax = \"proto3\"; /* gone */ package saga.pay;\n"
	"import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/any.proto\";\n"
	"option java_package = \"x.\\\"y\"; option java_multiple_files = true;\n"
	"message Charge { // gone, too\n"
	"  string id = 2 [deprecated = true, json_name = \"ID\"];\n"
	"  repeated int32 nums = 1 [packed = false]; optional int64 o = 3; map<string, Inner> m = 4;\n"
	"  oneof by { string card = 5; Inner iban = 6; }\n"
	"  message Inner { enum E { A = 0; } E e = 1; }\n"
	"  google.protobuf.Timestamp at = 7; reserved 9, 20 to 30, 100 to max; reserved \"zz\", \"aa\"; }\n"
	"enum Top { option allow_alias = true; Z = 0; Y = 0; reserved 5 to max; }\n"
	"service S { rpc Do(Charge) returns (stream Charge) { option deprecated = true; } }\n";

static const char charge_rendered[] = "syntax = \"proto3\";\n"
				      "package saga.pay;\n"
				      "\n"
				      "import \"google/protobuf/timestamp.proto\";\n"
				      "import \"google/protobuf/any.proto\";\n"
				      "\n"
				      "option java_package = \"x.\\\"y\";\n"
				      "option java_multiple_files = true;\n"
				      "\n"
				      "message Charge {\n"
				      "  reserved 9, 20 to 30, 100 to max;\n"
				      "  reserved \"zz\", \"aa\";\n"
				      "\n"
				      "  string id = 2 [json_name = \"ID\", deprecated = true];\n"
				      "  repeated int32 nums = 1 [packed = false];\n"
				      "  optional int64 o = 3;\n"
				      "  map<string, Inner> m = 4;\n"
				      "  google.protobuf.Timestamp at = 7;\n"
				      "\n"
				      "  oneof by {\n"
				      "    string card = 5;\n"
				      "    Inner iban = 6;\n"
				      "  }\n"
				      "\n"
				      "  message Inner {\n"
				      "    E e = 1;\n"
				      "\n"
				      "    enum E {\n"
				      "      A = 0;\n"
				      "    }\n"
				      "  }\n"
				      "}\n"
				      "\n"
				      "enum Top {\n"
				      "  reserved 5 to max;\n"
				      "\n"
				      "  option allow_alias = true;\n"
				      "\n"
				      "  Z = 0;\n"
				      "  Y = 0;\n"
				      "}\n"
				      "\n"
				      "service S {\n"
				      "  rpc Do (Charge) returns (stream Charge) {\n"
				      "    option deprecated = true;\n"
				      "  }\n"
				      "}\n";

static void text_is_rendered_in_a_fixed_layout(void **state)
{
	struct schema *schema = parse_protobuf(charge_text);
	struct schema *again = parse_protobuf(charge_rendered);

	(void)state;
	assert_string_equal(schema_text(schema), charge_rendered);
	assert_string_equal(schema_text(again), charge_rendered);
	assert_true(schema_equal(schema, again));
	schema_unref(schema);
	schema_unref(again);
}

static void normalized_text_puts_in_order_what_has_no_meaning(void **state)
{
	struct schema *schema = parse_protobuf(charge_text);
	const char *text = schema_normalized_text(schema);
	struct schema *again = parse_protobuf(text);

	(void)state;
	assert_true(strstr(text, "any.proto") < strstr(text, "timestamp.proto"));
	assert_true(strstr(text, "nums = 1") < strstr(text, "id = 2"));
	assert_non_null(
		strstr(text, "  reserved 9;\n  reserved 20 to 30;\n  reserved 100 to max;\n  reserved \"aa\";\n"));
	assert_non_null(strstr(text, "map<string, .saga.pay.Charge.Inner> m = 4;"));
	assert_non_null(strstr(text, "[deprecated = true, json_name = \"ID\"]"));
	assert_string_equal(schema_normalized_text(again), text);
	schema_unref(schema);
	schema_unref(again);
}

static void proto2_survives_printing(void **state)
{
	static const char text[] =
		"syntax = \"proto2\";\npackage a.b;\n\nmessage M {\n  extensions 100 to 199, 500 to max;\n\n"
		"  required string a = 1 [default = \"x\\n\\\"\xc3\xa9\"];\n  optional bytes b = 2 [default = "
		"\"\\001\\377z\"];\n"
		"  optional double d = 4 [default = -inf];\n  optional group G = 5 {\n    optional int32 x = 1;\n"
		"    repeated group H = 2 {\n      optional int32 y = 1;\n    }\n  }\n\n"
		"  oneof z {\n    int32 k = 7;\n  }\n\n  extend M {\n    optional int32 q = 120;\n  }\n}\n\n"
		"extend M {\n  optional string ext = 101;\n  optional group EG = 102 {\n    optional int32 f = 1;\n  "
		"}\n}\n";
	struct schema *schema = parse_protobuf(text);

	(void)state;
	assert_string_equal(schema_text(schema), text);
	schema_unref(schema);
}

static void every_problem_is_told_with_line_and_column(void **state)
{
	struct buffer problems = {0};

	(void)state;
	refuse(SCHEMA_FORMAT_PROTOBUF, "syntax = \"proto3\";\nmessage A {\n  string id = 1\n}\n", &problems);
	assert_string_equal(buffer_text(&problems), "4:1: Expected \";\"\n");
	refuse(SCHEMA_FORMAT_PROTOBUF,
	       "syntax = \"proto3\";\nimport \"none.proto\";\nmessage A {\n  Foo id = 1;\n  int32 a = 2;\n  int32 b = "
	       "2;\n}\n",
	       &problems);
	assert_non_null(strstr(buffer_text(&problems), "2:1: Import \"none.proto\" "));
	assert_non_null(strstr(buffer_text(&problems), "4:3: A.id: \"Foo\" is not defined"));
	assert_non_null(strstr(buffer_text(&problems), "6:13: A.b: Field number 2 has already been used"));
	buffer_release(&problems);
}

static void other_texts_are_refused(void **state)
{
	struct buffer text = {0};
	struct buffer problems = {0};

	(void)state;
	refuse(SCHEMA_FORMAT_PROTOBUF, " \n", &problems);
	assert_string_equal(buffer_text(&problems), "1:1: the schema is empty\n");
	refuse(SCHEMA_FORMAT_PROTOBUF, "{\"type\":\"string\"}", &problems);
	assert_non_null(strstr(buffer_text(&problems), "1:1: "));
	refuse(SCHEMA_FORMAT_PROTOBUF, "AAAA", &problems);
	assert_string_equal(buffer_text(&problems), ": not a serialized FileDescriptorProto\n");
	buffer_append_text(&text, "syntax = \"proto3\";");
	for (int i = 0; i < 50; i++)
		buffer_append_text(&text, "message M {");
	for (int i = 0; i < 50; i++)
		buffer_append_byte(&text, '}');
	refuse(SCHEMA_FORMAT_PROTOBUF, buffer_text(&text), &problems);
	assert_non_null(strstr(buffer_text(&problems), "maximum recursion limit"));
	buffer_release(&text);
	buffer_release(&problems);
}

/* `count` times `open`, then `middle`, then as often `close`. */
static void append_nested(struct buffer *text, int count, const char *open, const char *middle, const char *close)
{
	for (int i = 0; i < count; i++)
		buffer_append_text(text, open);
	buffer_append_text(text, middle);
	for (int i = 0; i < count; i++)
		buffer_append_text(text, close);
}

static void nesting_beyond_any_use_is_refused_before_the_stack_ends(void **state)
{
	static const char option[] = "syntax = \"proto2\"; import \"google/protobuf/descriptor.proto\"; "
				     "message N { optional N n = 1; } "
				     "extend google.protobuf.FileOptions { optional N n = 50000; } option (n) = {";
	const int levels = 200000; /* more than the 8 MiB of a main thread hold */
	struct buffer text = {0};
	struct buffer problems = {0};

	(void)state;
	buffer_append_text(&text, "syntax = \"proto3\";\n");
	append_nested(&text, levels, "message A{", "", "}");
	refuse(SCHEMA_FORMAT_PROTOBUF, buffer_text(&text), &problems);
	assert_string_equal(buffer_text(&problems), "2:1010: nested more than 100 levels deep\n");

	buffer_clear(&text);
	buffer_append_text(&text, option);
	append_nested(&text, levels, "n <", "", ">");
	buffer_append_text(&text, "};");
	refuse(SCHEMA_FORMAT_PROTOBUF, buffer_text(&text), &problems);
	assert_non_null(strstr(buffer_text(&problems), "nested more than 100 levels deep"));
	buffer_release(&text);
	buffer_release(&problems);
}

static void serialized_descriptor_is_the_same_schema_once_normalized(void **state)
{
	struct schema *schema = parse_protobuf(charge_text);
	struct schema *again;
	struct buffer serialized = {0};

	(void)state;
	schema_append_serialized(schema, &serialized);
	again = parse_protobuf(buffer_text(&serialized));
	assert_string_equal(schema_normalized_text(again), schema_normalized_text(schema));
	buffer_release(&serialized);
	schema_unref(schema);
	schema_unref(again);
}

static void imports_come_from_references(void **state)
{
	struct schema *money = parse_protobuf("syntax = \"proto3\"; package r; message Money { int64 cents = 1; }");
	struct schema_reference to_money = {"r/money.proto", money};
	struct schema *bill = parse_with(
		SCHEMA_FORMAT_PROTOBUF,
		"syntax = \"proto3\"; package r; import \"r/money.proto\"; message Bill { Money total = 1; }",
		&to_money, 1);
	struct schema_reference both[] = {{"r/bill.proto", bill}, {"r/money.proto", money}};
	struct schema *run = parse_with(SCHEMA_FORMAT_PROTOBUF,
					"syntax = \"proto3\"; import \"r/bill.proto\"; import \"r/money.proto\"; "
					"message Run { r.Bill b = 1; r.Money m = 2; }",
					both, 2);
	struct schema_field field;

	(void)state;
	schema_unref(money);
	schema_unref(bill);
	assert_non_null(strstr(schema_text(run), "import \"r/bill.proto\";\nimport \"r/money.proto\";"));
	assert_true(schema_type_find(schema_root(run), "b", &field));
	assert_true(schema_type_find(field.record, "total", &field));
	assert_string_equal(schema_type_name(field.record), "r.Money");
	schema_unref(run);
}

static void known_files_need_no_reference(void **state)
{
	size_t count;
	const struct protobuf_known *files = protobuf_known_files(&count);
	struct buffer text = {0};

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct schema *schema;

		buffer_clear(&text);
		buffer_append_format(&text, "syntax = \"proto3\"; import \"%s\"; message A { string a = 1; }",
				     files[i].name);
		schema = parse_protobuf(buffer_text(&text));
		assert_non_null(strstr(schema_text(schema), files[i].name));
		schema_unref(schema);
	}
	buffer_release(&text);
}

static void tags_of_a_data_contract_are_kept(void **state)
{
	struct schema *schema = parse_protobuf(
		"syntax = \"proto3\"; import \"confluent/meta.proto\"; import \"google/type/money.proto\";"
		"message A { string card = 1 [(confluent.field_meta) = {tags: [\"PII\"]}];"
		" google.type.Money price = 2; }");
	struct schema *serialized_again;
	struct buffer serialized = {0};
	struct schema_field field;

	(void)state;
	assert_non_null(strstr(schema_text(schema), "confluent.field_meta"));
	assert_non_null(strstr(schema_text(schema), "PII"));
	assert_true(schema_type_find(schema_root(schema), "price", &field));
	assert_string_equal(schema_type_name(field.record), "google.type.Money");
	schema_append_serialized(schema, &serialized);
	serialized_again = parse_protobuf(buffer_text(&serialized));
	assert_true(is_compatible(COMPAT_FULL, schema, serialized_again, NULL));
	buffer_release(&serialized);
	schema_unref(serialized_again);
	schema_unref(schema);
}

static void editions_are_refused_at_their_place(void **state)
{
	static const uint8_t descriptor[] = "\x62\x08"
					    "editions";
	_cleanup_(buffer_release)
	struct buffer problems = {0};
	_cleanup_(buffer_release)
	struct buffer base64 = {0};

	(void)state;
	refuse(SCHEMA_FORMAT_PROTOBUF, "// new\nedition = \"2023\";\nmessage M { string id = 1; }", &problems);
	assert_string_equal(buffer_text(&problems),
			    "2:1: editions are not supported: write syntax = \"proto3\"; or syntax = \"proto2\";\n");
	base64_append(&base64, (struct bytes){descriptor, sizeof(descriptor) - 1});
	refuse(SCHEMA_FORMAT_PROTOBUF, buffer_text(&base64), &problems);
	assert_non_null(strstr(buffer_text(&problems), "editions are not supported"));
}

/* libprotobuf takes minutes for what fits into a request. */
static void ranges_without_number_are_refused(void **state)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	_cleanup_(buffer_release)
	struct buffer problems = {0};

	(void)state;
	buffer_append_text(&text, "syntax = \"proto3\"; enum E { A = 0; }\nmessage M { reserved 1");
	for (int i = 1; i < 200 * 1000; i++)
		buffer_append_format(&text, ", %d", 1 + 2 * i);
	buffer_append_text(&text, "; }");
	refuse(SCHEMA_FORMAT_PROTOBUF, buffer_text(&text), &problems);
	assert_string_equal(buffer_text(&problems),
			    "2:9: M: more than 1000 ranges of numbers are reserved or left to extensions\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_files_need_no_reference),
		cmocka_unit_test(tags_of_a_data_contract_are_kept),
		cmocka_unit_test(text_is_rendered_in_a_fixed_layout),
		cmocka_unit_test(normalized_text_puts_in_order_what_has_no_meaning),
		cmocka_unit_test(proto2_survives_printing),
		cmocka_unit_test(every_problem_is_told_with_line_and_column),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(nesting_beyond_any_use_is_refused_before_the_stack_ends),
		cmocka_unit_test(serialized_descriptor_is_the_same_schema_once_normalized),
		cmocka_unit_test(imports_come_from_references),
		cmocka_unit_test(editions_are_refused_at_their_place),
		cmocka_unit_test(ranges_without_number_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
