/* protobuf_codec_test.c - Protobuf's encoding; the golden bytes were made by Google's implementation. */
#include "tests/unit/schema-registry/codec/codec_fixture.h"

static const char all_text[] =
	"syntax = \"proto3\"; package g; message G { int32 i = 1; sint64 s = 2; fixed32 x = 3; double d = 4; bool b = "
	"5;"
	" string t = 6; bytes y = 7; repeated int32 p = 8; repeated string r = 9; map<string, int32> m = 10;"
	" oneof o { string a = 11; G g = 12; } optional int32 z = 13; E e = 14; uint64 u = 15; float f = 16;"
	" repeated sfixed64 q = 17 [packed = false]; enum E { ZERO = 0; ONE = 1; NEG = -1; } }";

static const char all_json[] = "{\"i\":-1,\"s\":-3,\"x\":7,\"d\":0.5,\"b\":true,\"t\":\"h\xc3\xa9\",\"y\":\"AP8=\","
			       "\"p\":[1,300],\"r\":[\"a\",\"\"],"
			       "\"m\":{\"a\":0,\"k\":1},\"g\":{\"i\":5},\"z\":0,\"e\":\"NEG\",\"u\":"
			       "18446744073709551615,\"f\":1.5,\"q\":[-1]}";

static const char all_hex[] =
	"08ffffffffffffffffff0110051d0700000021000000000000e03f2801320368c3a93a0200ff420301ac024a01614a0052050a01611000"
	"52050a"
	"016b100162020805680070ffffffffffffffffff0178ffffffffffffffffff0185010000c03f8901ffffffffffffffff";

/* What a message is that has nothing set. */
#define EMPTY_G                                                                                                        \
	"{\"i\":0,\"s\":0,\"x\":0,\"d\":0.0,\"b\":false,\"t\":\"\",\"y\":\"\",\"p\":[],\"r\":[],\"m\":{},"             \
	"\"e\":\"ZERO\",\"u\":0,\"f\":0.0,\"q\":[]}"

static struct schema *parse(const char *text)
{
	return parse_schema(SCHEMA_FORMAT_PROTOBUF, text);
}

static void every_type_has_the_bytes_of_the_specification(void **state)
{
	struct schema *schema = parse(all_text);
	struct buffer text = {0};

	(void)state;
	check_encoding(schema, all_json, all_hex);
	assert_int_equal(decode_hex(schema, all_hex, &text), ERR_NONE);
	assert_non_null(strstr(
		buffer_text(&text),
		"{\"i\":-1,\"s\":-3,\"x\":7,\"d\":0.5,\"b\":true,\"t\":\"h\xc3\xa9\",\"y\":\"AP8=\",\"p\":[1,300],"
		"\"r\":[\"a\",\"\"],\"m\":{\"a\":0,\"k\":1},\"g\":{\"i\":5,\"s\":0,"));
	assert_non_null(
		strstr(buffer_text(&text), "},\"z\":0,\"e\":\"NEG\",\"u\":18446744073709551615,\"f\":1.5,\"q\":[-1]}"));
	buffer_release(&text);
	schema_unref(schema);
}

static void unset_fields_have_their_zero_only_without_presence(void **state)
{
	struct schema *schema = parse(all_text);

	(void)state;
	check_encoding(schema, "{}", "");
	check_decoding(schema, "", EMPTY_G);
	check_encoding(schema, EMPTY_G, "");
	schema_unref(schema);
}

static void input_is_taken_leniently(void **state)
{
	struct schema *schema =
		parse("syntax = \"proto3\"; message M { int64 order_id = 1; uint64 u = 2; E e = 3; bytes b = 4;"
		      " double d = 5; map<int32, bool> m = 6; map<bool, string> k = 7; enum E { Z = 0; ONE = 1; } }");

	(void)state;
	check_encoding(schema, "{\"order_id\":\"-5\"}", "08fbffffffffffffffff01");
	check_encoding(schema, "{\"orderId\":7.0}", "0807");
	check_encoding(schema, "{\"u\":\"18446744073709551615\"}", "10ffffffffffffffffff01");
	check_encoding(schema, "{\"u\":1e3}", "10e807");
	check_encoding(schema, "{\"e\":\"ONE\"}", "1801");
	check_encoding(schema, "{\"e\":77}", "184d");
	check_encoding(schema, "{\"b\":\"-_8\"}", "2202fbff");
	check_encoding(schema, "{\"d\":3}", "290000000000000840");
	check_encoding(schema, "{\"d\":\"-Infinity\"}", "29000000000000f0ff");
	check_encoding(schema, "{\"order_id\":null,\"m\":null}", "");
	check_encoding(schema, "{\"m\":{\"-1\":true}}", "320d08ffffffffffffffffff011001");
	check_encoding(schema, "{\"k\":{\"true\":\"x\"}}",
		       "3a0508011201"
		       "78");
	schema_unref(schema);
}

static void misfits_are_all_told_with_their_paths(void **state)
{
	struct schema *schema = parse(all_text);

	(void)state;
	check_refusal(
		schema,
		"{\"i\":1.5,\"x\":-1,\"u\":18446744073709551616,\"b\":\"true\",\"t\":1,\"y\":\"?\",\"p\":[1,null],"
		"\"r\":\"a\",\"m\":{\"k\":\"z\"},\"g\":{\"g\":{\"nope\":1}},\"a\":\"\",\"e\":\"TWO\",\"f\":1e39}",
		"input.g: is given beside 'a', but oneof 'o' holds one of them\n"
		"input.i: expected a whole number of 32 bits, got number 1.5\n"
		"input.x: expected a whole number of 32 bits, not negative, got number -1\n"
		"input.b: expected true or false, got text \"true\"\n"
		"input.t: expected a text in UTF-8, got number 1\n"
		"input.y: expected bytes, or a text in base64, got text \"?\"\n"
		"input.p[1]: expected a whole number of 32 bits, got null\n"
		"input.r: expected a list, got text \"a\"\n"
		"input.m[\"k\"]: expected a whole number of 32 bits, got text \"z\"\n"
		"input.g.g.nope: the schema has no such field\n"
		"input.e: expected a symbol of the enum, got text \"TWO\"\n"
		"input.u: expected a whole number of 64 bits, not negative, got number 1.8446744073709552e+19\n"
		"input.f: expected a number, got number 1e+39\n");
	schema_unref(schema);
}

static void required_fields_are_required(void **state)
{
	struct schema *schema =
		parse("syntax = \"proto2\"; message M { required int32 a = 1; optional group G = 2 {"
		      " required string x = 1; } repeated int32 p = 3; optional E e = 4; enum E { ONE = 1; } }");

	(void)state;
	check_refusal(schema, "{\"g\":{}}", "input.a: is required and absent\ninput.g.x: is required and absent\n");
	check_encoding(schema, "{\"a\":0,\"g\":{\"x\":\"y\"},\"p\":[1,2]}",
		       "0800130a0179141801"
		       "1802");
	check_decoding(schema,
		       "0800130a0179141801"
		       "1802",
		       "{\"a\":0,\"g\":{\"x\":\"y\"},\"p\":[1,2]}");
	check_refusal(schema, "{\"a\":0,\"e\":2}", "input.e: expected a symbol of the enum, got number 2\n");
	check_decoding(schema, "08002002", "{\"a\":0,\"p\":[]}"); /* a closed enum: the number is an unknown field */
	check_corruption(schema, "1801", ERR_CORRUPT, "the required field 'a' is missing");
	schema_unref(schema);
}

static void both_forms_of_repeated_numbers_are_read(void **state)
{
	struct schema *schema = parse(
		"syntax = \"proto3\"; message M { repeated sint32 p = 1; repeated double d = 2 [packed = false]; }");

	(void)state;
	check_decoding(schema, "0a0201020806", "{\"p\":[-1,1,3],\"d\":[]}");
	check_decoding(schema, "1210000000000000f03f0000000000000040", "{\"p\":[],\"d\":[1.0,2.0]}");
	schema_unref(schema);
}

static void unknown_fields_are_skipped(void **state)
{
	struct schema *schema = parse("syntax = \"proto3\"; message M { int32 a = 1; }");

	(void)state;
	/* varint, 8 bytes, length, group with a group in it, 4 bytes, and field 1 with another wire type */
	check_decoding(schema,
		       "f80101"
		       "f9010102030405060708"
		       "fa0102ffff"
		       "fb01"
		       "0805"
		       "0b"
		       "0c"
		       "fc01"
		       "fd0101020304"
		       "0a0161"
		       "0807",
		       "{\"a\":7}");
	schema_unref(schema);
}

static void the_last_of_several_counts_and_messages_merge(void **state)
{
	struct schema *schema =
		parse("syntax = \"proto3\"; message M { int32 a = 1; I i = 2; oneof o { I x = 3; string y = 4; }"
		      " map<string, int32> m = 5; message I { int32 p = 1; int32 q = 2; repeated int32 r = 3; } }");

	(void)state;
	check_decoding(schema, "08010802", "{\"a\":2,\"m\":{}}");
	check_decoding(schema,
		       "120208011200"
		       "1206100218031803",
		       "{\"a\":0,\"i\":{\"p\":1,\"q\":2,\"r\":[3,3]},\"m\":{}}");
	check_decoding(schema, "1a02080122017a", "{\"a\":0,\"y\":\"z\",\"m\":{}}");
	check_decoding(schema, "22017a1a020801", "{\"a\":0,\"x\":{\"p\":1,\"q\":0,\"r\":[]},\"m\":{}}");
	check_decoding(schema, "1a0208011a021002", "{\"a\":0,\"x\":{\"p\":1,\"q\":2,\"r\":[]},\"m\":{}}");
	/* a set again after another member: what it was before is gone */
	check_decoding(schema, "1a02080122017a1a021002", "{\"a\":0,\"x\":{\"p\":0,\"q\":2,\"r\":[]},\"m\":{}}");
	check_decoding(schema, "2a050a016b10012a050a016110022a050a016b10032a00",
		       "{\"a\":0,\"m\":{\"\":0,\"a\":2,\"k\":3}}");
	schema_unref(schema);
}

static void corrupt_bytes_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *hex;
		enum err_code code;
		const char *part;
	} cases[] = {
		{"08", ERR_CORRUPT, "ends inside a number at byte 1"},
		{"08ffffffffffffffffff02", ERR_CORRUPT, "more than 64 bits"},
		{"3205", ERR_CORRUPT, "5 bytes are announced, but 0 are left"},
		{"3201ff", ERR_CORRUPT, "field 't' is not UTF-8"},
		{"1d0102", ERR_CORRUPT, "4 bytes are announced"},
		{"0001", ERR_CORRUPT, "impossible number 0"},
		{"0f", ERR_CORRUPT, "unknown wire type 7"},
		{"0c", ERR_CORRUPT, "unknown wire type 4"},
		{"fb01", ERR_CORRUPT, "ends inside a number"},
		{"fb018c02", ERR_CORRUPT, "a group ends that did not begin"},
		{"4203808080", ERR_CORRUPT, "ends inside a number"},
		{"62020a", ERR_CORRUPT, "2 bytes are announced"},
		{"6203320561", ERR_CORRUPT, "5 bytes are announced, but 1 are left at byte 4"},
		{"80808080808080808001", ERR_CORRUPT, "impossible number"},
	};
	struct schema *schema = parse(all_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_corruption(schema, cases[i].hex, cases[i].code, cases[i].part);
	schema_unref(schema);
}

static void depth_is_limited_for_known_and_unknown_fields(void **state)
{
	struct schema *schema = parse("syntax = \"proto3\"; message N { N n = 1; }");
	struct buffer bytes = {0};
	struct buffer hex = {0};

	(void)state;
	for (int levels = 99; levels <= 100; levels++) {
		buffer_clear(&bytes);
		buffer_clear(&hex);
		for (int i = 0; i < levels; i++) { /* each level stands before the ones it holds */
			struct buffer outer = {0};

			buffer_append_byte(&outer, 0x0a);
			if (bytes.len >= 128)
				buffer_append_byte(&outer, (uint8_t)(bytes.len | 0x80));
			buffer_append_byte(&outer, (uint8_t)(bytes.len >= 128 ? bytes.len >> 7 : bytes.len));
			buffer_append(&outer, bytes.data, bytes.len);
			buffer_release(&bytes);
			bytes = outer;
		}
		for (size_t i = 0; i < bytes.len; i++)
			buffer_append_format(&hex, "%02x", bytes.data[i]);
		if (levels == 99)
			assert_int_equal(decode_hex(schema, buffer_text(&hex), &bytes), ERR_NONE);
		else
			check_corruption(schema, buffer_text(&hex), ERR_LIMIT, "more than 100 levels deep");
	}
	buffer_clear(&hex);
	for (int i = 0; i < 100000; i++)
		buffer_append_text(&hex, "13"); /* groups that begin and never end */
	check_corruption(schema, buffer_text(&hex), ERR_LIMIT, "more than 100 levels deep");
	buffer_release(&bytes);
	buffer_release(&hex);
	schema_unref(schema);
}

static void messages_other_than_the_first_are_chosen_by_path(void **state)
{
	struct schema *schema =
		parse("syntax = \"proto3\"; message A { int32 x = 1; } message B { message C { string y = 1; } }");
	const struct schema_type *type = schema_message_at(schema, (int32_t[]){1, 0}, 2);
	struct buffer out = {0};
	struct problems problems;
	struct arena arena;
	struct value value = value_record();

	(void)state;
	arena_init(&arena, 0);
	problems_init(&problems);
	value_set(&arena, &value, "y", value_text_of("z"));
	assert_int_equal(codec_encode(type, &value, "", &out, &problems), 0);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.data, "\x0a\x01z", 3);
	buffer_release(&out);
	problems_release(&problems);
	arena_release(&arena);
	schema_unref(schema);
}

static void long_submessages_get_long_lengths(void **state)
{
	struct schema *schema = parse("syntax = \"proto3\"; message M { string t = 1; M m = 2; }");
	struct buffer json = {0};
	struct buffer hex = {0};
	struct buffer back = {0};

	(void)state;
	for (size_t len = 100; len < 40000; len = len * 3 + 1) {
		buffer_clear(&json);
		buffer_append_text(&json, "{\"t\":\"\",\"m\":{\"t\":\"");
		for (size_t i = 0; i < len; i++)
			buffer_append_byte(&json, 'x');
		buffer_append_text(&json, "\"}}");
		assert_true(encode_json(schema, buffer_text(&json), &hex));
		assert_int_equal(decode_hex(schema, buffer_text(&hex), &back), ERR_NONE);
		assert_string_equal(buffer_text(&back), buffer_text(&json));
	}
	buffer_release(&json);
	buffer_release(&hex);
	buffer_release(&back);
	schema_unref(schema);
}

/* The message as JSON with its extensions, or the error's text. */
static void expect_extended(const struct schema *schema, const char *hex, const char *json)
{
	struct arena arena;
	struct buffer bytes = {0};
	struct buffer text = {0};
	struct value value;
	struct error err;

	arena_init(&arena, 0);
	append_hex(&bytes, hex);
	if (codec_decode_extended(schema_root(schema), buffer_bytes(&bytes), &arena, &value, &err))
		buffer_append_text(&text, err.msg);
	else
		value_print_json(&value, &text);
	assert_string_equal(buffer_text(&text), json);
	buffer_release(&bytes);
	buffer_release(&text);
	arena_release(&arena);
}

static void extensions_are_shown_by_their_full_names(void **state)
{
	struct schema *schema =
		parse("syntax = \"proto2\"; package p; message M { optional int32 a = 1; extensions 100 to 199; "
		      "optional M inner = 2; } "
		      "extend M { optional string note = 100; repeated int32 n = 101 [packed = true]; optional M more "
		      "= 102; } "
		      "message N { extend M { optional E e = 103; repeated string many = 104; } } "
		      "enum E { ZERO = 0; ONE = 1; }");

	(void)state;
	expect_extended(schema, "0801", "{\"a\":1}");
	expect_extended(schema,
			"a206026869"
			"0801",
			"{\"a\":1,\"[p.note]\":\"hi\"}");
	/* packed and not, what is sent twice, an enum, and a number that nobody has declared */
	expect_extended(schema,
			"aa06020102"
			"a806"
			"03"
			"a2060161"
			"a2060162"
			"b80601"
			"c00605",
			"{\"[p.note]\":\"b\",\"[p.n]\":[1,2,3],\"[p.N.e]\":\"ONE\"}");
	/* in a field, in an extension, and in parts that are merged */
	expect_extended(schema, "1205a206026869", "{\"inner\":{\"[p.note]\":\"hi\"}}");
	expect_extended(schema,
			"b20605a206026869"
			"b206020801",
			"{\"[p.more]\":{\"a\":1,\"[p.note]\":\"hi\"}}");
	expect_extended(schema, "a2060568", "5 bytes are announced, but 1 are left at byte 3 of the message");
	check_decoding(schema,
		       "a206026869"
		       "0801",
		       "{\"a\":1}"); /* sagas see fields alone */
	schema_unref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_the_bytes_of_the_specification),
		cmocka_unit_test(unset_fields_have_their_zero_only_without_presence),
		cmocka_unit_test(input_is_taken_leniently),
		cmocka_unit_test(misfits_are_all_told_with_their_paths),
		cmocka_unit_test(required_fields_are_required),
		cmocka_unit_test(both_forms_of_repeated_numbers_are_read),
		cmocka_unit_test(unknown_fields_are_skipped),
		cmocka_unit_test(the_last_of_several_counts_and_messages_merge),
		cmocka_unit_test(corrupt_bytes_are_refused_with_their_place),
		cmocka_unit_test(depth_is_limited_for_known_and_unknown_fields),
		cmocka_unit_test(messages_other_than_the_first_are_chosen_by_path),
		cmocka_unit_test(extensions_are_shown_by_their_full_names),
		cmocka_unit_test(long_submessages_get_long_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
