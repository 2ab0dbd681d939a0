/* schema_test.c - what both formats answer alike: identity, paths, and what a type checker asks. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

static void equality_rests_on_the_parsed_form(void **state)
{
	struct schema *a = parse_protobuf("syntax=\"proto3\"; message A { string id = 1; }");
	struct schema *b = parse_protobuf("// note\nsyntax = \"proto3\";\n\nmessage A {\n  string   id=1 ;\n}\n");
	struct schema *c = parse_protobuf("syntax=\"proto3\"; message A { string key = 1; }");
	struct schema *d = parse_avro("{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}");
	struct schema *e = parse_avro("{ \"fields\" : [], \"name\":\"A\", \"type\":\"record\" }");
	uint8_t digest_a[32];
	uint8_t digest_b[32];

	(void)state;
	schema_fingerprint(a, digest_a);
	schema_fingerprint(b, digest_b);
	assert_memory_equal(digest_a, digest_b, sizeof(digest_a));
	assert_true(schema_equal(a, b));
	assert_false(schema_equal(a, c));
	assert_true(schema_equal(d, e));
	assert_false(schema_equal(a, d));
	for (size_t i = 0; i < 5; i++)
		schema_unref((struct schema *[]){a, b, c, d, e}[i]);
}

static void another_import_makes_another_schema(void **state)
{
	static const char text[] = "syntax=\"proto3\"; import \"m.proto\"; message A { M m = 1; }";
	struct schema *one = parse_protobuf("syntax=\"proto3\"; message M { int64 a = 1; }");
	struct schema *two = parse_protobuf("syntax=\"proto3\"; message M { string a = 1; }");
	struct schema *with_one =
		parse_with(SCHEMA_FORMAT_PROTOBUF, text, &(struct schema_reference){"m.proto", one}, 1);
	struct schema *with_two =
		parse_with(SCHEMA_FORMAT_PROTOBUF, text, &(struct schema_reference){"m.proto", two}, 1);

	(void)state;
	assert_string_equal(schema_text(with_one), schema_text(with_two));
	assert_false(schema_equal(with_one, with_two));
	for (size_t i = 0; i < 4; i++)
		schema_unref((struct schema *[]){one, two, with_one, with_two}[i]);
}

static void messages_are_found_by_their_path_and_back(void **state)
{
	struct schema *schema = parse_protobuf(
		"syntax=\"proto3\"; package p; enum E { X = 0; } message A { map<string, B> m = 1; message I {} }"
		"message B { enum F { Y = 0; } message C {} message D { message G {} } }");
	const struct schema_type *type = schema_message_at(schema, (int32_t[]){1, 1, 0}, 3);
	int32_t indexes[3];

	(void)state;
	assert_string_equal(schema_type_name(schema_root(schema)), "p.A");
	assert_string_equal(schema_type_name(type), "p.B.D.G");
	assert_int_equal(schema_type_indexes(type, indexes, 3), 3);
	assert_memory_equal(indexes, ((int32_t[]){1, 1, 0}), sizeof(indexes));
	/* The entry that a map makes is no message to anyone. */
	assert_string_equal(schema_type_name(schema_message_at(schema, (int32_t[]){0, 0}, 2)), "p.A.I");
	assert_null(schema_message_at(schema, (int32_t[]){0, 1}, 2));
	assert_null(schema_message_at(schema, (int32_t[]){2}, 1));
	assert_null(schema_message_at(schema, (int32_t[]){-1}, 1));
	schema_unref(schema);
}

struct expected_field {
	struct schema_field field;
	bool has_record;
};

static void check_fields(const struct schema_type *type, const struct expected_field *expected, size_t count)
{
	struct schema_field field;

	assert_int_equal(schema_type_field_count(type), count);
	for (size_t i = 0; i < count; i++) {
		field = schema_type_field(type, i);
		assert_string_equal(field.name, expected[i].field.name);
		assert_int_equal(field.kind, expected[i].field.kind);
		assert_int_equal(field.bits, expected[i].field.bits);
		assert_int_equal(field.is_signed, expected[i].field.is_signed);
		assert_int_equal(field.is_optional, expected[i].field.is_optional);
		assert_int_equal(field.is_nullable, expected[i].field.is_nullable);
		assert_int_equal(field.element_kind, expected[i].field.element_kind);
		assert_int_equal(field.record != NULL, expected[i].has_record);
	}
	assert_false(schema_type_find(type, "absent", &field));
}

static void avro_fields_are_described(void **state)
{
	static const struct expected_field expected[] = {
		{{"i", SCHEMA_KIND_INT, 32, true, false, false, 0, NULL}, false},
		{{"l", SCHEMA_KIND_INT, 64, true, true, false, 0, NULL}, false},
		{{"s", SCHEMA_KIND_TEXT, 0, false, true, true, 0, NULL}, false},
		{{"u", SCHEMA_KIND_UNION, 0, false, false, false, 0, NULL}, false},
		{{"a", SCHEMA_KIND_LIST, 0, false, false, false, SCHEMA_KIND_RECORD, NULL}, true},
		{{"m", SCHEMA_KIND_MAP, 32, false, false, false, SCHEMA_KIND_FLOAT, NULL}, false},
		{{"f", SCHEMA_KIND_BYTES, 0, false, false, false, 0, NULL}, false},
		{{"e", SCHEMA_KIND_ENUM, 0, false, false, false, 0, NULL}, false},
	};
	struct schema *schema = parse_avro(
		"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"i\",\"type\":\"int\"},"
		"{\"name\":\"l\",\"type\":\"long\",\"default\":1},{\"name\":\"s\",\"type\":[\"string\",\"null\"]},"
		"{\"name\":\"u\",\"type\":[\"string\",\"int\"]},{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":"
		"\"R\"}},"
		"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"float\"}},"
		"{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
		"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}}]}");

	(void)state;
	check_fields(schema_root(schema), expected, ARRAY_LEN(expected));
	schema_unref(schema);
}

static void protobuf_fields_are_described(void **state)
{
	static const struct expected_field expected[] = {
		{{"i", SCHEMA_KIND_INT, 32, true, true, false, 0, NULL}, false},
		{{"u", SCHEMA_KIND_INT, 64, false, true, true, 0, NULL}, false},
		{{"n", SCHEMA_KIND_RECORD, 0, false, true, true, 0, NULL}, true},
		{{"l", SCHEMA_KIND_LIST, 32, true, true, false, SCHEMA_KIND_INT, NULL}, false},
		{{"m", SCHEMA_KIND_MAP, 0, false, true, false, SCHEMA_KIND_RECORD, NULL}, true},
		{{"e", SCHEMA_KIND_ENUM, 0, false, true, false, 0, NULL}, false},
		{{"o", SCHEMA_KIND_FLOAT, 64, false, true, true, 0, NULL}, false},
	};
	struct schema *schema = parse_protobuf(
		"syntax=\"proto3\"; message R { int32 i = 1; optional uint64 u = 2; R n = 3; repeated sint32 l = 4;"
		" map<int32, R> m = 5; E e = 6; oneof x { double o = 7; } enum E { Z = 0; } }");
	struct schema_field field;

	(void)state;
	check_fields(schema_root(schema), expected, ARRAY_LEN(expected));
	schema_unref(schema);
	schema = parse_protobuf("syntax=\"proto2\"; message R { required int32 a = 1; optional int32 b = 2; }");
	assert_true(schema_type_find(schema_root(schema), "a", &field));
	assert_false(field.is_optional);
	assert_true(schema_type_find(schema_root(schema), "b", &field));
	assert_true(field.is_optional && field.is_nullable);
	schema_unref(schema);
}

static void format_names_are_read_as_clients_write_them(void **state)
{
	enum schema_format format = SCHEMA_FORMAT_COUNT;

	(void)state;
	assert_true(schema_format_parse(NULL, &format));
	assert_int_equal(format, SCHEMA_FORMAT_AVRO);
	assert_true(schema_format_parse("PROTOBUF", &format));
	assert_string_equal(schema_format_name(format), "PROTOBUF");
	assert_false(schema_format_parse("JSON", &format));
}

static void a_resolved_text_needs_no_references(void **state)
{
	struct schema *unit = parse_avro("{\"type\":\"enum\",\"name\":\"b.Unit\",\"symbols\":[\"KG\"]}");
	struct schema *other_unit = parse_avro("{\"type\":\"enum\",\"name\":\"b.Unit\",\"symbols\":[\"KG\"]}");
	struct schema *weight = parse_with(SCHEMA_FORMAT_AVRO,
					   "{\"type\":\"record\",\"name\":\"b.Weight\",\"fields\":["
					   "{\"name\":\"unit\",\"type\":\"Unit\"}]}",
					   &(struct schema_reference){"b.Unit", unit}, 1);
	const struct schema_reference references[] = {{"b.Weight", weight}, {"b.Unit", other_unit}};
	struct schema *parcel = parse_with(SCHEMA_FORMAT_AVRO,
					   "{\"type\":\"record\",\"name\":\"a.Parcel\",\"fields\":["
					   "{\"name\":\"weight\",\"type\":\"b.Weight\"},"
					   "{\"name\":\"next\",\"type\":[\"null\",\"Parcel\",\"b.Unit\"]}]}",
					   references, 2);
	struct buffer text = {0};
	struct schema *alone;

	(void)state;
	assert_true(schema_append_resolved(parcel, &text));
	assert_string_equal(
		buffer_text(&text),
		"{\"type\":\"record\",\"name\":\"Parcel\",\"namespace\":\"a\",\"fields\":["
		"{\"name\":\"weight\",\"type\":{\"type\":\"record\",\"name\":\"Weight\",\"namespace\":\"b\","
		"\"fields\":[{\"name\":\"unit\",\"type\":{\"type\":\"enum\",\"name\":\"Unit\","
		"\"symbols\":[\"KG\"]}}]}},{\"name\":\"next\",\"type\":[\"null\",\"Parcel\",\"b.Unit\"]}]}");
	alone = parse_avro(buffer_text(&text));
	assert_true(is_compatible(COMPAT_FULL, parcel, alone, NULL));
	buffer_release(&text);
	schema_unref(alone);
	schema_unref(parcel);
	schema_unref(weight);
	schema_unref(other_unit);
	schema_unref(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resolved_text_needs_no_references),
		cmocka_unit_test(equality_rests_on_the_parsed_form),
		cmocka_unit_test(another_import_makes_another_schema),
		cmocka_unit_test(messages_are_found_by_their_path_and_back),
		cmocka_unit_test(avro_fields_are_described),
		cmocka_unit_test(protobuf_fields_are_described),
		cmocka_unit_test(format_names_are_read_as_clients_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
