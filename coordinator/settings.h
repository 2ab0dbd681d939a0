/*
 * settings.h - the coordinator's options: one table for flags, environment, defaults and --help.
 *
 * Ownership:  texts live as long as the process.
 */
#ifndef COORDINATOR_SETTINGS_H
#define COORDINATOR_SETTINGS_H

#include "lib/kafka/kafka.h"
#include "lib/options/options.h"
#include "lib/security/certificates.h"
#include "lib/security/client_security.h"

enum { SETTINGS_OPTIONS_MAX = 40 };

struct settings {
	struct program program; /* as it was parsed, for reload.h */
	struct option options[SETTINGS_OPTIONS_MAX];
	const char *grpc_listen;
	bool is_insecure_allowed;
	const char *listen_address;
	int64_t http_port;
	const char *postgres;
	const char *kafka_brokers;
	struct option_properties kafka_properties;
	const char *registry_url;
	struct client_security registry_security;
	struct certificate_paths tls;
	const char *access_file;    /* NULL: whoever reaches the address may do all */
	const char *registry_cache; /* NULL: memory only */
	const char *instance;
	const char *definitions; /* NULL: none are registered at start */
	const char *environment;
	int64_t sweep_ms;
	int64_t watchdog_ms;
	const char *log_level;
	const char *log_format;
	const char *otlp_endpoint;
};

/* True: run. Otherwise *ret_status is the exit status, and all that is wrong was said on standard error. */
bool settings_read(struct settings *settings, int argc, char **argv, int *ret_status);
struct kafka_options settings_kafka(const struct settings *settings);

#endif
