/* crash_point.c - see crash_point.h; part of builds with crash points alone. */
#include "lib/base/crash_point.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

static const char *const names[CRASH_POINT_COUNT] = {
#define CRASH_POINT_ROW(name, who, between) #name,
#include "lib/base/crash_points.def"
};

static pthread_once_t is_read = PTHREAD_ONCE_INIT;
static enum crash_point armed = CRASH_POINT_COUNT; /* none */
static atomic_long passes_left;

static enum crash_point find(const char *name, size_t len)
{
	for (int i = 0; i < CRASH_POINT_COUNT; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (enum crash_point)i;
	return CRASH_POINT_COUNT;
}

/* A name that is none would be a test that kills nobody. */
static void read_environment(void)
{
	const char *text = getenv("AMENDS_CRASH_AT");
	const char *colon;
	char *end = NULL;

	if (!text || !*text)
		return;
	colon = strchr(text, ':');
	armed = find(text, colon ? (size_t)(colon - text) : strlen(text));
	atomic_store(&passes_left, colon ? strtol(colon + 1, &end, 10) : 1);
	if (armed < CRASH_POINT_COUNT && atomic_load(&passes_left) > 0 && (!end || *end == 0))
		return;
	log_error("crash_point_unknown", "AMENDS_CRASH_AT=%s, where NAME or NAME:N of crash_points.def should be",
		  LOG_TEXT(text));
	abort();
}

void crash_point_pass(enum crash_point point)
{
	(void)pthread_once(&is_read, read_environment); /* cannot fail */
	if (point != armed || atomic_fetch_sub(&passes_left, 1) != 1)
		return;
	log_error("crash_point", "name=%s, killing this process as AMENDS_CRASH_AT says", names[point]);
	(void)kill(getpid(), SIGKILL); /* a process may always kill itself, and does not return from it */
	abort();
}
