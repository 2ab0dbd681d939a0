/*
 * settings.h - the coordinator's options: one table for flags, environment, defaults and --help.
 *
 * Ownership:  texts live as long as the process.
 */
#ifndef COORDINATOR_SETTINGS_H
#define COORDINATOR_SETTINGS_H

#include "coordinator/engine/limits.h"
#include "coordinator/notice/notices.h"
#include "lib/kafka/kafka_settings.h"
#include "lib/options/log_options.h"
#include "lib/security/certificates.h"
#include "schema-registry/client/registry_settings.h"

enum { SETTINGS_OPTIONS_MAX = 40, HOST_BYTES_MAX = 200 };

struct settings {
	struct program program; /* as it was parsed, for reload.h */
	struct option options[SETTINGS_OPTIONS_MAX];
	const char *grpc_listen;
	bool is_insecure_allowed;
	const char *listen_address;
	int64_t http_port;
	const char *postgres;
	struct kafka_settings kafka;
	struct registry_settings registry;
	struct certificate_paths tls;
	const char *access_file; /* NULL: whoever reaches the address may do all */
	const char *instance;
	char instance_text[HOST_BYTES_MAX + 16]; /* where none is given */
	const char *definitions;                 /* NULL: none are registered at start */
	const char *environment;
	const char *stuck_topic; /* as given; settings_notices() understands it */
	struct option_properties webhooks;
	const char *webhook_secret;
	int64_t sweep_ms;
	int64_t watchdog_ms;
	int64_t max_in_flight; /* 0: no limit */
	struct option_properties max_in_flight_of;
	int64_t max_open_sagas; /* likewise */
	struct option_properties max_open_sagas_of;
	int64_t keep_sagas_ms;     /* after their end; 0: for ever */
	int64_t keep_feed_ms;      /* 0: for ever */
	const char *archive_topic; /* NULL: they are not archived before they leave */
	struct log_options log;
	const char *otlp_endpoint;
};

/* What to exit with, all that is wrong being said on standard error; -1: run. */
int settings_read(struct settings *settings, int argc, char **argv);
struct kafka_options settings_kafka(const struct settings *settings);
/* What the settings alone say of it; the rest is the caller's. */
struct notices_options settings_notices(const struct settings *settings);
/* To be released; the names are the settings'. */
struct limit_rules settings_limits(int64_t max, const struct option_properties *of);
void settings_limits_release(struct limit_rules *rules);

#endif
