/*
 * client_security.h - how a client of ours proves the server and itself: TLS, a certificate of its own, a bearer token.
 */
#ifndef LIB_SECURITY_CLIENT_SECURITY_H
#define LIB_SECURITY_CLIENT_SECURITY_H

#include "lib/base/problems.h"

struct client_security {         /* borrowed texts; all NULL: plain and without a credential */
	const char *ca;          /* PEM file of who signed the server's certificate; turns TLS on */
	const char *certificate; /* PEM file of the client's own certificate */
	const char *key;         /* PEM file of its private key */
	const char *token;       /* the token itself */
	const char *user_info;   /* "user:password" of basic authentication; over HTTP alone, instead of a token */
};

/* Adds what is missing, unreadable or makes no sense, at the flags' names that begin with `prefix`. */
void client_security_check(const struct client_security *security, const char *prefix, struct problems *problems);

#endif
