/* message_reader.c - see message_reader.h. The scan follows the descriptor, since bytes alone do not tell a string from a
 * message. */
#include "coordinator/api/message_reader.h"

#include <assert.h>

enum { PATH_BYTES_MAX = 200, VARINT_BYTES_MAX = 10 };
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct scan {
	const uint8_t *start;
	struct problems *problems;
	struct error *err;
	char path[PATH_BYTES_MAX];
};

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static int refuse(struct scan *scan, const struct cursor *cursor, const char *why)
{
	return error_set(scan->err, ERR_INVALID, "cannot decode the request: %s at byte %zu", why,
			 (size_t)(cursor->at - scan->start));
}

static bool read_varint(struct cursor *cursor, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (int i = 0; i < VARINT_BYTES_MAX && cursor->at < cursor->end; i++) {
		uint8_t byte = *cursor->at++;

		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static void check_string(struct scan *scan, const uint8_t *data, size_t len)
{
	if (!utf8_is_valid(data, len))
		problems_add(scan->problems, scan->path, "is not valid UTF-8");
	else if (len && memchr(data, 0, len))
		problems_add(scan->problems, scan->path, "contains a zero byte");
}

/* Appends `.name`; returns the length to go back to. A path that is too long stays as it is. */
static size_t enter(struct scan *scan, const char *name)
{
	size_t len = strlen(scan->path);
	size_t name_len = strlen(name);

	if (len + name_len + 2 <= PATH_BYTES_MAX) {
		char *at = scan->path + len;

		if (len)
			*at++ = '.';
		memcpy(at, name, name_len + 1);
	}
	return len;
}

static int scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type, struct cursor cursor, int depth);

static int scan_bytes(struct scan *scan, const ProtobufCFieldDescriptor *field, struct cursor part, int depth)
{
	size_t back;
	int rc = 0;

	if (!field || (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE))
		return 0;
	back = enter(scan, field->name);
	if (field->type == PROTOBUF_C_TYPE_STRING)
		check_string(scan, part.at, (size_t)(part.end - part.at));
	else
		rc = scan_message(scan, field->descriptor, part, depth + 1);
	scan->path[back] = 0;
	return rc;
}

static int scan_field(struct scan *scan, const ProtobufCMessageDescriptor *type, struct cursor *cursor, int depth)
{
	uint64_t tag;
	uint64_t value = 0;

	if (!read_varint(cursor, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return refuse(scan, cursor, "bad field tag");
	switch (tag & 7) {
	case WIRE_VARINT:
		return read_varint(cursor, &value) ? 0 : refuse(scan, cursor, "bad number");
	case WIRE_FIXED64:
	case WIRE_FIXED32:
		value = (tag & 7) == WIRE_FIXED64 ? 8 : 4;
		break;
	case WIRE_BYTES:
		if (!read_varint(cursor, &value))
			return refuse(scan, cursor, "bad length");
		break;
	default:
		return refuse(scan, cursor, "unknown wire type");
	}
	if (value > (uint64_t)(cursor->end - cursor->at))
		return refuse(scan, cursor, "truncated field");
	cursor->at += value;
	if ((tag & 7) != WIRE_BYTES)
		return 0;
	return scan_bytes(scan, protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3)),
			  (struct cursor){cursor->at - value, cursor->at}, depth);
}

static int scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type, struct cursor cursor, int depth)
{
	if (depth > MESSAGE_DEPTH_MAX)
		return error_set(scan->err, ERR_LIMIT, "the request nests messages deeper than %d", MESSAGE_DEPTH_MAX);
	while (cursor.at < cursor.end) {
		if (scan_field(scan, type, &cursor, depth))
			return -1;
	}
	return 0;
}

/* ---- protobuf-c's allocator over an arena ---- */
struct arena_allocator {
	struct arena *arena;
	bool is_exhausted;
};

static void *allocate(void *ctx, size_t size)
{
	struct arena_allocator *allocator = ctx;
	void *memory = arena_try_alloc(allocator->arena, size);

	if (!memory)
		allocator->is_exhausted = true;
	return memory;
}

static void release(void *ctx, void *memory)
{
	(void)ctx; /* the arena ends all of it at once */
	(void)memory;
}

int message_read(const ProtobufCMessageDescriptor *type, struct bytes bytes, struct arena *arena,
		 ProtobufCMessage **ret_message, struct problems *problems, struct error *err)
{
	struct scan scan = {.start = bytes.data, .problems = problems, .err = err};
	struct arena_allocator state = {.arena = arena};
	ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &state};
	ProtobufCMessage *message;

	assert(type && arena && problems);
	if (scan_message(&scan, type, (struct cursor){bytes.data, bytes.data + bytes.len}, 1))
		return -1;
	if (problems->count)
		return problems_to_error(problems, ERR_INVALID, err);
	message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
	if (!message && state.is_exhausted)
		return error_set(err, ERR_LIMIT, "the request of %zu bytes needs more than %zu bytes of memory",
				 bytes.len, arena->limit_bytes);
	if (!message)
		return error_set(err, ERR_INVALID, "cannot decode the request as %s", type->name);
	*ret_message = message;
	return 0;
}
