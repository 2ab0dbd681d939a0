/* pg_value.c - see pg.h: parameters, arrays and results in Postgres' binary form. */
#include "lib/pg/pg_value.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

/* Postgres counts microseconds from 2000-01-01. */
static const int64_t EPOCH_2000_US = 946684800LL * 1000000;

/* Both sides have the greatest number for 'infinity'. */
static int64_t to_server_us(int64_t unix_us)
{
	return unix_us == INT64_MAX ? INT64_MAX : unix_us - EPOCH_2000_US;
}

static int64_t from_server_us(int64_t server_us)
{
	return server_us == INT64_MAX ? INT64_MAX : server_us + EPOCH_2000_US;
}

/* ---- parameters ---- */

/* `data` stays NULL: the value travels in inline_data, since the struct itself is copied about. */
static struct pg_param inline_param(uint32_t type_oid, const void *data, size_t len)
{
	struct pg_param param = {.type_oid = type_oid, .len = len};

	assert(len <= sizeof(param.inline_data));
	memcpy(param.inline_data, data, len);
	return param;
}

static struct pg_param borrowed_param(uint32_t type_oid, struct bytes value)
{
	return (struct pg_param){
		.type_oid = type_oid, .data = value.data ? (const void *)value.data : "", .len = value.len};
}

struct pg_param pg_null(void)
{
	return (struct pg_param){.is_null = true};
}

struct pg_param pg_bool(bool value)
{
	uint8_t byte = value;

	return inline_param(PG_OID_BOOL, &byte, sizeof(byte));
}

struct pg_param pg_int4(int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);

	return inline_param(PG_OID_INT4, &wire, sizeof(wire));
}

static struct pg_param int8_param(uint32_t type_oid, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	return inline_param(type_oid, &wire, sizeof(wire));
}

struct pg_param pg_int8(int64_t value)
{
	return int8_param(PG_OID_INT8, value);
}

struct pg_param pg_timestamptz(int64_t unix_us)
{
	return int8_param(PG_OID_TIMESTAMPTZ, to_server_us(unix_us));
}

struct pg_param pg_text(const char *value)
{
	if (!value)
		return (struct pg_param){.type_oid = PG_OID_TEXT, .is_null = true};
	return borrowed_param(PG_OID_TEXT, bytes_of_text(value));
}

struct pg_param pg_text_bytes(struct bytes value)
{
	return borrowed_param(PG_OID_TEXT, value);
}

struct pg_param pg_bytea(struct bytes value)
{
	return borrowed_param(PG_OID_BYTEA, value);
}

struct pg_param pg_jsonb(struct bytes text)
{
	return borrowed_param(PG_OID_JSONB, text);
}

struct pg_param pg_uuid(const struct uuid *value)
{
	if (!value)
		return (struct pg_param){.type_oid = PG_OID_UUID, .is_null = true};
	return borrowed_param(PG_OID_UUID, (struct bytes){value->data, sizeof(value->data)});
}

/* ---- arrays ---- */

struct array_header {
	uint32_t dimensions;
	uint32_t has_null;
	uint32_t element_oid;
	uint32_t length;
	uint32_t lower_bound;
};

static const struct {
	uint32_t array_oid;
	uint32_t element_oid;
	uint32_t element_len; /* 0: it varies */
} array_types[] = {
	[PG_ARRAY_BOOL] = {1000, PG_OID_BOOL, 1},  [PG_ARRAY_INT2] = {1005, PG_OID_INT2, 2},
	[PG_ARRAY_INT4] = {1007, PG_OID_INT4, 4},  [PG_ARRAY_INT8] = {1016, PG_OID_INT8, 8},
	[PG_ARRAY_TEXT] = {1009, PG_OID_TEXT, 0},  [PG_ARRAY_BYTEA] = {1001, PG_OID_BYTEA, 0},
	[PG_ARRAY_UUID] = {2951, PG_OID_UUID, 16}, [PG_ARRAY_TIMESTAMPTZ] = {1185, PG_OID_TIMESTAMPTZ, 8},
	[PG_ARRAY_TID] = {1010, PG_OID_TID, 6},
};

void pg_array_init(struct pg_array *array, enum pg_array_type type)
{
	assert(type < ARRAY_LEN(array_types));
	*array = (struct pg_array){.type = type};
	pg_array_clear(array);
}

void pg_array_release(struct pg_array *array)
{
	buffer_release(&array->body);
	array->count = 0;
}

/* Room for the header is kept in front of the elements and filled in when the array is handed over. */
void pg_array_clear(struct pg_array *array)
{
	static const struct array_header no_header;

	buffer_clear(&array->body);
	buffer_append(&array->body, &no_header, sizeof(no_header));
	array->count = 0;
	array->nulls = 0;
	array->last_nulls = 0;
}

/* Where the value of an element goes that is to have `len` bytes, and room for `room` of them. Without the NUL that a buffer has
 * behind it: nobody takes this one for a text. */
static inline uint8_t *add_element(struct pg_array *array, size_t len, size_t room)
{
	struct buffer *body = &array->body;
	const uint32_t wire_len = htobe32((uint32_t)len);
	uint8_t *at;

	assert(body->len >= sizeof(struct array_header));
	assert(len <= INT32_MAX);
	assert(array->count < INT32_MAX);
	if (body->capacity - body->len <= sizeof(wire_len) + room)
		buffer_reserve(body, sizeof(wire_len) + room);
	at = body->data + body->len;
	memcpy(at, &wire_len, sizeof(wire_len));
	body->len += sizeof(wire_len) + len;
	array->count++;
	array->last_nulls = 0;
	return at + sizeof(wire_len);
}

void pg_array_add_null(struct pg_array *array)
{
	static const uint32_t null_len = UINT32_MAX;

	assert(array->body.len >= sizeof(struct array_header));
	buffer_append(&array->body, &null_len, sizeof(null_len));
	array->count++;
	array->nulls++;
	array->last_nulls++;
}

void pg_array_add_int(struct pg_array *array, int64_t value)
{
	const uint32_t len = array_types[array->type].element_len;
	uint64_t wire;

	assert(array->type != PG_ARRAY_UUID && array->type != PG_ARRAY_TID && len > 0);
	assert(array->type != PG_ARRAY_BOOL || value == 0 || value == 1);
	assert(array->type != PG_ARRAY_INT2 || (value >= INT16_MIN && value <= INT16_MAX));
	assert(array->type != PG_ARRAY_INT4 || (value >= INT32_MIN && value <= INT32_MAX));
	if (array->type == PG_ARRAY_TIMESTAMPTZ)
		value = to_server_us(value);
	wire = htobe64((uint64_t)value << 8 * (sizeof(wire) - len)); /* what is behind them is written over */
	memcpy(add_element(array, len, sizeof(wire)), &wire, sizeof(wire));
}

void pg_array_add_bytes(struct pg_array *array, struct bytes value)
{
	uint8_t *at;

	assert(array->type == PG_ARRAY_TEXT || array->type == PG_ARRAY_BYTEA);
	at = add_element(array, value.len, value.len);
	if (value.len > 0)
		memcpy(at, value.data, value.len);
}

void pg_array_add_uuid(struct pg_array *array, const struct uuid *value)
{
	assert(array->type == PG_ARRAY_UUID);
	memcpy(add_element(array, sizeof(value->data), sizeof(value->data)), value->data, sizeof(value->data));
}

void pg_array_add_tid(struct pg_array *array, struct pg_tid value)
{
	assert(array->type == PG_ARRAY_TID);
	memcpy(add_element(array, sizeof(value.data), sizeof(value.data)), value.data, sizeof(value.data));
}

static struct pg_param array_param(struct pg_array *array, int32_t left_out)
{
	struct array_header header = {
		.dimensions = htobe32(1),
		.has_null = htobe32(array->nulls > left_out ? 1 : 0),
		.element_oid = htobe32(array_types[array->type].element_oid),
		.length = htobe32((uint32_t)(array->count - left_out)),
		.lower_bound = htobe32(1),
	};
	struct bytes body = buffer_bytes(&array->body);

	assert(array->body.len >= sizeof(header));
	memcpy(array->body.data, &header, sizeof(header));
	body.len -= (size_t)left_out * sizeof(uint32_t); /* a NULL is its length alone */
	return borrowed_param(array_types[array->type].array_oid, body);
}

struct pg_param pg_array_param(struct pg_array *array)
{
	return array_param(array, 0);
}

struct pg_param pg_array_short_param(struct pg_array *array)
{
	return array_param(array, array->last_nulls);
}

/* ---- results ---- */

void pg_result_free(struct pg_result *result)
{
	if (!result)
		return;
	PQclear(result->pq);
	free(result);
}

size_t pg_rows(const struct pg_result *result)
{
	return (size_t)PQntuples(result->pq);
}

uint64_t pg_affected(const struct pg_result *result)
{
	return strtoull(PQcmdTuples(result->pq), NULL, 10); /* "" where the statement counts nothing: 0 */
}

/* The value's bytes; asserts that it exists, is not NULL and, with an `oid`, of that type. */
static const void *cell(const struct pg_result *result, size_t row, int column, uint32_t oid)
{
	assert(row < pg_rows(result));
	assert(column >= 0 && column < PQnfields(result->pq));
	assert(!PQgetisnull(result->pq, (int)row, column));
	assert(PQfformat(result->pq, column) == 1);
	assert(oid == 0 || PQftype(result->pq, column) == oid);
	return PQgetvalue(result->pq, (int)row, column);
}

bool pg_is_null(const struct pg_result *result, size_t row, int column)
{
	assert(row < pg_rows(result));
	assert(column >= 0 && column < PQnfields(result->pq));
	return PQgetisnull(result->pq, (int)row, column);
}

bool pg_get_bool(const struct pg_result *result, size_t row, int column)
{
	return *(const uint8_t *)cell(result, row, column, PG_OID_BOOL) != 0;
}

int64_t pg_get_int(const struct pg_result *result, size_t row, int column)
{
	const void *at = cell(result, row, column, 0);
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (PQftype(result->pq, column)) {
	case PG_OID_INT2:
		memcpy(&two, at, sizeof(two));
		return (int16_t)be16toh(two);
	case PG_OID_INT4:
		memcpy(&four, at, sizeof(four));
		return (int32_t)be32toh(four);
	case PG_OID_INT8:
		memcpy(&eight, at, sizeof(eight));
		return (int64_t)be64toh(eight);
	case PG_OID_TIMESTAMPTZ:
		memcpy(&eight, at, sizeof(eight));
		return from_server_us((int64_t)be64toh(eight));
	default:
		assert(false && "the column is no integer and no timestamptz; cast it in the statement");
		return 0;
	}
}

struct bytes pg_get_bytes(const struct pg_result *result, size_t row, int column)
{
	struct bytes value;

	if (pg_is_null(result, row, column))
		return (struct bytes){0};
	value.data = cell(result, row, column, 0);
	value.len = (size_t)PQgetlength(result->pq, (int)row, column);
	switch (PQftype(result->pq, column)) {
	case PG_OID_JSONB: /* one byte of version precedes the text */
		assert(value.len > 0 && value.data[0] == 1);
		return (struct bytes){value.data + 1, value.len - 1};
	case PG_OID_TEXT:
	case PG_OID_VARCHAR:
	case PG_OID_BPCHAR:
	case PG_OID_NAME:
	case PG_OID_BYTEA:
	case PG_OID_JSON:
		return value;
	default:
		assert(false && "the column is no text, bytea or json; cast it in the statement");
		return value;
	}
}

char *pg_get_text(const struct pg_result *result, size_t row, int column, struct arena *arena)
{
	struct bytes value = pg_get_bytes(result, row, column);

	return value.data ? arena_strndup(arena, (const char *)value.data, value.len) : NULL;
}

struct uuid pg_get_uuid(const struct pg_result *result, size_t row, int column)
{
	struct uuid id;

	memcpy(id.data, cell(result, row, column, PG_OID_UUID), sizeof(id.data));
	return id;
}

struct pg_tid pg_get_tid(const struct pg_result *result, size_t row, int column)
{
	struct pg_tid tid;

	memcpy(tid.data, cell(result, row, column, PG_OID_TID), sizeof(tid.data));
	return tid;
}
