/*
 * http_connections.c - see http_connections.h.
 *
 * A connection that has to go is shut down, which its own thread finds out and ends it; its place counts as free at once.
 * All are walked when one comes: there are some hundreds at most.
 */
#include "lib/http/http_connections.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/clock.h"

enum { CLIENT_BYTES_MAX = 8 };

static const int64_t ANSWER_PATIENCE_US = 10 * INT64_C(1000000); /* for a reader, when others wait for its place */

struct http_connection {
	uint8_t client[CLIENT_BYTES_MAX];
	size_t client_len;
	int fd;
	atomic_int state;      /* enum http_connection_state */
	atomic_llong since_us; /* of the state */
	bool is_leaving;       /* guarded by the list's mu: shut down, and not counted any more */
	TAILQ_ENTRY(http_connection) entry;
};

struct http_connections {
	int max;
	int per_client_max;
	struct http_server_metrics metrics;
	pthread_mutex_t mu;
	TAILQ_HEAD(list, http_connection) list; /* guarded by mu */
	int count;                              /* guarded by mu: of those who are not leaving */
};

struct http_connections *http_connections_new(int max, int per_client_max, const struct http_server_metrics *metrics)
{
	struct http_connections *connections = xcalloc(1, sizeof(*connections));

	assert(max > 0 && per_client_max > 0);
	connections->max = max;
	connections->per_client_max = per_client_max;
	connections->metrics = *metrics;
	pthread_mutex_init(&connections->mu, NULL);
	TAILQ_INIT(&connections->list);
	return connections;
}

void http_connections_free(struct http_connections *connections)
{
	if (!connections)
		return;
	assert(TAILQ_EMPTY(&connections->list));
	pthread_mutex_destroy(&connections->mu);
	free(connections);
}

struct bytes http_client_of(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const void *)address;

	if (address->sa_family != AF_INET6)
		return (struct bytes){(const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4};
	if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return (struct bytes){six->sin6_addr.s6_addr + 12, 4};
	return (struct bytes){six->sin6_addr.s6_addr, 8};
}

static bool is_of(const struct http_connection *connection, struct bytes client)
{
	return connection->client_len == client.len && memcmp(connection->client, client.data, client.len) == 0;
}

static int count_of(const struct http_connections *connections, struct bytes client)
{
	const struct http_connection *at;
	int count = 0;

	TAILQ_FOREACH(at, &connections->list, entry)
	count += !at->is_leaving && is_of(at, client);
	return count;
}

static bool may_go(const struct http_connection *connection, int64_t now_us)
{
	int state = connection->state;

	if (connection->is_leaving || state == HTTP_CONNECTION_HANDLING)
		return false;
	return state == HTTP_CONNECTION_IDLE || now_us - connection->since_us > ANSWER_PATIENCE_US;
}

/* Whose turn it is to go: the client's, or (NULL) of whoever has the most. */
static struct http_connection *find_victim(struct http_connections *connections, const struct bytes *client)
{
	int64_t now_us = clock_monotonic_us();
	struct http_connection *victim = NULL;
	struct http_connection *at;
	int most = 0;

	TAILQ_FOREACH(at, &connections->list, entry)
	{
		int weight = client ? is_of(at, *client) : 1;

		if (weight == 0 || !may_go(at, now_us))
			continue;
		if (!client)
			weight = count_of(connections, (struct bytes){at->client, at->client_len});
		if (!victim || weight > most || (weight == most && at->since_us < victim->since_us)) {
			victim = at;
			most = weight;
		}
	}
	return victim;
}

/* With the lock in hand. */
static bool make_room(struct http_connections *connections, const struct bytes *client)
{
	struct http_connection *victim = find_victim(connections, client);

	if (!victim)
		return false;
	victim->is_leaving = true;
	connections->count--;
	(void)shutdown(victim->fd, SHUT_RDWR); /* fails where the client has just gone by itself */
	if (connections->metrics.displaced)
		metric_add(connections->metrics.displaced, 1);
	return true;
}

bool http_connections_admit(struct http_connections *connections, const struct sockaddr *address)
{
	struct bytes client = http_client_of(address);
	bool has_room = true;

	pthread_mutex_lock(&connections->mu);
	if (count_of(connections, client) >= connections->per_client_max)
		has_room = make_room(connections, &client);
	if (has_room && connections->count >= connections->max)
		has_room = make_room(connections, NULL);
	pthread_mutex_unlock(&connections->mu);
	if (!has_room && connections->metrics.refused)
		metric_add(connections->metrics.refused, 1);
	return has_room;
}

/* With the lock in hand. */
static void show_count(const struct http_connections *connections)
{
	if (connections->metrics.open)
		metric_set(connections->metrics.open, connections->count);
}

struct http_connection *http_connections_add(struct http_connections *connections, const struct sockaddr *address,
					     int fd)
{
	struct http_connection *connection = xcalloc(1, sizeof(*connection));
	struct bytes client = http_client_of(address);

	connection->client_len = client.len;
	memcpy(connection->client, client.data, client.len);
	connection->fd = fd;
	connection->since_us = clock_monotonic_us();
	pthread_mutex_lock(&connections->mu);
	TAILQ_INSERT_TAIL(&connections->list, connection, entry);
	connections->count++;
	show_count(connections);
	pthread_mutex_unlock(&connections->mu);
	return connection;
}

void http_connections_remove(struct http_connections *connections, struct http_connection *connection)
{
	pthread_mutex_lock(&connections->mu);
	TAILQ_REMOVE(&connections->list, connection, entry);
	connections->count -= !connection->is_leaving;
	show_count(connections);
	pthread_mutex_unlock(&connections->mu);
	free(connection);
}

/* Without a lock, for it is done at each request: who looks for a victim meanwhile sees the state before, as if it had come earlier. */
void http_connection_note(struct http_connection *connection, enum http_connection_state state)
{
	connection->since_us = clock_monotonic_us();
	connection->state = (int)state;
}
