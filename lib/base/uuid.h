/*
 * uuid.h - UUIDs (RFC 9562): version 7 for ids that sort by time, text in and out.
 *
 * Guarantees: ids made by one process are strictly increasing, also when the clock steps back (the counter method of
 *             RFC 9562, section 6.2, method 1).
 * Threads:    uuid_v7_new() may be called from any thread. A child that was forked, and did not become another program, must
 *             not: it would make its parent's next ids.
 */
#ifndef LIB_BASE_UUID_H
#define LIB_BASE_UUID_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { UUID_TEXT_LEN = 36 };

struct uuid {
	uint8_t data[16];
};

struct uuid uuid_v7_new(void);
void uuid_format(struct uuid id, char ret_text[UUID_TEXT_LEN + 1]); /* lower case, NUL-terminated */
bool uuid_parse(const char *text, size_t len, struct uuid *ret_id); /* 8-4-4-4-12, any case, any version */
int uuid_version(struct uuid id);
uint64_t uuid_v7_unix_ms(struct uuid id);

/* Here and in two halves, since sorting and looking up ask it a hundred times for each saga. The order is that of the bytes. */
static inline int uuid_compare(struct uuid a, struct uuid b)
{
	uint64_t left[2];
	uint64_t right[2];
	int half;

	memcpy(left, a.data, sizeof(left));
	memcpy(right, b.data, sizeof(right));
	half = left[0] == right[0];
	return (be64toh(left[half]) > be64toh(right[half])) - (be64toh(left[half]) < be64toh(right[half]));
}

static inline bool uuid_equal(struct uuid a, struct uuid b)
{
	uint64_t left[2];
	uint64_t right[2];

	memcpy(left, a.data, sizeof(left));
	memcpy(right, b.data, sizeof(right));
	return left[0] == right[0] && left[1] == right[1];
}

#endif
