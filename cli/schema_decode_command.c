/* schema_decode_command.c - sagactl schema decode. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/file.h"
#include "lib/kafka/topic_name.h"
#include "lib/kafka/topic_reader.h"
#include "schema-registry/client/message.h"
#include "schema-registry/codec/codec.h"

static const char *hex_text;
static const char *topic;
static int64_t partition;
static int64_t offset;
static int64_t record_count;

static const struct option decode_options[] = {
	{.flag = "hex", .value_name = "HEX", .help = "The message itself; blanks do not count.", .place = &hex_text},
	{.flag = "topic",
	 .value_name = "TOPIC",
	 .help = "Records of a topic.",
	 .check_text = topic_name_check,
	 .place = &topic},
	{.flag = "partition",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "Of the topic.",
	 .place = &partition},
	{.flag = "offset",
	 .type = OPTION_INT,
	 .default_text = "-1",
	 .min = -1,
	 .max = INT64_MAX,
	 .value_name = "N",
	 .help = "The first record; -1: the last ones.",
	 .place = &offset},
	{.flag = "count",
	 .type = OPTION_INT,
	 .default_text = "1",
	 .min = 1,
	 .max = 1000000,
	 .value_name = "N",
	 .help = "How many records.",
	 .place = &record_count},
};

struct decoding {
	struct registry_client *client;
	bool has_failed; /* a record of several that could not be decoded; the others go on */
};

/* Appends `"schemaId":…,"message":…,"value":…`. */
static int append_decoded(struct decoding *decoding, struct bytes message, struct buffer *out, struct error *err)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct decoded_message decoded;
	const char *name;

	if (message_decode_any(decoding->client, message, &arena, &decoded, err) < 0)
		return -1;
	name = schema_type_name(decoded.type);
	buffer_append_format(out, "\"schemaId\":%" PRId32 ",\"message\":", decoded.schema_id);
	buffer_append_json_string(out, name, strlen(name));
	buffer_append_text(out, ",\"value\":");
	value_print_json(&decoded.value, out);
	return 0;
}

/* ---- one message ---- */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_hex(const char *text, struct buffer *out, struct error *err)
{
	int high = -1;

	for (size_t i = 0; text[i]; i++) {
		int digit = digit_of(text[i]);

		if (strchr(" \t\r\n", text[i]))
			continue;
		if (digit < 0)
			return error_set(err, ERR_INVALID, "--hex: character %zu is no hexadecimal digit", i + 1);
		if (high >= 0)
			buffer_append_byte(out, (uint8_t)(high << 4 | digit));
		high = high >= 0 ? -1 : digit;
	}
	return high < 0 ? 0 : error_set(err, ERR_INVALID, "--hex: the last byte has one digit");
}

static int decode_one(struct decoding *decoding, const char *path, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer message = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	int result = path ? file_read(path, CODEC_MESSAGE_BYTES_MAX, &message, err)
			  : parse_hex(hex_text, &message, err);

	if (result < 0 || append_decoded(decoding, buffer_bytes(&message), &out, err) < 0)
		return -1;
	(void)printf("{%s}\n", buffer_text(&out));
	return 0;
}

/* ---- records ---- */

static void append_key(struct buffer *out, struct bytes key)
{
	if (key.data)
		buffer_append_json_string(out, (const char *)key.data, key.len);
	else
		buffer_append_text(out, "null");
}

static int take_record(void *ctx, const struct kafka_record *record, struct error *err)
{
	struct decoding *decoding = ctx;
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_format(&out, "{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"key\":", record->partition,
			     record->offset);
	append_key(&out, record->key);
	buffer_append_byte(&out, ',');
	if (!record->has_value) {
		buffer_append_text(&out, "\"value\":null");
	} else if (append_decoded(decoding, record->value, &out, err) < 0) {
		if (err->is_retriable)
			return -1;
		buffer_append_text(&out, "\"error\":");
		buffer_append_json_string(&out, err->msg, strlen(err->msg));
		decoding->has_failed = true;
	}
	(void)printf("%s}\n", buffer_text(&out));
	return 0;
}

static int decode_records(struct session *session_, struct decoding *decoding, struct error *err)
{
	struct kafka_options options = session_kafka(session_);
	struct topic_range range = {.topic = topic,
				    .partition = (int32_t)partition,
				    .offset = offset,
				    .count = record_count,
				    .timeout_ms = session_->call_timeout_ms};
	_cleanup_(topic_reader_freep)
	struct topic_reader *reader = NULL;

	return topic_reader_new(&options, &reader, err) < 0
		       ? -1
		       : topic_reader_read_range(reader, &range, take_record, decoding, err);
}

static enum exit_code run_decode(struct session *session_, char **arguments, int count)
{
	struct registry_client_options options = session_registry(session_);
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);
	struct decoding decoding = {.client = client};
	struct error err;
	int result;

	if ((count > 0) + (hex_text != NULL) + (topic != NULL) != 1) {
		(void)fprintf(stderr, "sagactl schema decode: give a file (- is standard input), --hex, or --topic\n");
		return EXIT_USAGE;
	}
	if (topic)
		result = decode_records(session_, &decoding, &err);
	else
		result = decode_one(&decoding, count > 0 ? arguments[0] : NULL, &err);
	if (result < 0)
		return session_fail(&err);
	return decoding.has_failed ? EXIT_FAILED : EXIT_DONE;
}

const struct command schema_decode_command = {
	.name = "schema decode",
	.arguments = "[FILE]",
	.arguments_max = 1,
	.summary = "show messages in wire format as JSON, by the schema that their id names",
	.notes = "One JSON object a line. 64-bit integers are numbers, bytes are base64.\n",
	.examples = "sagactl schema decode --topic order.created --count 10\n"
		    "sagactl schema decode --hex '00 00000011 00 0a036f2d31'\n",
	.options = decode_options,
	.option_count = ARRAY_LEN(decode_options),
	.run = run_decode,
};
