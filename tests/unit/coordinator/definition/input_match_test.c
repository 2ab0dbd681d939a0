/* input_match_test.c - the same wish under two versions of an input schema, in both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "coordinator/definition/input_match.h"
#include "lib/base/memory.h"
#include "schema-registry/codec/codec.h"
#include "tests/unit/coordinator/definition/fake_schemas.h"

static const char AVRO_OLD[] = "{\"type\":\"record\",\"name\":\"In\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
			       "{\"name\":\"count\",\"type\":\"int\"}]}";
static const char AVRO_NEW[] = "{\"type\":\"record\",\"name\":\"In\",\"fields\":[{\"name\":\"note\",\"type\":[\"null\","
			       "\"string\"],\"default\":null},{\"name\":\"id\",\"type\":\"string\"},"
			       "{\"name\":\"count\",\"type\":\"long\"}]}";
static const char PROTOBUF_OLD[] = "syntax = \"proto3\"; message In { string id = 1; int32 count = 2; }";
static const char PROTOBUF_NEW[] = "syntax = \"proto3\"; message In { string id = 1; int64 count = 2; optional string "
				   "note = 3; string colour = 4; }";

struct fixture {
	struct fake_schemas schemas;
	struct plan_schema inputs[2];
	struct plan plans[2]; /* by version of the input */
	struct buffer bytes[2];
};

static void set_up(struct fixture *f, enum schema_format format, const char *old, const char *new)
{
	const char *const texts[] = {old, new};

	*f = (struct fixture){0};
	fake_schemas_init(&f->schemas);
	for (size_t i = 0; i < 2; i++) {
		f->inputs[i].schema_id = fake_schemas_add(&f->schemas, "in-input", format, texts[i]);
		f->inputs[i].type = schema_root(f->schemas.items[i].schema);
		f->plans[i].input = &f->inputs[i];
	}
}

static void tear_down(struct fixture *f)
{
	buffer_release(&f->bytes[0]);
	buffer_release(&f->bytes[1]);
	fake_schemas_release(&f->schemas);
}

static void encode(struct fixture *f, size_t version, const char *json)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct problems problems;
	struct value value;
	struct error err;

	buffer_clear(&f->bytes[version]);
	problems_init(&problems);
	assert_int_equal(value_parse_json(bytes_of_text(json), &arena, &value, &err), 0);
	assert_int_equal(codec_encode(f->inputs[version].type, &value, "", &f->bytes[version], &problems), 0);
	problems_release(&problems);
}

/* The same answer from both sides. */
static bool match(struct fixture *f, const char *old, const char *new)
{
	bool is_match;

	encode(f, 0, old);
	encode(f, 1, new);
	is_match = input_match(&f->plans[0], buffer_bytes(&f->bytes[0]), &f->plans[1], buffer_bytes(&f->bytes[1]));
	assert_int_equal(is_match, input_match(&f->plans[1], buffer_bytes(&f->bytes[1]), &f->plans[0],
					       buffer_bytes(&f->bytes[0])));
	return is_match;
}

static void check(enum schema_format format, const char *old, const char *new)
{
	static const char GIVEN[] = "{\"id\":\"o-1\",\"count\":3}";
	struct fixture f;

	set_up(&f, format, old, new);
	assert_true(match(&f, GIVEN, GIVEN));
	assert_true(match(&f, GIVEN, "{\"id\":\"o-1\",\"count\":3,\"note\":null}"));
	assert_false(match(&f, GIVEN, "{\"id\":\"o-1\",\"count\":4}"));
	assert_false(match(&f, GIVEN, "{\"id\":\"o-1\",\"count\":3,\"note\":\"new\"}"));
	tear_down(&f);
}

static void equal_wishes_match_under_another_schema(void **state)
{
	(void)state;
	check(SCHEMA_FORMAT_AVRO, AVRO_OLD, AVRO_NEW);
	check(SCHEMA_FORMAT_PROTOBUF, PROTOBUF_OLD, PROTOBUF_NEW);
}

static void under_one_schema_bytes_decide(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, SCHEMA_FORMAT_AVRO, AVRO_OLD, AVRO_NEW);
	encode(&f, 0, "{\"id\":\"a\",\"count\":1}");
	encode(&f, 1, "{\"id\":\"a\",\"count\":1}");
	assert_true(input_match(&f.plans[0], buffer_bytes(&f.bytes[0]), &f.plans[0], buffer_bytes(&f.bytes[0])));
	assert_false(input_match(&f.plans[0], buffer_bytes(&f.bytes[0]), &f.plans[0], buffer_bytes(&f.bytes[1])));
	tear_down(&f);
}

static void bytes_of_another_message_do_not_match(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, SCHEMA_FORMAT_AVRO, AVRO_OLD, AVRO_NEW);
	encode(&f, 1, "{\"id\":\"a\",\"count\":1}");
	assert_false(input_match(&f.plans[0], bytes_of_text("\x05"), &f.plans[1], buffer_bytes(&f.bytes[1])));
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_wishes_match_under_another_schema),
		cmocka_unit_test(under_one_schema_bytes_decide),
		cmocka_unit_test(bytes_of_another_message_do_not_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
