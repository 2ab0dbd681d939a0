/* trace_context.c - see trace_context.h. */
#include "lib/trace/trace_context.h"

#include <string.h>

#include "lib/base/uuid.h"

/* Only lower case, as W3C demands. -1: no digit. */
static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool read_hex(const uint8_t *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static char *write_hex(char *text, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*text++ = digits[data[i] >> 4];
		*text++ = digits[data[i] & 15];
	}
	return text;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	while (len > 0 && data[len - 1] == 0)
		len--;
	return len == 0;
}

bool trace_context_parse(struct bytes text, struct trace_context *ret_context)
{
	struct trace_context context;
	const uint8_t *at = text.data;
	uint8_t version;
	uint8_t flags;

	if (text.len < TRACEPARENT_LEN || at[2] != '-' || at[35] != '-' || at[52] != '-' ||
	    !read_hex(at, &version, 1) || version == 0xff)
		return false;
	if (version == 0 ? text.len != TRACEPARENT_LEN : text.len > TRACEPARENT_LEN && at[TRACEPARENT_LEN] != '-')
		return false;
	if (!read_hex(at + 3, context.trace_id, TRACE_ID_LEN) || !read_hex(at + 36, context.span_id, SPAN_ID_LEN) ||
	    !read_hex(at + 53, &flags, 1))
		return false;
	if (is_zero(context.trace_id, TRACE_ID_LEN) || is_zero(context.span_id, SPAN_ID_LEN))
		return false;
	context.is_sampled = flags & 1;
	*ret_context = context;
	return true;
}

void trace_context_format(const struct trace_context *context, char ret_text[TRACEPARENT_LEN + 1])
{
	char *at = ret_text;

	memcpy(at, "00-", 3);
	at = write_hex(at + 3, context->trace_id, TRACE_ID_LEN);
	*at++ = '-';
	at = write_hex(at, context->span_id, SPAN_ID_LEN);
	memcpy(at, context->is_sampled ? "-01" : "-00", 4);
}

/* The end of a version 7 UUID is random but for two bits, which are never both zero: so is no id. */
static void new_span_id(uint8_t span_id[SPAN_ID_LEN])
{
	struct uuid id = uuid_v7_new();

	memcpy(span_id, id.data + sizeof(id.data) - SPAN_ID_LEN, SPAN_ID_LEN);
}

struct trace_context trace_context_new(void)
{
	struct trace_context context = {.is_sampled = true};
	struct uuid id = uuid_v7_new();

	memcpy(context.trace_id, id.data, TRACE_ID_LEN);
	new_span_id(context.span_id);
	return context;
}

struct trace_context trace_context_child(const struct trace_context *parent)
{
	struct trace_context child = *parent;

	new_span_id(child.span_id);
	return child;
}

bool trace_context_from_trace_id(struct bytes text, struct trace_context *ret_context)
{
	struct trace_context context = trace_context_new();
	struct uuid id;

	if (uuid_parse((const char *)text.data, text.len, &id))
		memcpy(context.trace_id, id.data, TRACE_ID_LEN);
	else if (text.len != 2 * TRACE_ID_LEN || !read_hex(text.data, context.trace_id, TRACE_ID_LEN))
		return false;
	if (is_zero(context.trace_id, TRACE_ID_LEN))
		return false;
	*ret_context = context;
	return true;
}
