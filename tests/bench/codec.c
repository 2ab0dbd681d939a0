/*
 * codec.c - how long one message of ten fields takes to encode and to decode, in each format.
 *
 * Prints the median of many rounds, so that what else the machine does hardly counts. No arguments.
 */
#include <stdio.h>

#include "lib/base/clock.h"
#include "schema-registry/codec/codec.h"

enum { ROUNDS = 301, CALLS = 2000 };

static const char AVRO[] =
	"{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"order_id\",\"type\":\"string\"},"
	"{\"name\":\"user_id\",\"type\":\"string\"},{\"name\":\"currency\",\"type\":\"string\"},"
	"{\"name\":\"total\",\"type\":\"long\"},{\"name\":\"quantity\",\"type\":\"int\"},{\"name\":\"weight\",\"type\":"
	"\"double\"},"
	"{\"name\":\"express\",\"type\":\"boolean\"},{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":"
	"null},"
	"{\"name\":\"state\",\"type\":{\"type\":\"enum\",\"name\":\"State\",\"symbols\":[\"NEW\",\"PAID\"]}},"
	"{\"name\":\"created\",\"type\":\"long\"}]}";
static const char PROTOBUF[] =
	"syntax = \"proto3\"; enum State { NEW = 0; PAID = 1; } message Order { string order_id = 1; string user_id = "
	"2; "
	"string currency = 3; int64 total = 4; int32 quantity = 5; double weight = 6; bool express = 7; "
	"optional string note = 8; State state = 9; int64 created = 10; }";
static const char MESSAGE[] = "{\"order_id\":\"01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\",\"user_id\":\"user-4711\","
			      "\"currency\":\"EUR\",\"total\":4999,"
			      "\"quantity\":3,\"weight\":1.25,\"express\":true,\"note\":\"ring "
			      "twice\",\"state\":\"PAID\",\"created\":1790000000000}";

static int compare(const void *a, const void *b)
{
	const double *first = a;
	const double *second = b;

	return (*first > *second) - (*first < *second);
}

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench-codec: %s: %s\n", what, why);
	abort();
}

static double encode_ns(const struct schema_type *type, const struct value *value, struct buffer *out)
{
	struct problems problems;
	int64_t began_us = clock_monotonic_us();

	problems_init(&problems);
	for (int i = 0; i < CALLS; i++) {
		buffer_clear(out);
		if (codec_encode(type, value, "", out, &problems) < 0)
			die("encode", problems.items[0].text);
	}
	problems_release(&problems);
	return (double)(clock_monotonic_us() - began_us) * 1000 / CALLS;
}

static double decode_ns(const struct schema_type *type, struct bytes message, struct arena *arena)
{
	int64_t began_us = clock_monotonic_us();

	for (int i = 0; i < CALLS; i++) {
		struct value value;
		struct error err;

		arena_clear(arena);
		if (codec_decode(type, message, arena, &value, &err) < 0)
			die("decode", err.msg);
	}
	return (double)(clock_monotonic_us() - began_us) * 1000 / CALLS;
}

static void measure(const char *name, enum schema_format format, const char *text)
{
	double encode[ROUNDS];
	double decode[ROUNDS];
	_cleanup_(schema_unrefp)
	struct schema *schema = NULL;
	_cleanup_(buffer_release)
	struct buffer out = {0};
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(arena_release)
	struct arena message_arena = {0};
	struct problems problems;
	struct value value;
	struct error err;

	problems_init(&problems);
	if (schema_parse(format, bytes_of_text(text), NULL, 0, &schema, &problems) < 0)
		die(problems.items[0].place, problems.items[0].text);
	if (value_parse_json(bytes_of_text(MESSAGE), &message_arena, &value, &err) < 0)
		die("message", err.msg);
	problems_release(&problems);
	for (int i = 0; i < ROUNDS; i++) {
		encode[i] = encode_ns(schema_root(schema), &value, &out);
		decode[i] = decode_ns(schema_root(schema), buffer_bytes(&out), &arena);
	}
	qsort(encode, ROUNDS, sizeof(*encode), compare);
	qsort(decode, ROUNDS, sizeof(*decode), compare);
	(void)printf("%-9s %zu bytes  encode %4.0f ns  decode %4.0f ns  (median of %d rounds)\n", name, out.len,
		     encode[ROUNDS / 2], decode[ROUNDS / 2], ROUNDS);
}

int main(void)
{
	measure("Avro", SCHEMA_FORMAT_AVRO, AVRO);
	measure("Protobuf", SCHEMA_FORMAT_PROTOBUF, PROTOBUF);
	return 0;
}
