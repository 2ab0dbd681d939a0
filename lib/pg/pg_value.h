/*
 * pg_value.h - what pg.c and pg_value.c share: type ids, and the inside of a result. Not for callers of pg.h.
 */
#ifndef LIB_PG_PG_VALUE_H
#define LIB_PG_PG_VALUE_H

#include <libpq-fe.h>

#include "lib/pg/pg.h"

enum pg_type_oid {
	PG_OID_BOOL = 16,
	PG_OID_BYTEA = 17,
	PG_OID_NAME = 19,
	PG_OID_INT8 = 20,
	PG_OID_INT2 = 21,
	PG_OID_INT4 = 23,
	PG_OID_TEXT = 25,
	PG_OID_TID = 27,
	PG_OID_JSON = 114,
	PG_OID_BPCHAR = 1042,
	PG_OID_VARCHAR = 1043,
	PG_OID_TIMESTAMPTZ = 1184,
	PG_OID_UUID = 2950,
	PG_OID_JSONB = 3802,
};

struct pg_result {
	PGresult *pq;
};

#endif
