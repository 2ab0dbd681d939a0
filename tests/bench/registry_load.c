/*
 * registry_load.c - one kind of request to a registry, by N clients with a connection each, as fast as answers come.
 *
 * Why:     the clients have to cost less than the server, or they are what is measured: so plain sockets, no library.
 * Prints:  {"operation":…,"clients":…,"answers":…,"seconds":…,"p50_us":…,"p99_us":…}
 * Errors:  any answer but 200 ends it with a message and 1.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/options/options.h"

enum { SCHEMAS = 200, CLIENTS_MAX = 64, SAMPLES_MAX = 1 << 20, ANSWER_BYTES_MAX = 1 << 16 };

static struct {
	int64_t port;
	int64_t clients;
	int64_t seconds;
	const char *operation;
	const char *mark;
} settings;

static const struct option options[] = {
	{.flag = "port",
	 .type = OPTION_INT,
	 .is_required = true,
	 .min = 1,
	 .max = 65535,
	 .value_name = "N",
	 .help = "of the registry",
	 .place = &settings.port},
	{.flag = "clients",
	 .type = OPTION_INT,
	 .default_text = "8",
	 .min = 1,
	 .max = CLIENTS_MAX,
	 .value_name = "N",
	 .help = "connections",
	 .place = &settings.clients},
	{.flag = "seconds",
	 .type = OPTION_INT,
	 .default_text = "3",
	 .min = 1,
	 .max = 600,
	 .value_name = "N",
	 .help = "how long",
	 .place = &settings.seconds},
	{.flag = "operation",
	 .is_required = true,
	 .choices = "register by-id look-up check-avro check-protobuf",
	 .value_name = "NAME",
	 .help = "what to ask",
	 .place = &settings.operation},
	{.flag = "mark",
	 .default_text = "bench",
	 .value_name = "TEXT",
	 .help = "in the names of subjects",
	 .place = &settings.mark},
};

struct client {
	pthread_t thread;
	int number;
	int fd;
	char input[ANSWER_BYTES_MAX];
	uint32_t *samples_us;
	size_t count;
};

static int32_t ids[SCHEMAS];
static atomic_bool is_over;

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench-registry: %s: %s\n", what, why);
	_exit(1);
}

/* ---- one request ---- */

static void dial(struct client *client)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings.port)};
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("connect", "no registry on that port");
}

/* The body of the answer; it ends with NUL. */
static const char *ask(struct client *client, const char *method, const char *path, const char *body)
{
	char request[8192];
	int len =
		snprintf(request, sizeof(request),
			 "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 method, path, strlen(body), body);
	size_t have = 0;
	const char *end = NULL;
	const char *length;
	size_t need = 0;

	if (len >= (int)sizeof(request) || write(client->fd, request, (size_t)len) != len)
		die("request", "cannot be sent");
	while (!end || have < need) {
		ssize_t step = read(client->fd, client->input + have, ANSWER_BYTES_MAX - 1 - have);

		if (step <= 0)
			die("answer", "cut short");
		have += (size_t)step;
		client->input[have] = 0;
		if (end || !(end = strstr(client->input, "\r\n\r\n")))
			continue;
		length = strcasestr(client->input, "content-length:");
		if (!length || strncmp(client->input, "HTTP/1.1 200", 12) != 0)
			die(path, client->input);
		need = (size_t)(end + 4 - client->input) + strtoul(length + 15, NULL, 10);
	}
	return end + 4;
}

/* ---- what is asked ---- */

static void avro(char *out, size_t size, const char *name, const char *more)
{
	(void)snprintf(
		out, size,
		"{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"%s\\\",\\\"fields\\\":["
		"{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"string\\\"},{\\\"name\\\":\\\"b\\\",\\\"type\\\":"
		"\\\"string\\\"},"
		"{\\\"name\\\":\\\"c\\\",\\\"type\\\":\\\"long\\\"},{\\\"name\\\":\\\"d\\\",\\\"type\\\":\\\"int\\\"},"
		"{\\\"name\\\":\\\"e\\\",\\\"type\\\":\\\"double\\\"},{\\\"name\\\":\\\"f\\\",\\\"type\\\":["
		"\\\"null\\\",\\\"string\\\"],"
		"\\\"default\\\":null},{\\\"name\\\":\\\"g\\\",\\\"type\\\":{\\\"type\\\":\\\"array\\\",\\\"items\\\":"
		"\\\"long\\\"}},"
		"{\\\"name\\\":\\\"h\\\",\\\"type\\\":\\\"bytes\\\"},{\\\"name\\\":\\\"i\\\",\\\"type\\\":"
		"\\\"boolean\\\"},"
		"{\\\"name\\\":\\\"j\\\",\\\"type\\\":\\\"long\\\"}%s]}\"}",
		name, more);
}

static void protobuf(char *out, size_t size, const char *name, const char *more)
{
	(void)snprintf(
		out, size,
		"{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax = \\\"proto3\\\"; package bench; message %s { string "
		"a = 1; "
		"string b = 2; int64 c = 3; int32 d = 4; double e = 5; optional string f = 6; repeated int64 g = 7; "
		"bytes h = 8; bool i = 9; int64 j = 10; %s}\"}",
		name, more);
}

static void turn(struct client *client, size_t n)
{
	static const char more_avro[] = ",{\\\"name\\\":\\\"k\\\",\\\"type\\\":\\\"long\\\",\\\"default\\\":0}";
	size_t at = (n * 7 + (size_t)client->number * 13) % SCHEMAS;
	char path[160];
	char name[96];
	char body[2048] = "";
	bool is_post = true;

	(void)snprintf(name, sizeof(name), "R_%s_%zu", settings.mark, at);
	(void)snprintf(path, sizeof(path), "/compatibility/subjects/%s-%zu/versions/latest", settings.mark, at);
	if (strcmp(settings.operation, "register") == 0) {
		(void)snprintf(name, sizeof(name), "N_%s_%d_%zu", settings.mark, client->number, n);
		(void)snprintf(path, sizeof(path), "/subjects/%s-%d-%zu/versions", settings.mark, client->number, n);
		avro(body, sizeof(body), name, "");
	} else if (strcmp(settings.operation, "by-id") == 0) {
		(void)snprintf(path, sizeof(path), "/schemas/ids/%d", ids[at]);
		is_post = false;
	} else if (strcmp(settings.operation, "look-up") == 0) {
		(void)snprintf(path, sizeof(path), "/subjects/%s-%zu", settings.mark, at);
		avro(body, sizeof(body), name, "");
	} else if (strcmp(settings.operation, "check-avro") == 0) {
		avro(body, sizeof(body), name, more_avro);
	} else {
		(void)snprintf(path, sizeof(path), "/compatibility/subjects/%s-p-%zu/versions/latest", settings.mark,
			       at);
		protobuf(body, sizeof(body), name, "int64 k = 11; ");
	}
	(void)ask(client, is_post ? "POST" : "GET", path, body);
}

/* Schemas of both formats that the operations go by. */
static void prepare(struct client *client)
{
	char path[160];
	char name[96];
	char body[2048];

	for (size_t i = 0; i < SCHEMAS; i++) {
		const char *answer;

		(void)snprintf(name, sizeof(name), "R_%s_%zu", settings.mark, i);
		(void)snprintf(path, sizeof(path), "/subjects/%s-p-%zu/versions", settings.mark, i);
		protobuf(body, sizeof(body), name, "");
		(void)ask(client, "POST", path, body);
		(void)snprintf(path, sizeof(path), "/subjects/%s-%zu/versions", settings.mark, i);
		avro(body, sizeof(body), name, "");
		answer = ask(client, "POST", path, body);
		if (sscanf(answer, "{\"id\":%d}", &ids[i]) != 1)
			die("register", answer);
	}
}

/* ---- all clients ---- */

static void *run_client(void *arg)
{
	struct client *client = arg;

	for (size_t n = 0; !is_over && client->count < SAMPLES_MAX; n++) {
		int64_t began_us = clock_monotonic_us();

		turn(client, n);
		client->samples_us[client->count++] = (uint32_t)(clock_monotonic_us() - began_us);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static void report(const struct client *clients, double seconds)
{
	uint32_t *all;
	size_t count = 0;

	for (int i = 0; i < settings.clients; i++)
		count += clients[i].count;
	all = xcalloc(count + 1, sizeof(*all));
	count = 0;
	for (int i = 0; i < settings.clients; i++) {
		memcpy(all + count, clients[i].samples_us, clients[i].count * sizeof(*all));
		count += clients[i].count;
	}
	qsort(all, count, sizeof(*all), compare);
	(void)printf("{\"operation\":\"%s\",\"clients\":%d,\"answers\":%zu,\"seconds\":%.3f,\"per_second\":%.0f,"
		     "\"p50_us\":%u,\"p99_us\":%u}\n",
		     settings.operation, (int)settings.clients, count, seconds, (double)count / seconds, all[count / 2],
		     all[count * 99 / 100]);
	free(all);
}

int main(int argc, char **argv)
{
	static const struct program program = {.name = "bench-registry",
					       .summary = "asks a registry as fast as it answers",
					       .options = options,
					       .option_count = ARRAY_LEN(options)};
	struct client *clients;
	int64_t began_us;

	if (options_parse(&program, argc, argv, NULL) != OPTIONS_RUN)
		return 2;
	clients = xcalloc((size_t)settings.clients, sizeof(*clients));
	for (int i = 0; i < settings.clients; i++) {
		clients[i].number = i;
		clients[i].samples_us = xcalloc(SAMPLES_MAX, sizeof(*clients[i].samples_us));
	}
	dial(&clients[0]);
	prepare(&clients[0]);
	for (int i = 1; i < settings.clients; i++)
		dial(&clients[i]); /* only now: an idle connection would be closed meanwhile */
	began_us = clock_monotonic_us();
	for (int i = 0; i < settings.clients; i++)
		pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
	(void)sleep((unsigned)settings.seconds);
	is_over = true;
	for (int i = 0; i < settings.clients; i++)
		pthread_join(clients[i].thread, NULL);
	report(clients, (double)(clock_monotonic_us() - began_us) / 1e6);
	return 0;
}
