/* codec.c - see codec.h: the limits, and the way to the right format. */
#include "schema-registry/codec/codec.h"

#include "schema-registry/codec/decoder.h"
#include "schema-registry/codec/encoder.h"
#include "schema-registry/model/schema_type.h"

int codec_encode(const struct schema_type *type, const struct value *value, const char *place_prefix,
		 struct buffer *out, struct problems *problems)
{
	struct encoder encoder = {.out = out, .start = out->len, .problems = problems, .prefix = place_prefix};
	size_t problems_before = problems->count;

	buffer_reserve(out, 256); /* most messages: no growth on the way */
	if (type->format == SCHEMA_FORMAT_AVRO)
		avro_encode(&encoder, type, value);
	else
		protobuf_encode(&encoder, type, value);
	if (problems->count == problems_before && out->len - encoder.start > CODEC_MESSAGE_BYTES_MAX)
		encoder_problem(&encoder, NULL, "the message has more than %d bytes: send less in it",
				CODEC_MESSAGE_BYTES_MAX);
	if (problems->count == problems_before)
		return 0;
	out->len = encoder.start;
	return -1;
}

static int decode(const struct schema_type *type, struct bytes bytes, bool has_extensions, struct arena *arena,
		  struct value *ret_value, struct error *err)
{
	struct decoder decoder = {.start = bytes.data,
				  .at = bytes.data,
				  .end = bytes.data + bytes.len,
				  .arena = arena,
				  .err = err,
				  .memory_left = DECODER_MEMORY_MAX,
				  .has_extensions = has_extensions};
	struct value value;

	if (bytes.len > CODEC_MESSAGE_BYTES_MAX)
		return error_set(err, ERR_LIMIT, "the message has %zu bytes; the limit is %d", bytes.len,
				 CODEC_MESSAGE_BYTES_MAX);
	if (type->format == SCHEMA_FORMAT_AVRO ? avro_decode(&decoder, type, &value)
					       : protobuf_decode(&decoder, type, &value))
		return -1;
	*ret_value = value;
	return 0;
}

int codec_decode(const struct schema_type *type, struct bytes bytes, struct arena *arena, struct value *ret_value,
		 struct error *err)
{
	return decode(type, bytes, false, arena, ret_value, err);
}

int codec_decode_extended(const struct schema_type *type, struct bytes bytes, struct arena *arena,
			  struct value *ret_value, struct error *err)
{
	return decode(type, bytes, true, arena, ret_value, err);
}
