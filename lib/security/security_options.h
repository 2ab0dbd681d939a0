/*
 * security_options.h - rows for option tables, alike in every program. Arguments of the macros are string literals, except
 * for `object`, a structure.
 */
#ifndef LIB_SECURITY_SECURITY_OPTIONS_H
#define LIB_SECURITY_SECURITY_OPTIONS_H

#include "lib/options/options.h"
#include "lib/security/certificates.h"
#include "lib/security/client_security.h"

/* `object`: struct certificate_paths; `variable`: the start of names, such as "SAGA_". */
#define SERVER_TLS_OPTIONS(variable, object)                                                                           \
	{.flag = "tls-cert",                                                                                           \
	 .environment = variable "TLS_CERT",                                                                           \
	 .value_name = "FILE",                                                                                         \
	 .help = "the server's certificate and what signed it, PEM; turns TLS on",                                     \
	 .place = &(object).certificate,                                                                               \
	 .is_reloaded = true},                                                                                         \
		{.flag = "tls-key",                                                                                    \
		 .environment = variable "TLS_KEY",                                                                    \
		 .value_name = "FILE",                                                                                 \
		 .help = "the certificate's private key, PEM without a passphrase; not open to every user",            \
		 .place = &(object).key,                                                                               \
		 .is_reloaded = true},                                                                                 \
	{                                                                                                              \
		.flag = "tls-client-ca", .environment = variable "TLS_CLIENT_CA", .value_name = "FILE",                \
		.help = "who may sign clients' certificates, PEM; clients must then show one",                         \
		.place = &(object).client_ca, .is_reloaded = true                                                      \
	}

/* `object`: const char *. */
#define ACCESS_FILE_OPTION(variable, path)                                                                             \
	{                                                                                                              \
		.flag = "access-file", .environment = variable "ACCESS_FILE", .value_name = "FILE",                    \
		.help = "who may do what: tokens' hashes, certificates' names and their roles; without it, whoever "   \
			"reaches "                                                                                     \
			"the address may do all",                                                                      \
		.place = &(path), .is_reloaded = true                                                                  \
	}

/* `object`: struct client_security; `prefix` such as "registry-", `variable` such as "REGISTRY_", `what` "the registry". */
#define CLIENT_SECURITY_OPTIONS(prefix, variable, what, object)                                                        \
	{.flag = prefix "ca",                                                                                          \
	 .environment = variable "CA",                                                                                 \
	 .value_name = "FILE",                                                                                         \
	 .help = "who signed the certificate of " what ", PEM; turns TLS on",                                          \
	 .place = &(object).ca},                                                                                       \
		{.flag = prefix "cert",                                                                                \
		 .environment = variable "CERT",                                                                       \
		 .value_name = "FILE",                                                                                 \
		 .help = "the own certificate to show to " what ", PEM",                                               \
		 .place = &(object).certificate},                                                                      \
		{.flag = prefix "key",                                                                                 \
		 .environment = variable "KEY",                                                                        \
		 .value_name = "FILE",                                                                                 \
		 .help = "the own certificate's private key, PEM; not open to every user",                             \
		 .place = &(object).key},                                                                              \
	{                                                                                                              \
		.flag = prefix "token", .environment = variable "TOKEN", .is_secret = true,                            \
		.help = "the bearer token to show to " what, .place = &(object).token                                  \
	}

#endif
