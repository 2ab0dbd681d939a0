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

/* A record that has one of the reference's; NULL: none. */
static struct schema *parse_link(int number, const struct schema *reference, struct problems *problems)
{
	struct schema_reference references[1] = {{.schema = reference}};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct schema *schema = NULL;
	char name[20];

	(void)snprintf(name, sizeof(name), "R%d", number - 1);
	references[0].name = name;
	buffer_append_format(&text, "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[", number);
	if (reference)
		buffer_append_format(&text, "{\"name\":\"f\",\"type\":\"%s\"}", name);
	buffer_append_text(&text, "]}");
	if (schema_parse(SCHEMA_FORMAT_AVRO, buffer_bytes(&text), references, reference != NULL, &schema, problems))
		return NULL;
	return schema;
}

static void references_are_bounded_by_their_number_not_their_depth(void **state)
{
	struct schema *chain = NULL;
	struct problems problems;

	(void)state;
	problems_init(&problems);
	for (int i = 0; i <= SCHEMA_REFERENCES_MAX; i++) {
		struct schema *next = parse_link(i, chain, &problems);

		if (!next)
			fail_msg("%d: %s", i, problems.items[0].text);
		schema_unref(chain); /* the next one holds it */
		chain = next;
	}
	assert_null(parse_link(SCHEMA_REFERENCES_MAX + 1, chain, &problems));
	assert_string_equal(problems.items[0].text, "with the reference 'R1000' it refers to more than 1000 schemas, "
						    "directly and indirectly");
	problems_release(&problems);
	schema_unref(chain);
}

static void imports_too_deep_in_each_other_are_refused(void **state)
{
	struct schema *chain = parse_protobuf("syntax = \"proto3\";");
	const char *reason = NULL;
	struct problems problems;
	int count = 0;

	(void)state;
	problems_init(&problems);
	while (!reason && count < SCHEMA_REFERENCES_MAX) {
		const struct schema_reference reference = {"up.proto", chain};
		struct schema *next = NULL;
		char text[100];

		/* Another text each time, so that none is the same as the one before. */
		(void)snprintf(text, sizeof(text), "syntax = \"proto3\"; message M%d {}", ++count);
		if (schema_parse(SCHEMA_FORMAT_PROTOBUF, bytes_of_text(text), &reference, 1, &next, &problems))
			reason = problems.items[0].text;
		schema_unref(next ? chain : NULL);
		chain = next ? next : chain;
	}
	assert_int_equal(count, 316);
	assert_string_equal(reason,
			    "with the reference 'up.proto' its imports are too deep in each other: what each of "
			    "them imports makes more than 50000 files in all");
	problems_release(&problems);
	schema_unref(chain);
}

/* Each file imports both of the layer below, so there are more ways down than anybody can walk. */
static void shared_imports_are_walked_once(void **state)
{
	enum { LAYERS = 40 };
	struct schema *layers[LAYERS][2];
	struct schema *top;

	(void)state;
	for (int i = 0; i < LAYERS; i++) {
		for (int k = 0; k < 2; k++) {
			char names[2][20];
			char text[300];
			struct schema_reference references[2];

			(void)snprintf(text, sizeof(text), "syntax = \"proto3\"; message M%d_%d {}", i, k);
			for (int j = 0; j < 2 && i > 0; j++) {
				(void)snprintf(names[j], sizeof(names[j]), "m%d_%d.proto", i - 1, j);
				references[j] = (struct schema_reference){names[j], layers[i - 1][j]};
			}
			if (i > 0)
				(void)snprintf(text, sizeof(text),
					       "syntax = \"proto3\"; import \"%s\"; import \"%s\"; "
					       "message M%d_%d { M%d_0 a = 1; M%d_1 b = 2; }",
					       names[0], names[1], i, k, i - 1, i - 1);
			layers[i][k] = parse_with(SCHEMA_FORMAT_PROTOBUF, text, references, i > 0 ? 2 : 0);
		}
	}
	top = layers[LAYERS - 1][0];
	assert_true(is_compatible(COMPAT_STRICT, top, top, NULL));
	assert_true(is_compatible(COMPAT_FULL, layers[LAYERS - 2][0], layers[LAYERS - 2][0], NULL));
	for (int i = 0; i < LAYERS; i++) {
		schema_unref(layers[i][0]);
		schema_unref(layers[i][1]);
	}
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
		cmocka_unit_test(references_are_bounded_by_their_number_not_their_depth),
		cmocka_unit_test(imports_too_deep_in_each_other_are_refused),
		cmocka_unit_test(shared_imports_are_walked_once),
		cmocka_unit_test(format_names_are_read_as_clients_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
