/*
 * listen_rule.h - where a server may listen: loopback, unless what goes over the network is protected.
 *
 * Why:        a default that is safe cannot be forgotten. Beyond loopback a peer is unknown until it has shown a
 *             certificate or token, and plain text can be read and changed on the way.
 */
#ifndef LIB_SECURITY_LISTEN_RULE_H
#define LIB_SECURITY_LISTEN_RULE_H

#include <stdbool.h>

/* What is wrong with an address of HTTP, and what to do. */
#define LISTEN_PLAIN_TEXT                                                                                              \
	"can be reached from other machines without encryption: set tls-cert and tls-key, or listen on 127.0.0.1, or " \
	"accept the risk by insecure-listen"

/* Only addresses that are certain: a name may resolve to anything, so `localhost` is the only one taken. */
bool listen_is_loopback(const char *host);

#endif
