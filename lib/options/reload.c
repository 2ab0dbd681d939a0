/* reload.c - see reload.h. */
#include "lib/options/reload.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/memory.h"

static struct reload running;
static pthread_t thread;
static atomic_bool is_stopping;

static int reload_log_level(struct error *err)
{
	_cleanup_(freep)
	char *text = NULL;
	enum log_level level = LOG_LEVEL_INFO;

	if (options_reread(running.program, running.argc, running.argv, "log-level", &text, err) < 0)
		return -1;
	(void)log_level_parse(text, &level); /* the options let only levels through */
	log_set_level(level);
	return 0;
}

/* Each part by itself: a wrong certificate does not keep a new log level from coming into force. */
static void reload_all(void)
{
	struct error err;
	bool is_whole = true;

	if (reload_log_level(&err) < 0) {
		log_warn("reload_failed", "part=log-level err=%s, going on with what was in force", LOG_TEXT(err.msg));
		is_whole = false;
	}
	if (running.also && running.also(running.ctx, &err) < 0) {
		log_warn("reload_failed", "part=security err=%s, going on with what was in force", LOG_TEXT(err.msg));
		is_whole = false;
	}
	if (is_whole)
		log_info("reloaded", "reason=SIGHUP");
}

static void *take_signals(void *arg)
{
	sigset_t signals;
	int number;

	(void)arg;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGHUP);
	while (!atomic_load(&is_stopping)) {
		if (sigwait(&signals, &number) == 0 && !atomic_load(&is_stopping))
			reload_all();
	}
	return NULL;
}

void reload_start(const struct reload *reload)
{
	assert(!running.program && reload->program);
	running = *reload;
	atomic_store(&is_stopping, false);
	if (pthread_create(&thread, NULL, take_signals, NULL) != 0)
		abort();                            /* not one more thread at the start of the process */
	(void)pthread_setname_np(thread, "reload"); /* a name for people only */
}

void reload_stop(void)
{
	if (!running.program)
		return;
	atomic_store(&is_stopping, true);
	(void)pthread_kill(thread, SIGHUP); /* wakes it; it has not ended */
	(void)pthread_join(thread, NULL);
	running = (struct reload){0};
}
