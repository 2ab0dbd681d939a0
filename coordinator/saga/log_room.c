/* log_room.c - see log_room.h. */
#include "coordinator/saga/log_room.h"

#include <assert.h>

bool log_has_room_for_try(int64_t version)
{
	return version < LOG_TRIES;
}

bool log_has_room_for_request(int64_t version)
{
	return version < LOG_REQUESTS;
}

int64_t log_resend_us(int64_t version, int64_t now_us, int64_t due_us, int64_t deadline_us)
{
	int64_t spread_us;

	assert(due_us >= now_us);
	if (version < LOG_UNHURRIED)
		return due_us;
	if (!log_has_room_for_try(version) || now_us >= deadline_us)
		return deadline_us;
	spread_us = now_us + (deadline_us - now_us) / (LOG_TRIES - version);
	return due_us > spread_us ? due_us : spread_us;
}
