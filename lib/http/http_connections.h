/*
 * http_connections.h - who is connected, and who has to go when there are too many.
 *
 * Why:        each connection has a thread, so their number is limited. Whoever opens all of them and sends nothing, or a
 *             byte now and then, must not keep others out, nor the probes that ask whether the server lives.
 * Guarantees: a client has `per_client_max` connections, all clients together `max`. Who comes when there is no room takes the
 *             place of the connection that has done nothing for the longest time: the same client's, or one of the client who
 *             has the most. A request that is being handled is not cut, unless it
 *             began just when its connection was chosen; who finds only such ones is refused.
 * Threads:    any.
 */
#ifndef LIB_HTTP_HTTP_CONNECTIONS_H
#define LIB_HTTP_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/http/http_server.h"

struct http_connections;
struct http_connection; /* one of them */

enum http_connection_state {
	HTTP_CONNECTION_IDLE, /* between two requests, or while one comes in */
	HTTP_CONNECTION_HANDLING,
	HTTP_CONNECTION_ANSWERING /* as idle as a reader who does not read, after a while */
};

/* The metrics are borrowed. */
struct http_connections *http_connections_new(int max, int per_client_max, const struct http_server_metrics *metrics);
void http_connections_free(struct http_connections *connections); /* all of them have been removed */

/* False: there is no room, and none can be made. To be followed by _add(), and by nobody else's _admit() in between. */
bool http_connections_admit(struct http_connections *connections, const struct sockaddr *address);
struct http_connection *http_connections_add(struct http_connections *connections, const struct sockaddr *address,
					     int fd);
void http_connections_remove(struct http_connections *connections,
			     struct http_connection *connection); /* before fd is closed */
void http_connection_note(struct http_connection *connection, enum http_connection_state state);

/* The client behind an address: its 4 bytes, or the 8 of an IPv6 network, all of which one client may use. */
struct bytes http_client_of(const struct sockaddr *address);

#endif
