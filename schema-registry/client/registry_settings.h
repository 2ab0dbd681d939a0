/*
 * registry_settings.h - which schema registry a program uses, and how: the rows of its option table.
 */
#ifndef SCHEMA_REGISTRY_CLIENT_REGISTRY_SETTINGS_H
#define SCHEMA_REGISTRY_CLIENT_REGISTRY_SETTINGS_H

#include "lib/security/security_options.h"

struct registry_settings {
	const char *url;
	struct client_security security;
	const char *cache; /* NULL: memory only */
};

/* Beside CLIENT_SECURITY_OPTIONS; `object`: struct client_security. */
/* clang-format off */
#define REGISTRY_USER_INFO_OPTION(object)                                                                              \
	{.flag = "registry-user-info",                                                                                 \
	 .environment = "REGISTRY_USER_INFO",                                                                          \
	 .is_secret = true,                                                                                            \
	 .value_name = "USER:PASSWORD",                                                                                \
	 .help = "basic authentication at the schema registry, instead of a token",                                    \
	 .place = &(object).user_info}

/* `object`: struct registry_settings. */
#define REGISTRY_SETTINGS_OPTIONS(object)                                                                              \
	{.flag = "registry-url",                                                                                       \
	 .environment = "REGISTRY_URL",                                                                                \
	 .default_text = "http://127.0.0.1:8081",                                                                      \
	 .value_name = "URL",                                                                                          \
	 .help = "schema registry",                                                                                    \
	 .place = &(object).url},                                                                                      \
	CLIENT_SECURITY_OPTIONS("registry-", "REGISTRY_", "the schema registry", (object).security),                   \
	REGISTRY_USER_INFO_OPTION((object).security),                                                                  \
	{.flag = "registry-cache",                                                                                     \
	 .environment = "REGISTRY_CACHE",                                                                              \
	 .value_name = "FOLDER",                                                                                       \
	 .help = "keep schemas here, so that a restart works while the registry is away",                              \
	 .place = &(object).cache}
/* clang-format on */

#endif
