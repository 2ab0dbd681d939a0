/*
 * wire.c - see wire.h.
 *
 * Streams of a connection are 1, 3, 5 …, so a stream's place in `calls` is half its number. Response headers are told apart by
 * what they say in plain bytes: our SETTINGS allow the server no table of headers, and gRPC does not compress their texts.
 */
#include "tests/bench/offer/wire.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/memory.h"

enum {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_RST_STREAM = 3,
	FRAME_SETTINGS,
	FRAME_PING = 6,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE
};
enum { FLAG_END_STREAM = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };
enum { SETTING_TABLE_BYTES = 1, SETTING_STREAMS_MAX = 3, SETTING_WINDOW_BYTES = 4 };
enum {
	FRAME_HEAD_BYTES = 9,
	MESSAGE_HEAD_BYTES = 5, /* of gRPC: whether it is compressed, and its length */
	FRAME_BYTES_MAX = 16384,
	WINDOW_BYTES = 65535, /* at the beginning */
	READ_BYTES = 256 * 1024,
	CONNECTIONS_MAX = 256,
};

struct wire_message {
	struct wire_message *next;
	void *call;
	size_t len;
	uint8_t data[]; /* with gRPC's head */
};

struct wire_call {
	void *call; /* NULL: answered */
	struct buffer message;
};

struct connection {
	struct wire *wire;
	int fd; /* -1: lost */
	struct buffer in;
	struct buffer out;
	size_t out_sent;
	struct wire_message *first; /* not sent */
	struct wire_message **end;
	struct wire_call *calls;
	size_t call_count; /* sent, answered ones too */
	size_t call_max;
	size_t open;
	size_t streams_max;
	int64_t window_bytes; /* that all streams together may still send */
	int64_t stream_window_bytes;
};

struct wire {
	struct buffer first_head; /* a call's headers, which fill the server's table */
	struct buffer head;       /* the same by their places in it */
	wire_answer_fn *answer;
	void *ctx;
	size_t turn;
	size_t connection_count;
	struct pollfd polls[CONNECTIONS_MAX];
	struct connection connections[];
};

/* ---- frames out ---- */

static void put_number(struct buffer *out, uint32_t number, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		buffer_append_byte(out, (uint8_t)(number >> shift));
}

static void put_frame(struct buffer *out, uint8_t type, uint8_t flags, uint32_t stream, struct bytes payload)
{
	put_number(out, (uint32_t)payload.len, 3);
	buffer_append_byte(out, type);
	buffer_append_byte(out, flags);
	put_number(out, stream, 4);
	buffer_append(out, payload.data, payload.len);
}

static void put_text(struct buffer *out, const char *text)
{
	assert(strlen(text) < 127); /* a length of one byte */
	buffer_append_byte(out, (uint8_t)strlen(text));
	buffer_append_text(out, text);
}

/* HPACK: 0x83 is POST, 0x86 http; 0x40 + n a name of the static table (0: its own) that goes to the dynamic one, where the newest
 * is 62. */
static void make_heads(struct wire *wire, const char *target, const char *path)
{
	static const uint8_t AGAIN[] = {0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62};

	buffer_append(&wire->first_head, AGAIN, 2);
	buffer_append_byte(&wire->first_head, 0x40 | 4); /* :path */
	put_text(&wire->first_head, path);
	buffer_append_byte(&wire->first_head, 0x40 | 1); /* :authority */
	put_text(&wire->first_head, target);
	buffer_append_byte(&wire->first_head, 0x40 | 31);
	put_text(&wire->first_head, "application/grpc");
	buffer_append_byte(&wire->first_head, 0x40);
	put_text(&wire->first_head, "te");
	put_text(&wire->first_head, "trailers");
	buffer_append(&wire->head, AGAIN, sizeof(AGAIN));
}

static void put_greeting(struct buffer *out)
{
	struct buffer payload = {0};

	buffer_append_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_number(&payload, SETTING_TABLE_BYTES, 2);
	put_number(&payload, 0, 4);
	put_frame(out, FRAME_SETTINGS, 0, 0, buffer_bytes(&payload));
	buffer_clear(&payload);
	put_number(&payload, INT32_MAX - WINDOW_BYTES, 4); /* more than a benchmark reads, so it is never told again */
	put_frame(out, FRAME_WINDOW_UPDATE, 0, 0, buffer_bytes(&payload));
	buffer_release(&payload);
}

/* ---- calls ---- */

static void add_call(struct connection *connection, void *call)
{
	if (connection->call_count == connection->call_max) {
		connection->call_max = connection->call_max ? connection->call_max * 2 : 1024;
		connection->calls = xrealloc_array(connection->calls, connection->call_max, sizeof(*connection->calls));
	}
	connection->calls[connection->call_count++] = (struct wire_call){.call = call};
	connection->open++;
}

static void put_call(struct connection *connection, const struct wire_message *message)
{
	const struct buffer *head = connection->call_count ? &connection->wire->head : &connection->wire->first_head;
	const uint32_t stream = (uint32_t)connection->call_count * 2 + 1;

	put_frame(&connection->out, FRAME_HEADERS, FLAG_END_HEADERS, stream, buffer_bytes(head));
	for (size_t at = 0; at < message->len;) {
		const size_t left = message->len - at;
		const size_t len = left < FRAME_BYTES_MAX ? left : FRAME_BYTES_MAX;

		put_frame(&connection->out, FRAME_DATA, len == left ? FLAG_END_STREAM : 0, stream,
			  (struct bytes){message->data + at, len});
		at += len;
	}
	connection->window_bytes -= (int64_t)message->len;
	add_call(connection, message->call);
}

/* A message goes out as a whole or not at all; one that is larger than a stream's window never could. */
static void put_calls(struct connection *connection)
{
	while (connection->first && connection->open < connection->streams_max &&
	       (int64_t)connection->first->len <= connection->window_bytes) {
		struct wire_message *message = connection->first;

		assert((int64_t)message->len <= connection->stream_window_bytes);
		connection->first = message->next;
		if (!connection->first)
			connection->end = &connection->first;
		put_call(connection, message);
		free(message);
	}
}

static void answer(struct connection *connection, size_t place, int status)
{
	struct wire_call *call = &connection->calls[place];
	const size_t skipped = call->message.len < MESSAGE_HEAD_BYTES ? call->message.len : MESSAGE_HEAD_BYTES;

	if (!call->call)
		return;
	connection->wire->answer(connection->wire->ctx, take_ptr(call->call), status,
				 (struct bytes){call->message.data + skipped, call->message.len - skipped});
	buffer_release(&call->message);
	connection->open--;
}

static void lose(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	(void)close(connection->fd); /* nothing is left to be written */
	connection->fd = -1;
	for (size_t i = 0; i < connection->call_count; i++)
		answer(connection, i, WIRE_LOST);
	for (struct wire_message *message = connection->first, *next; message; message = next) {
		next = message->next;
		connection->wire->answer(connection->wire->ctx, message->call, WIRE_LOST, (struct bytes){0});
		free(message);
	}
	connection->first = NULL;
	connection->end = &connection->first;
}

/* ---- frames in ---- */

static uint32_t get_number(const uint8_t *at, int bytes)
{
	uint32_t number = 0;

	for (int i = 0; i < bytes; i++)
		number = number << 8 | at[i];
	return number;
}

/* `grpc-status`, its value of one or two digits; WIRE_LOST where there is none. */
static int find_status(struct bytes block)
{
	static const char NAME[] = "\x0bgrpc-status";
	const uint8_t *at = memmem(block.data, block.len, NAME, sizeof(NAME) - 1);
	const size_t left = at ? block.len - (size_t)(at - block.data) - (sizeof(NAME) - 1) : 0;
	int status = 0;

	if (left < 2)
		return WIRE_LOST;
	at += sizeof(NAME) - 1;
	for (size_t i = 1; i <= at[0] && i < left; i++)
		status = status * 10 + (at[i] - '0');
	return status;
}

static void take_settings(struct connection *connection, struct bytes payload)
{
	for (size_t at = 0; at + 6 <= payload.len; at += 6) {
		const uint32_t value = get_number(payload.data + at + 2, 4);

		if (get_number(payload.data + at, 2) == SETTING_STREAMS_MAX)
			connection->streams_max = value;
		else if (get_number(payload.data + at, 2) == SETTING_WINDOW_BYTES)
			connection->stream_window_bytes = value;
	}
	put_frame(&connection->out, FRAME_SETTINGS, FLAG_ACK, 0, (struct bytes){0});
}

/* Of a call's stream. */
static void take_stream_frame(struct connection *connection, uint8_t type, uint8_t flags, size_t place,
			      struct bytes payload)
{
	if (place >= connection->call_count || !connection->calls[place].call)
		return;
	if (type == FRAME_DATA)
		buffer_append(&connection->calls[place].message, payload.data, payload.len);
	else if (type == FRAME_HEADERS && (flags & FLAG_END_STREAM))
		answer(connection, place, find_status(payload));
	else if (type == FRAME_RST_STREAM)
		answer(connection, place, WIRE_LOST);
}

/* False: the server ends the connection. */
static bool take_frame(struct connection *connection, uint8_t type, uint8_t flags, uint32_t stream,
		       struct bytes payload)
{
	if (type == FRAME_GOAWAY)
		return false;
	if (type == FRAME_SETTINGS && !(flags & FLAG_ACK))
		take_settings(connection, payload);
	else if (type == FRAME_PING && !(flags & FLAG_ACK))
		put_frame(&connection->out, FRAME_PING, FLAG_ACK, 0, payload);
	else if (type == FRAME_WINDOW_UPDATE && stream == 0 && payload.len == 4)
		connection->window_bytes += get_number(payload.data, 4);
	else if (stream > 0)
		take_stream_frame(connection, type, flags, stream / 2, payload);
	return true;
}

static bool take_frames(struct connection *connection)
{
	struct buffer *in = &connection->in;
	size_t at = 0;
	bool is_alive = true;

	while (is_alive && in->len - at >= FRAME_HEAD_BYTES) {
		const uint8_t *head = in->data + at;
		const size_t len = get_number(head, 3);

		if (in->len - at - FRAME_HEAD_BYTES < len)
			break;
		is_alive = take_frame(connection, head[3], head[4], get_number(head + 5, 4) & INT32_MAX,
				      (struct bytes){head + FRAME_HEAD_BYTES, len});
		at += FRAME_HEAD_BYTES + len;
	}
	if (at > 0)
		memmove(in->data, in->data + at, in->len - at);
	in->len -= at;
	return is_alive;
}

static bool read_some(struct connection *connection)
{
	ssize_t got;

	buffer_reserve(&connection->in, READ_BYTES);
	got = recv(connection->fd, connection->in.data + connection->in.len, READ_BYTES, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->in.len += (size_t)got;
	return got > 0 && take_frames(connection);
}

static bool write_some(struct connection *connection)
{
	struct buffer *out = &connection->out;
	ssize_t sent;

	put_calls(connection);
	if (out->len == connection->out_sent)
		return true;
	sent = send(connection->fd, out->data + connection->out_sent, out->len - connection->out_sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->out_sent += (size_t)sent;
	if (connection->out_sent == out->len) {
		buffer_clear(out);
		connection->out_sent = 0;
	}
	return true;
}

/* ---- life ---- */

static int connect_to(const char *target, int *ret_fd, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	const char *colon = strrchr(target, ':');
	_cleanup_(freep)
	char *host = xstrndup(target, colon ? (size_t)(colon - target) : strlen(target));
	struct addrinfo *found = NULL;
	const int one = 1;
	int fd = -1;

	if (colon && getaddrinfo(host, colon + 1, &hints, &found) == 0) {
		fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
		if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
			(void)close(fd); /* never used */
			fd = -1;
		}
		freeaddrinfo(found);
	}
	if (fd < 0)
		return error_set(err, ERR_UNAVAILABLE, "cannot connect to '%.200s': %s", target, strerror(errno));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* slower without, and no worse */
	*ret_fd = fd;
	return 0;
}

int wire_new(const char *target, const char *path, size_t connections, wire_answer_fn *answer_fn, void *ctx,
	     struct wire **ret_wire, struct error *err)
{
	struct wire *wire = xcalloc(1, sizeof(*wire) + connections * sizeof(wire->connections[0]));

	assert(connections > 0 && connections <= CONNECTIONS_MAX);
	wire->answer = answer_fn;
	wire->ctx = ctx;
	make_heads(wire, target, path);
	for (size_t i = 0; i < connections; i++) {
		struct connection *connection = &wire->connections[i];

		*connection = (struct connection){.wire = wire,
						  .fd = -1,
						  .streams_max = SIZE_MAX,
						  .window_bytes = WINDOW_BYTES,
						  .stream_window_bytes = WINDOW_BYTES};
		connection->end = &connection->first;
		wire->connection_count = i + 1;
		if (connect_to(target, &connection->fd, err) < 0) {
			wire_free(wire);
			return -1;
		}
		put_greeting(&connection->out);
	}
	*ret_wire = wire;
	return 0;
}

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	for (size_t i = 0; i < wire->connection_count; i++) {
		lose(&wire->connections[i]);
		buffer_release(&wire->connections[i].in);
		buffer_release(&wire->connections[i].out);
		free(wire->connections[i].calls);
	}
	buffer_release(&wire->first_head);
	buffer_release(&wire->head);
	free(wire);
}

void wire_call(struct wire *wire, struct bytes message, void *call)
{
	struct connection *connection = &wire->connections[wire->turn++ % wire->connection_count];
	struct wire_message *kept;

	if (connection->fd < 0) {
		wire->answer(wire->ctx, call, WIRE_LOST, (struct bytes){0});
		return;
	}
	kept = xmalloc(sizeof(*kept) + MESSAGE_HEAD_BYTES + message.len);
	*kept = (struct wire_message){.call = call, .len = MESSAGE_HEAD_BYTES + message.len};
	kept->data[0] = 0;
	for (int i = 0; i < 4; i++)
		kept->data[1 + i] = (uint8_t)(message.len >> (24 - 8 * i));
	memcpy(kept->data + MESSAGE_HEAD_BYTES, message.data, message.len);
	*connection->end = kept;
	connection->end = &kept->next;
}

void wire_turn(struct wire *wire, int wait_ms)
{
	for (size_t i = 0; i < wire->connection_count; i++) {
		struct connection *connection = &wire->connections[i];

		if (connection->fd >= 0 && !write_some(connection))
			lose(connection);
		wire->polls[i] = (struct pollfd){.fd = connection->fd,
						 .events = (short)(POLLIN | (connection->out.len > 0 ? POLLOUT : 0))};
	}
	if (poll(wire->polls, wire->connection_count, wait_ms) <= 0)
		return;
	for (size_t i = 0; i < wire->connection_count; i++)
		if (wire->connections[i].fd >= 0 && (wire->polls[i].revents & ~POLLOUT) &&
		    !read_some(&wire->connections[i]))
			lose(&wire->connections[i]);
}
