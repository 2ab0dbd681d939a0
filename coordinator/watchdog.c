/* watchdog.c - see watchdog.h. */
#include "coordinator/watchdog.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/rpc/rpc_client.h"
#include "lib/security/tls_probe.h"
#include "proto/grpc/health/v1/health.pb-c.h"

enum { MISSES_MAX = 3 };

struct watchdog {
	char *target;
	char *tls_host; /* NULL: plain */
	int port;
	int64_t interval_ms;
	int stop_fd; /* readable: the thread ends */
	pthread_t thread;
};

/* "0.0.0.0:7233" listens everywhere, but is no place to call. */
static char *target_of(const char *address, int port)
{
	const char *colon = strrchr(address, ':');
	struct buffer text = {0};

	if (strncmp(address, "unix:", 5) == 0 || !colon)
		return xstrdup(address);
	if (strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0)
		buffer_append_format(&text, "127.0.0.1:%d", port);
	else
		buffer_append_format(&text, "%.*s:%d", (int)(colon - address), address, port);
	return (char *)text.data; /* handed over */
}

/* Of HOST:PORT, without the brackets of IPv6. */
static char *host_of(const char *target)
{
	const char *colon = strrchr(target, ':');

	if (*target == '[')
		return xstrndup(target + 1, (size_t)(colon - target) - 2);
	return xstrndup(target, (size_t)(colon - target));
}

/* Over a connection of its own: one that exists already would go on being served. */
static int call_plain(const struct watchdog *watchdog, struct error *err)
{
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	_cleanup_(rpc_client_freep)
	struct rpc_client *client = rpc_client_new(watchdog->target);
	ProtobufCMessage *answer = NULL;

	if (rpc_client_call(client, "/grpc.health.v1.Health/Check", &request.base,
			    &grpc__health__v1__health_check_response__descriptor, watchdog->interval_ms, &answer,
			    err) < 0)
		return -1;
	protobuf_c_message_free_unpacked(answer, NULL);
	return 0;
}

static int call_once(const struct watchdog *watchdog, struct error *err)
{
	return watchdog->tls_host ? tls_probe(watchdog->tls_host, watchdog->port, watchdog->interval_ms, err)
				  : call_plain(watchdog, err);
}

static bool is_stopped_within(const struct watchdog *watchdog, int64_t ms)
{
	struct pollfd stop = {.fd = watchdog->stop_fd, .events = POLLIN};

	return poll(&stop, 1, (int)ms) > 0;
}

static void *watch(void *arg)
{
	const struct watchdog *watchdog = arg;
	int misses = 0;
	struct error err;

	while (!is_stopped_within(watchdog, watchdog->interval_ms)) {
		if (call_once(watchdog, &err) == 0) {
			misses = 0;
			continue;
		}
		if (is_stopped_within(watchdog, 0))
			break;
		if (++misses < MISSES_MAX) {
			log_warn("watchdog_missed", "misses=%d err=%s, ending this process at %d", misses,
				 LOG_TEXT(err.msg), MISSES_MAX);
			continue;
		}
		log_error("watchdog_ends_process",
			  "target=%s err=%s, the gRPC server does not answer itself; a new process will",
			  watchdog->target, LOG_TEXT(err.msg));
		_exit(EXIT_FAILURE);
	}
	return NULL;
}

int watchdog_start(const char *address, int port, bool has_tls, int64_t interval_ms, struct watchdog **ret_watchdog,
		   struct error *err)
{
	struct watchdog *watchdog = xcalloc(1, sizeof(*watchdog));

	watchdog->target = target_of(address, port);
	watchdog->port = port;
	watchdog->tls_host = has_tls && strncmp(address, "unix:", 5) != 0 ? host_of(watchdog->target) : NULL;
	watchdog->interval_ms = interval_ms;
	watchdog->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watchdog->stop_fd < 0 || pthread_create(&watchdog->thread, NULL, watch, watchdog) != 0) {
		if (watchdog->stop_fd >= 0)
			(void)close(watchdog->stop_fd);
		free(watchdog->tls_host);
		free(watchdog->target);
		free(watchdog);
		return error_set(err, ERR_LIMIT, "cannot start the watchdog: too many threads or descriptors");
	}
	(void)pthread_setname_np(watchdog->thread, "watchdog"); /* a name for people only */
	*ret_watchdog = watchdog;
	return 0;
}

void watchdog_free(struct watchdog *watchdog)
{
	static const uint64_t one = 1;

	if (!watchdog)
		return;
	if (write(watchdog->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();                            /* a fresh counter takes a one */
	(void)pthread_join(watchdog->thread, NULL); /* joined once; a call in hand ends within the interval */
	(void)close(watchdog->stop_fd);
	free(watchdog->tls_host);
	free(watchdog->target);
	free(watchdog);
}
